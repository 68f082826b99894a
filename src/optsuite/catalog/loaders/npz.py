"""Datasets from .npz files."""

from __future__ import annotations

import lzma
import tokenize
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from os import PathLike

import numpy as np

from optsuite.catalog.loaders.splits import Loader, check_unchanged, checked_split, drawn, load_test
from optsuite.errors import OptsuiteError, first_line
from optsuite.files import File
from optsuite.spec.data import Dataset, Split
from optsuite.spec.metric import ACCURACY, Metric

# numpy evaluates the header of an array, which may be any text.
_UNREADABLE = (
    OSError,
    ValueError,
    KeyError,
    EOFError,
    SyntaxError,
    TypeError,
    RecursionError,
    MemoryError,
    NotImplementedError,
    RuntimeError,
    zipfile.BadZipFile,
    zlib.error,
    lzma.LZMAError,
    tokenize.TokenError,
)
"""The errors that reading a damaged .npz file may raise."""


def from_npz(
    name: str,
    path: str | PathLike[str],
    *,
    metric: Metric = ACCURACY,
    class_weights: Mapping[int, float] | None = None,
) -> Dataset:
    """Make a dataset of an .npz file with x_train, y_train, x_test and y_test.

    Without x_validation and y_validation, a tenth of the training split, always the same, becomes the validation split.

    Args:
        name: The name of the dataset.
        path: The file. Each x is ``(n, *input_shape)``: uint8 is scaled from 0..255 to 0..1, floats stay as they are.
            Each y is (n,): labels from 0, or numbers if the metric is not one of classes.
        metric: What models are judged by, and trained for.
        class_weights: The weight of each label in the training loss; 1 for labels that are not in it.

    Raises:
        OptsuiteError: The file can't be read, or is no such file.

    """
    file = File.of(path)
    return Dataset(
        name=name,
        input_shape=_npz_shape(file)[1:],
        fingerprint=file.sha256,
        load=_Npz(file=file, classes=metric.classes),
        metric=metric,
        class_weights=class_weights or {},
    )


def to_evaluate(path: str | PathLike[str], metric: Metric = ACCURACY) -> dict[str, Split]:
    """Read the "test" and "validation" split of an .npz file that need not have more.

    Without a validation split, a fifth of the test images, always the same, becomes it: whatever chooses looks at
    those, and not at the ones that are reported.

    Args:
        path: The file, as for `from_npz`.
        metric: What the data is for.

    Raises:
        OptsuiteError: The file can't be read, or is no such file.

    """
    loader = _Npz(file=File.of(path), classes=metric.classes)
    test, validation = load_test(loader), loader.read("validation")
    if validation is None:
        return dict(zip(("test", "validation"), drawn(test, 0.2), strict=True))
    if len(shapes := {split.x.shape[1:] for split in (test, validation)}) > 1:
        raise OptsuiteError(f"{path}: expected inputs of one shape, got {' and '.join(map(str, shapes))}")
    return {"test": test, "validation": validation}


@dataclass(frozen=True)
class _Npz(Loader):
    file: File
    classes: bool

    def __str__(self) -> str:
        return self.file.path

    def read(self, split: str) -> Split | None:
        with _npz_errors(self.file), np.load(self.file.path, allow_pickle=False) as arrays:
            if f"x_{split}" not in arrays:
                return None
            where = f"{self.file.path}, {split}"
            x, y = (arrays[f"{name}_{split}"] for name in "xy")
            if isinstance(x, bytes) or isinstance(y, bytes):  # numpy's answer where there is no array's magic
                raise ValueError(f"x_{split} or y_{split} is no array")
            found = checked_split(x, y, where, classes=self.classes)
        check_unchanged(self.file)
        return found


@contextmanager
def _npz_errors(file: File) -> Iterator[None]:
    try:
        if not zipfile.is_zipfile(file.path):
            raise ValueError("it is no .npz")
        yield
    except _UNREADABLE as error:
        raise OptsuiteError(
            f"{file.path} can't be read: {first_line(error)}; expected an .npz with x and y of each split, as x_test "
            "and y_test"
        ) from error


def _npz_shape(file: File) -> tuple[int, ...]:
    """The shape of the test inputs, ``(n, *input_shape)``, from the header alone, as the file may be large."""
    with _npz_errors(file), zipfile.ZipFile(file.path) as archive, archive.open("x_test.npy") as array:
        version = np.lib.format.read_magic(array)
        read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
        shape: tuple[int, ...] = read(array)[0]
        return shape
