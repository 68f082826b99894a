"""Files from elsewhere, examined and measured as those of a run are: no build, no TensorFlow, no pytest."""

from __future__ import annotations

import hashlib
import re
import sys
import tempfile
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path, PurePath
from typing import Any

import numpy as np

from optsuite import litert
from optsuite.build.examiner import Examiner, StoredFile
from optsuite.build.running import local_workers
from optsuite.catalog.examinations import EXAMINATIONS, RUNTIME
from optsuite.catalog.loaders import npz
from optsuite.catalog.profiles import PROFILES
from optsuite.cpu import cores
from optsuite.errors import OptsuiteError, first_line
from optsuite.examine.examination import Examination
from optsuite.examine.size import gzip_bytes
from optsuite.litert import LiteRTRunner
from optsuite.measure import rows, startup
from optsuite.measure.monitor import Monitor
from optsuite.results.examined import Contents
from optsuite.results.measured import Measured
from optsuite.spec.artifact import TFLITE
from optsuite.spec.data import Dataset, Split
from optsuite.spec.metric import ACCURACY, MeanAbsoluteError, Metric, TopK
from optsuite.store.store import Store

VARIANT = "tflite"
"""The variant of a file from elsewhere."""
RECIPE = "file"
"""The recipe of a file from elsewhere, of which no stage is known."""
_ROUNDS = 1_000
_ROUNDS_S = 5.0
_ROUNDS_LEAST = 30


@dataclass(frozen=True, kw_only=True)
class MeasuredFile:
    """A file measured on data.

    Attributes:
        name: The name of the file without its ending, which is the name of its model.
        measured: Its record.
        contents: Its kernels and number formats.
        rounds_s: The seconds of each timed call, float64 (rounds,).

    """

    name: str
    measured: Measured
    contents: Contents
    rounds_s: np.ndarray


def measure(
    contents: Mapping[str, bytes], data: Path, metric: Metric, splits: Mapping[str, Split], load: float | None
) -> tuple[list[MeasuredFile], Monitor]:
    """Examine files on data, then time one after the other.

    Args:
        contents: The contents of the files, by the names of their models.
        data: An .npz file, as `loaders.npz.to_evaluate` takes it.
        metric: What the files' answers are judged by.
        splits: The "test" and "validation" split of the data.
        load: The load of the machine before.

    Returns:
        The measured files, and the monitor of the machine.

    Raises:
        OptsuiteError: A file can't be run on the data.

    """
    dataset = Dataset(
        name="data",
        input_shape=splits["test"].x.shape[1:],
        fingerprint="",  # the hashes of the splits count
        load=partial(_load, data, metric),
        metric=metric,
    )
    with _stored(contents) as (store, files):
        _examiner([RUNTIME], dataset, splits, store, files)
        for name, content in contents.items():  # all files, before minutes are spent on the first
            with _naming(name):
                _check(content, metric, splits)
        examiner = _examiner(EXAMINATIONS.values(), dataset, splits, store, files)
        found = {}
        for name, file in files.items():
            with _naming(name):
                found[name] = rows.findings(examiner, file, EXAMINATIONS.values())
    monitor = Monitor(load)
    measured = []
    for name, content in contents.items():
        with _naming(name):
            runner = LiteRTRunner(content)
            row = rows.of_file(
                found[name],
                startup.observe(content),
                experiment=f"{name}_{RECIPE}_s0",
                variant=VARIANT,
                file=files[name],
                budget=0.0,
                total_time_s=litert.total_time_s(runner, splits["test"].x),
                weights=found[name].contents.weights,
            )
            with monitor.watch(row.experiment, VARIANT):
                rounds_s = _timed_rounds(runner)
        measured.append(MeasuredFile(name=name, measured=row, contents=found[name].contents, rounds_s=rounds_s))
    return measured, monitor


def _load(data: Path, metric: Metric, split: str) -> Split:
    return npz.to_evaluate(data, metric)[split]


def _no_data(split: str) -> Split:
    raise OptsuiteError(f"expected an examination that needs no data, got one that needs the {split} split")


@contextmanager
def _stored(contents: Mapping[str, bytes]) -> Iterator[tuple[Store, dict[str, StoredFile]]]:
    """Give a store for the time being, and the files in it, by name."""
    with tempfile.TemporaryDirectory() as folder:
        store = Store(Path(folder), _silent)
        files = {}
        for number, (name, content) in enumerate(contents.items()):
            sha256 = hashlib.sha256(content).hexdigest()
            store.put(sha256, {TFLITE: content})
            files[name] = StoredFile(
                model=name,
                seed=0,
                actions=(RECIPE,),
                index_name=PurePath("files", "files", str(number), VARIANT),
                key=sha256,
                sha256=sha256,
            )
        yield store, files


def _examiner(
    examinations: Collection[Examination[Any]],
    dataset: Dataset,
    splits: Mapping[str, Split],
    store: Store,
    files: Mapping[str, StoredFile],
) -> Examiner:
    """Examine the files, each in a process that it may crash; OptsuiteError where LiteRT can't run one of them."""
    examiner = Examiner(examinations, dataset, PROFILES["full"], splits.__getitem__, store, _silent)
    workers: Callable[..., Any] = partial(local_workers, cores())
    examiner.examine(files.values(), workers, sys.stderr)
    for name, file in files.items():
        with _naming(name):
            examiner.find(file, RUNTIME)
    return examiner


def _silent(line: str) -> None:
    pass


@dataclass(frozen=True, kw_only=True)
class Timed:
    """A file without data: its sizes, and the median seconds of a call on inputs drawn by chance."""

    name: str
    bytes: int
    gzip_bytes: int
    median_s: float


def timed(files: Sequence[Path]) -> list[Timed]:
    """Time the files one after the other; they may have several inputs and outputs.

    Raises:
        OptsuiteError: A file can't be run, or two have one name.

    """
    contents_by_name = by_name(files)
    runners = {}
    for name, content in contents_by_name.items():
        with _naming(name):
            runners[name] = LiteRTRunner(content)
            runners[name].invoke()
    return [
        Timed(
            name=name,
            bytes=len(content),
            gzip_bytes=gzip_bytes(content),
            median_s=float(np.median(_timed_rounds(runners[name]))),
        )
        for name, content in contents_by_name.items()
    ]


def metric(name: str) -> Metric:
    """Return the metric of a name: accuracy, top-5, mae; OptsuiteError for another."""
    if name == "accuracy":
        return ACCURACY
    if name == "mae":
        return MeanAbsoluteError()
    if match := re.fullmatch(r"top-([1-9]\d{0,3})", name):
        return TopK(k=int(match[1]))
    raise OptsuiteError(f"unknown metric {name!r}; expected one of accuracy, top-K, mae")


def contents(files: Sequence[Path]) -> list[bytes]:
    """Read .tflite files; OptsuiteError for one that can't be read, or that LiteRT can't run."""
    try:
        found = [path.read_bytes() for path in files]
    except OSError as error:
        raise OptsuiteError(f"{error.filename}: {error.strerror}; expected a .tflite file") from error
    with _stored({str(path): content for path, content in zip(files, found, strict=True)}) as (store, stored):
        no_data = Dataset(name="none", input_shape=(1,), fingerprint="", load=_no_data)
        _examiner([RUNTIME], no_data, {}, store, stored)
    return found


def by_name(files: Sequence[Path]) -> dict[str, bytes]:
    """Return the contents of the files by the names of their models; OptsuiteError for two of one name."""
    names = [path.stem for path in files]
    if len(set(names)) < len(names):
        raise OptsuiteError(f"expected files of different names, got {', '.join(map(str, files))}")
    return dict(zip(names, contents(files), strict=True))


@contextmanager
def _naming(name: str) -> Iterator[None]:
    """Say of which file an error is; LiteRT's own are of inputs that the model can't take."""
    try:
        yield
    except (OptsuiteError, RuntimeError, ValueError) as error:
        raise OptsuiteError(f"{name}: {first_line(error)}") from error


def _check(content: bytes, metric: Metric, splits: Mapping[str, Split]) -> None:
    runner = LiteRTRunner(content)
    shape = (1, *splits["test"].x.shape[1:])
    if runner.input_shape != shape:
        raise OptsuiteError(f"it takes inputs of {runner.input_shape}; expected {shape} for this data")
    for split in splits.values():
        runner.set(runner.prepare(split.x)[:1])
        runner.invoke()
        metric.check(runner.get().shape[1:], split.y)


def _timed_rounds(runner: LiteRTRunner) -> np.ndarray:
    """The seconds of each call, after some calls that are not timed."""
    with litert.no_garbage_collection():
        _rounds(runner, _ROUNDS // 5)
        return _rounds(runner, _ROUNDS)


def _rounds(runner: LiteRTRunner, count: int) -> np.ndarray:
    """Time `count` calls, or as many as fit into 5 s, but at least 30, so that a slow model takes no minute."""
    return litert.rounds(runner.invoke, count, at_most_s=_ROUNDS_S, at_least=_ROUNDS_LEAST)
