"""Files from elsewhere: read, kept in a temporary store, and examined in other processes, which they may crash."""

from __future__ import annotations

import hashlib
import io
import tempfile
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path, PurePath
from typing import Any

from optsuite.build.examiner import Examiner, StoredFile
from optsuite.build.running import local_workers
from optsuite.catalog.examinations import RUNTIME
from optsuite.catalog.profiles import PROFILES
from optsuite.cpu import cores
from optsuite.errors import OptsuiteError, first_line
from optsuite.examine.examination import Examination
from optsuite.measure import rows
from optsuite.spec.artifact import TFLITE
from optsuite.spec.data import Dataset, Split
from optsuite.store.store import Store

RECIPE = "file"
"""The recipe of a file from elsewhere, of which no stage is known."""
VARIANT = "tflite"
"""The variant of a file from elsewhere."""


def shown(name: str) -> str:
    """Return the name of a file as text that JSON can hold: to the system, it is bytes."""
    return name.encode("utf-8", "backslashreplace").decode()


def contents(files: Sequence[Path]) -> list[bytes]:
    """Read .tflite files; OptsuiteError for one that can't be read, or that LiteRT can't run."""
    try:
        found = [path.read_bytes() for path in files]
    except OSError as error:
        raise OptsuiteError(f"{error.filename}: {error.strerror}; expected a .tflite file") from error
    with stored({shown(str(path)): content for path, content in zip(files, found, strict=True)}) as (store, kept):
        examined([RUNTIME], {}, store, kept)
    return found


def by_name(files: Sequence[Path]) -> dict[str, bytes]:
    """Return the contents of the files by the names of their models; OptsuiteError for two of one name."""
    names = [shown(path.stem) for path in files]
    if len(set(names)) < len(names):
        raise OptsuiteError(f"expected files of different names, got {', '.join(map(str, files))}")
    return dict(zip(names, contents(files), strict=True))


@contextmanager
def naming(name: str) -> Iterator[None]:
    """Say of which file an error is; LiteRT's own are of inputs that the model can't take."""
    try:
        yield
    except (OptsuiteError, RuntimeError, ValueError) as error:
        raise OptsuiteError(f"{name}: {first_line(error)}") from error


def _no_data(split: str) -> Split:
    raise OptsuiteError(f"expected an examination that needs no data, got one that needs the {split} split")


NO_DATA = Dataset(name="none", input_shape=(1,), fingerprint="", load=_no_data)
"""The dataset of examinations that need none."""


@contextmanager
def stored(contents: Mapping[str, bytes], dataset: Dataset = NO_DATA) -> Iterator[tuple[Store, dict[str, StoredFile]]]:
    """Give a temporary store, and the files in it by name; `dataset` is the data that they are examined on."""
    with tempfile.TemporaryDirectory() as folder:
        store = Store(Path(folder), _silent)
        files = {}
        for number, (name, content) in enumerate(contents.items()):
            sha256 = hashlib.sha256(content).hexdigest()
            store.put(sha256, {TFLITE: content})
            files[name] = StoredFile(
                model=name,
                dataset=dataset,
                seed=0,
                actions=(RECIPE,),
                index_name=PurePath("files", "files", str(number), VARIANT),
                key=sha256,
                sha256=sha256,
            )
        yield store, files


def examined(
    examinations: Collection[Examination[Any]],
    splits: Mapping[str, Split],
    store: Store,
    files: Mapping[str, StoredFile],
) -> Examiner:
    """Examine the files, each in a process that it may crash; OptsuiteError where LiteRT can't run one of them."""
    examiner = Examiner(examinations, PROFILES["full"], lambda _, name: splits[name], store, _silent)
    examiner.examine(files.values(), partial(local_workers, cores()), io.StringIO())
    for name, file in files.items():
        with naming(name):
            rows.needed(examiner, file, RUNTIME)
    return examiner


def _silent(line: str) -> None:
    pass
