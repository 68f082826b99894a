"""Plain .tflite files, measured as those of a run are, into the JSON of a run: no build, no TensorFlow, no pytest."""

from __future__ import annotations

import datetime
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

import optsuite
from optsuite import litert
from optsuite.catalog.loaders import npz
from optsuite.errors import OptsuiteError, first_line
from optsuite.examine import answers, kernels
from optsuite.examine.crash_test import crashing
from optsuite.litert import LiteRTRunner
from optsuite.measure import host, runtime
from optsuite.measure.monitor import Monitor
from optsuite.results.built import Built
from optsuite.results.figures import FIGURES
from optsuite.results.header import CatalogNames, Header, Requested
from optsuite.results.measured import Measured
from optsuite.results.model import ModelInfo, StageRecord
from optsuite.results.reader import SCHEMA, SECTION, plain
from optsuite.spec.data import Split
from optsuite.spec.invariant import Invariant
from optsuite.spec.metric import ACCURACY, MeanAbsoluteError, Metric, TopK

VARIANT = "tflite"
_KIND = "file"
_ROUNDS = 1_000
_ROUNDS_S = 5.0
_ROUNDS_LEAST = 30


def run(files: Sequence[Path], data: Path, metric: Metric) -> dict[str, Any]:
    """Measure the files on the data (see `loaders.to_evaluate`) one after the other; the content of a run's JSON.

    Each is an experiment of its own, named after the file. Raises OptsuiteError for a file that can't be run on the
    data, and for two of one name.
    """
    splits = npz.to_evaluate(data, metric)
    by_name = _by_name(files)
    names = list(by_name)
    for name, content in by_name.items():  # all of them, before minutes are spent on the first
        with _naming(name):
            _check(content, metric, splits)
    load = host.load()
    monitor = Monitor(load)
    rows = [_row(name, content, metric, splits, monitor) for name, content in by_name.items()]
    header = Header(
        schema=SCHEMA,
        version=optsuite.__version__,
        profile="full",
        requested=Requested(
            dataset=data.stem,
            matrix=_KIND,
            models=tuple(names),
            recipes=(_KIND,),
            variants=(VARIANT,),
            seeds=(0,),
        ),
        catalog=CatalogNames(models=tuple(names), recipes=(_KIND,), variants=(VARIANT,)),
        figures=FIGURES,
        experiments=tuple(measured.experiment for measured, _, _ in rows),
        variants=(VARIANT,),
        environment=monitor.environment,
        build_s=0.0,
        measure_s=float(sum(seconds.sum() for _, _, seconds in rows)),
        reference_times=tuple(monitor.reference_times),
        labels=tuple(splits["test"].y.tolist()) if metric.classes else (),
        built=tuple(_known(name, data.stem, *row[:2]) for name, row in zip(names, rows, strict=True)),
        absences=(),
        metric=metric.name,
        data_sha256=splits["test"].sha256,
    )
    # They import half of pytest; a run through pytest has them from there.
    from pytest_benchmark.plugin import pytest_benchmark_generate_machine_info
    from pytest_benchmark.utils import get_commit_info

    return {
        "machine_info": pytest_benchmark_generate_machine_info(),  # type: ignore[no-untyped-call]
        "commit_info": get_commit_info(),  # type: ignore[no-untyped-call]
        "benchmarks": [_benchmark(measured, seconds) for measured, _, seconds in rows],
        "datetime": datetime.datetime.now(datetime.UTC).isoformat(),
        "version": version("pytest-benchmark"),
        SECTION: plain(header),
    }


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
    by_name = _by_name(files)
    runners = {}
    for name, content in by_name.items():
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
        for name, content in by_name.items()
    ]


def metric(name: str) -> Metric:
    """By the name that a person gives: accuracy, top-5, mae; OptsuiteError for another."""
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


def _by_name(files: Sequence[Path]) -> dict[str, bytes]:
    """The files' contents by the name that their experiments get; OptsuiteError for two of one name."""
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


def _check(content: bytes, metric: Metric, splits: dict[str, Split]) -> None:
    """OptsuiteError for a file that can't be run on the data, or does not answer as the metric needs it."""
    runner = LiteRTRunner(content)
    shape = (1, *splits["test"].x.shape[1:])
    if runner.input_shape != shape:
        raise OptsuiteError(f"it takes inputs of {runner.input_shape}; expected {shape} for this data")
    for split in splits.values():
        runner.set(runner.prepare(split.x)[:1])
        runner.invoke()
        metric.check(runner.get().shape[1:], split.y)


def _row(
    name: str, content: bytes, metric: Metric, splits: dict[str, Split], monitor: Monitor
) -> tuple[Measured, kernels.Contents, np.ndarray]:
    """What is recorded of a file, what is in it, and the seconds of its rounds."""
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
            experiment=_id(name),
            variant=VARIANT,
            key="",
            budget=0.0,
            total_time_s=passes["test"].total_time_s,
            validation_time_s=passes["validation"].total_time_s,
            execution=ran,
            weights=contents.weights,
        )
        with monitor.watch(_id(name), VARIANT):
            return measured, contents, _timed_rounds(runner)


def _timed_rounds(runner: LiteRTRunner) -> np.ndarray:
    """The seconds of each call, after some calls that are not timed."""
    with litert.no_garbage_collection():
        _rounds(runner, _ROUNDS // 5)
        return _rounds(runner, _ROUNDS)


def _rounds(runner: LiteRTRunner, count: int) -> np.ndarray:
    """So many timed calls, or as many as fit into 5 s, but 30 at least: a slow model takes no minute."""
    return litert.rounds(runner.invoke, count, at_most_s=_ROUNDS_S, at_least=_ROUNDS_LEAST)


def _id(name: str) -> str:
    return f"{name}_{_KIND}_s0"


def _known(name: str, dataset: str, measured: Measured, contents: kernels.Contents) -> Built:
    """What is known of a file that was not built here."""
    stage = StageRecord(
        stage=_KIND,
        epochs=0,
        batch=0,
        loss=(),
        accuracy=(),
        val_accuracy=(),
        layers=(),
        invariant=Invariant(),
        preserve=(),
        weights=contents.weights,
    )
    return Built(
        id=measured.experiment,
        dataset=dataset,
        model=name,
        recipe=_KIND,
        seed=0,
        budget=0.0,
        info=ModelInfo(
            parameters=sum(layer.size for layer in contents.weights) + contents.biases,
            macs=contents.macs,
            keras_bytes=None,
            versions={},
            stages=(stage,),
        ),
        test=None,
        validation=None,
    )


def _benchmark(measured: Measured, seconds: np.ndarray) -> dict[str, Any]:
    """As pytest-benchmark writes it."""
    from pytest_benchmark.stats import Stats

    stats: Any = Stats()  # type: ignore[no-untyped-call]
    for one in seconds.tolist():
        stats.update(one)
    name = f"test_latency[{measured.experiment}-{measured.variant}]"
    return {
        "name": name,
        "fullname": name,
        "group": measured.experiment,
        "params": {"experiment": measured.experiment, "variant": measured.variant},
        "options": {},
        "stats": {**stats.as_dict(), "iterations": 1, "data": seconds.tolist()},
        "extra_info": {SECTION: plain(measured)},
    }
