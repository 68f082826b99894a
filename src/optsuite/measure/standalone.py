"""Files from elsewhere, examined and measured as those of a run are: no build, no TensorFlow, no pytest."""

from __future__ import annotations

import functools
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from optsuite import litert
from optsuite.catalog.examinations import NEEDED, RUNTIME
from optsuite.catalog.loaders import npz
from optsuite.errors import OptsuiteError
from optsuite.examine.examination import Examination
from optsuite.examine.size import gzip_bytes
from optsuite.examine.target import Target
from optsuite.litert import LiteRTRunner
from optsuite.measure import rows, startup
from optsuite.measure.monitor import Monitor
from optsuite.measure.standalone_files import RECIPE, VARIANT, by_name, examined, naming, shown, stored
from optsuite.results.examined import Contents
from optsuite.results.header import Examined
from optsuite.results.measured import Measured
from optsuite.spec.data import Dataset, Split
from optsuite.spec.metric import ACCURACY, MeanAbsoluteError, Metric, TopK

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


@dataclass(frozen=True, kw_only=True)
class MeasuredFiles:
    """Files measured on data, its test split, the monitor of the machine, and the records of the examinations."""

    files: Sequence[MeasuredFile]
    test: Split
    monitor: Monitor
    examinations: tuple[Examined, ...]


def measure(
    contents: Mapping[str, bytes],
    dataset: Dataset,
    examinations: Sequence[Examination[Any]],
    targets: Sequence[Target],
    load: float | None,
) -> MeasuredFiles:
    """Examine files on data, then time one after the other.

    Args:
        contents: The contents of the files, by the names of their models.
        dataset: The data, of which the "test" and the "validation" split are used.
        examinations: The examinations of the files, those of the targets included; they may need these two splits.
        targets: The targets that some of them belong to.
        load: The load of the machine before.

    Raises:
        OptsuiteError: A file can't be run on the data.

    """
    splits = {name: dataset.split(name) for name in ("test", "validation")}
    for name, content in contents.items():  # all files, before minutes are spent on the first
        with naming(name):
            _check(content, dataset.metric, splits)
    found = {}
    with stored(contents, dataset) as (store, files):
        examiner = examined(examinations, splits, store, files)
        records = examiner.records(targets)
        for name, file in files.items():
            with naming(name):
                found[name] = rows.findings(examiner, file)
    monitor = Monitor(load)
    measured = []
    for name, content in contents.items():
        with naming(name):
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
    return MeasuredFiles(files=measured, test=splits["test"], monitor=monitor, examinations=records)


def from_npz(path: Path, metric: Metric) -> Dataset:
    """Return the dataset of an .npz file, as `loaders.npz.to_evaluate` takes it: it has no training split."""
    return Dataset(
        name=shown(path.stem),
        input_shape=_read(path, metric)["test"].x.shape[1:],
        fingerprint="",  # the hashes of the splits count
        load=partial(_load, path, metric),
        metric=metric,
    )


@functools.lru_cache(maxsize=1)
def _read(path: Path, metric: Metric) -> dict[str, Split]:
    return npz.to_evaluate(path, metric)


def _load(path: Path, metric: Metric, split: str) -> Split:
    return _read(path, metric)[split]


@dataclass(frozen=True, kw_only=True)
class Timed:
    """A file without data.

    Attributes:
        name: The name of the file without its ending.
        bytes: The size of the file.
        gzip_bytes: The size of the file after gzip -9.
        median_s: The median seconds of a call on inputs drawn by chance.
        figures: What examinations found that need no data.
        unexamined: The name of one of these that failed, or that this machine can't do -> why.

    """

    name: str
    bytes: int
    gzip_bytes: int
    median_s: float
    figures: Mapping[str, int | float]
    unexamined: Mapping[str, str]


def timed(files: Sequence[Path], examinations: Sequence[Examination[Any]], targets: Sequence[Target]) -> list[Timed]:
    """Time the files one after the other; they may have several inputs and outputs.

    Args:
        files: The .tflite files.
        examinations: Examinations that need no data, those of the targets included.
        targets: The targets that some of them belong to.

    Raises:
        OptsuiteError: A file can't be run, or two have one name.

    """
    contents_by_name = by_name(files)
    others = [one for one in examinations if one not in NEEDED]
    with stored(contents_by_name) as (store, kept):
        examiner = examined([RUNTIME, *others], {}, store, kept)
        found = {name: rows.others(examiner, file) for name, file in kept.items()}
        absent = {record.name: record.absent for record in examiner.records(targets) if record.absent}
    runners = {}
    for name, content in contents_by_name.items():
        with naming(name):
            runners[name] = LiteRTRunner(content)
            runners[name].invoke()
    return [
        Timed(
            name=name,
            bytes=len(content),
            gzip_bytes=gzip_bytes(content),
            median_s=float(np.median(_timed_rounds(runners[name]))),
            figures=found[name].figures,
            unexamined={**absent, **found[name].unexamined},
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
