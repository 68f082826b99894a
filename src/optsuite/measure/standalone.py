"""Files from elsewhere, measured as those of a run are: no build, no TensorFlow, no pytest."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from optsuite import litert
from optsuite.errors import OptsuiteError, first_line
from optsuite.examine import answers, kernels
from optsuite.examine.crashes import crashing
from optsuite.litert import LiteRTRunner
from optsuite.measure import runtime
from optsuite.measure.monitor import Monitor
from optsuite.results.measured import Measured
from optsuite.spec.data import Split
from optsuite.spec.metric import ACCURACY, MeanAbsoluteError, Metric, TopK

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
    contents: kernels.Contents
    rounds_s: np.ndarray


def measure(name: str, content: bytes, metric: Metric, splits: Mapping[str, Split], monitor: Monitor) -> MeasuredFile:
    """Measure a file on the data: its answers to both splits, how the runtime runs it, and its latency.

    Raises:
        OptsuiteError: The file can't be run.

    """
    with _naming(name):
        runner, contents = LiteRTRunner(content), kernels.read(content)
        passes = {split: litert.run_pass(runner, splits[split].x) for split in splits}
        ran = runtime.observe(content, contents)
        measured = answers.record(
            content,
            metric,
            splits,
            {split: one.outputs for split, one in passes.items()},
            [ran.note],
            experiment=f"{name}_{RECIPE}_s0",
            variant=VARIANT,
            key="",
            budget=0.0,
            total_time_s=passes["test"].total_time_s,
            validation_time_s=passes["validation"].total_time_s,
            execution=ran,
            weights=contents.weights,
        )
        with monitor.watch(measured.experiment, VARIANT):
            rounds_s = _timed_rounds(runner)
    return MeasuredFile(name=name, measured=measured, contents=contents, rounds_s=rounds_s)


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
            gzip_bytes=answers.gzip_bytes(content),
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
    """Read .tflite files; OptsuiteError for one that can't be read, or that LiteRT crashes on."""
    try:
        found = [path.read_bytes() for path in files]
    except OSError as error:
        raise OptsuiteError(f"{error.filename}: {error.strerror}; expected a .tflite file") from error
    if bad := crashing(dict(zip(files, found, strict=True))):
        raise OptsuiteError(f"expected files that LiteRT runs; it crashes on {', '.join(map(str, bad))}")
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


def check(files: Mapping[str, bytes], metric: Metric, splits: Mapping[str, Split]) -> None:
    """Raise OptsuiteError for files that can't be run on the data, or do not answer as the metric needs it."""
    for name, content in files.items():
        with _naming(name):
            _check(content, metric, splits)


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
