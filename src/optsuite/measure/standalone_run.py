"""The JSON of a run of files from elsewhere: `optsuite measure --json`."""

from __future__ import annotations

import datetime
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any

import optsuite
from optsuite.catalog.profiles import PROFILES
from optsuite.examine.examination import Examination
from optsuite.examine.target import Target
from optsuite.measure import host, standalone
from optsuite.measure.record import dataset_info
from optsuite.measure.standalone import MeasuredFile, MeasuredFiles
from optsuite.measure.standalone_files import RECIPE, VARIANT, by_name
from optsuite.results.built import Built
from optsuite.results.figures import FIGURES
from optsuite.results.header import CatalogNames, Header, Requested
from optsuite.results.model import ModelInfo, StageRecord
from optsuite.results.reader import SCHEMA, SECTION, plain
from optsuite.spec.data import Dataset
from optsuite.spec.experiment import Profile


def run(
    files: Sequence[Path],
    dataset: Dataset,
    examinations: Sequence[Examination[Any]],
    targets: Sequence[Target] = (),
    requested: Sequence[str] = (),
    profile: Profile = PROFILES["full"],
) -> dict[str, Any]:
    """Measure the files on the data, and return the content of a run's JSON.

    Each file is an experiment of its own, named after the file.

    Args:
        files: The .tflite files.
        dataset: The data, of which the "test" and the "validation" split are used.
        examinations: The examinations of the files, those of the targets included.
        targets: The targets that the files are examined for.
        requested: The names of those that were requested by name.
        profile: The profile, which says how many inputs of a split are used.

    Raises:
        OptsuiteError: A file can't be run on the data, or two have one name.

    """
    load = host.load()
    dataset = replace(dataset, load=partial(profile.split, dataset))
    measured = standalone.measure(by_name(files), dataset, examinations, targets, load)
    header = _header(measured, dataset, profile, examinations, requested)
    # They import half of pytest; a run through pytest has them from there.
    from pytest_benchmark.plugin import pytest_benchmark_generate_machine_info
    from pytest_benchmark.utils import get_commit_info

    return {
        "machine_info": pytest_benchmark_generate_machine_info(),  # type: ignore[no-untyped-call]
        "commit_info": get_commit_info(),  # type: ignore[no-untyped-call]
        "benchmarks": [_benchmark(file) for file in measured.files],
        "datetime": datetime.datetime.now(datetime.UTC).isoformat(),
        "version": version("pytest-benchmark"),
        SECTION: plain(header),
    }


def _header(
    measured: MeasuredFiles,
    dataset: Dataset,
    profile: Profile,
    examinations: Sequence[Examination[Any]],
    requested: Sequence[str],
) -> Header:
    files, monitor = measured.files, measured.monitor
    names = tuple(file.name for file in files)
    return Header(
        schema=SCHEMA,
        version=optsuite.__version__,
        profile=profile.name,
        requested=Requested(
            datasets=(dataset.name,),
            matrix=RECIPE,
            models=names,
            recipes=(RECIPE,),
            variants=(VARIANT,),
            seeds=(0,),
            targets=tuple(requested),
        ),
        catalog=CatalogNames(models=names, recipes=(RECIPE,), variants=(VARIANT,)),
        figures=(*FIGURES, *(figure for one in examinations for figure in one.figures)),
        experiments=tuple(file.measured.experiment for file in files),
        variants=(VARIANT,),
        environment=monitor.environment,
        build_s=0.0,
        measure_s=float(sum(file.rounds_s.sum() for file in files)),
        reference_times=tuple(monitor.reference_times),
        datasets=(dataset_info(dataset.name, dataset.metric, measured.test),),
        built=tuple(_built(file, dataset.name) for file in files),
        absences=(),
        examinations=measured.examinations,
    )


def _built(file: MeasuredFile, dataset: str) -> Built:
    """The record of a model that was not built here: only its kernels are known."""
    contents = file.contents
    stage = StageRecord(
        stage=RECIPE,
        epochs=0,
        batch=0,
        loss=(),
        accuracy=(),
        val_accuracy=(),
        invariants={},
        preserve=(),
        weights=contents.weights,
    )
    return Built(
        id=file.measured.experiment,
        dataset=dataset,
        model=file.name,
        recipe=RECIPE,
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


def _benchmark(file: MeasuredFile) -> dict[str, Any]:
    """A file as pytest-benchmark writes a benchmark."""
    from pytest_benchmark.stats import Stats

    measured, seconds = file.measured, file.rounds_s.tolist()
    stats: Any = Stats()  # type: ignore[no-untyped-call]
    for one in seconds:
        stats.update(one)
    name = f"test_latency[{measured.experiment}-{measured.variant}]"
    return {
        "name": name,
        "fullname": name,
        "group": measured.experiment,
        "params": {"experiment": measured.experiment, "variant": measured.variant},
        "options": {},
        "stats": {**stats.as_dict(), "iterations": 1, "data": seconds},
        "extra_info": {SECTION: plain(measured)},
    }
