"""Checks of a run that types can't make: numbers have to agree with each other."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import numpy as np

from optsuite.errors import OptsuiteError
from optsuite.results.answers import Answers
from optsuite.results.built import Built
from optsuite.results.kernels import LayerWeights
from optsuite.results.measured import Measured
from optsuite.results.run import Run
from optsuite.results.timing import Timing


def _agree(answers: Answers) -> bool:
    scores = answers.scores().astype(float)
    return bool(np.isfinite(scores).all()) and abs(scores.mean() - answers.accuracy) <= 1e-9 * max(
        1.0, abs(answers.accuracy)
    )


_ROUNDING = 1e-9
"""How far a mean may be outside the range of its numbers, as a share."""


def _impossible(timing: Timing) -> str:
    """Why no call can have taken these times, or an empty string."""
    low, high = timing.min_s * (1 - _ROUNDING), timing.max_s * (1 + _ROUNDING)
    if not (low <= timing.median_s <= high and low <= timing.mean_s <= high):
        return f"median {timing.median_s:g} s and mean {timing.mean_s:g} s of {timing.min_s:g} to {timing.max_s:g} s"
    if timing.rounds_s and len(timing.rounds_s) != timing.rounds:
        return f"{len(timing.rounds_s)} rounds recorded of {timing.rounds}"
    return ""


def _check_kernels(layers: Iterable[LayerWeights]) -> None:
    for layer in layers:
        if layer.zeros > layer.size or not layer.channel_unique <= layer.unique <= layer.size:
            raise OptsuiteError(
                f"layer {layer.name}: expected no more zeros and distinct values than weights, got {layer.zeros} zeros "
                f"and {layer.unique} values (a channel {layer.channel_unique}) of {layer.size} weights"
            )


def _check_answers(run: Run) -> None:
    """Check that the answers of a run of one dataset are of one metric, and to the images that have labels."""
    labels = len(run.header.data.labels)
    owners: list[Built | Measured] = [*run.header.built, *(row.measured for row in run.rows)]
    graded = {answers.graded for owner in owners for answers in (owner.test, owner.validation) if answers}
    if len(graded) > 1 or (True in graded and labels):
        raise OptsuiteError(
            "expected answers of one metric, got some that are correct or wrong and some that are graded"
        )
    for row in run.rows:
        _check_mistakes(row.measured, labels)


def _check_mistakes(measured: Measured, labels: int) -> None:
    if measured.test.graded and not labels:
        return
    wrong = int((~measured.test.correct()).sum())
    if (measured.test.count, wrong) != (labels, len(measured.mistakes)):
        raise OptsuiteError(
            f"{measured.experiment} {measured.variant} has {len(measured.mistakes)} mistakes for {wrong} wrong "
            f"answers to {measured.test.count} images, of which {labels} have a label"
        )


def checked_built(built: Built) -> Built:
    """Return a record whose numbers agree with each other; OptsuiteError for any other.

    What was imported may be impossible, and a reader of the JSON would refuse all rows for one.
    """
    for stage in built.info.stages:
        _check_kernels(stage.weights)
    _check_scores(built)
    return built


def checked_measured(measured: Measured, labels: int) -> Measured:
    """As `checked_built`; `labels` is how many test images have one, none for graded answers."""
    _check_kernels(measured.weights)
    _check_scores(measured)
    _check_mistakes(measured, labels)
    return measured


def _check_scores(record: Built | Measured) -> None:
    try:
        agree = all(_agree(answers) for answers in (record.test, record.validation) if answers)
    except ValueError as error:
        raise OptsuiteError(f"expected scores in base64, got others: {error}") from error
    if not agree:
        raise OptsuiteError("an accuracy and its scores disagree")


def check_run(run: Run, path: Path) -> None:
    """Check that rows belong to known experiments, are there once, and have numbers that agree with each other."""
    known = [built.id for built in run.header.built]
    pairs = [(row.measured.experiment, row.measured.variant) for row in run.rows]
    for name, found in (("an experiment", known), ("a row", pairs)):
        if len(set(found)) != len(found):
            raise OptsuiteError(f"{path}: {name} is there twice")
    datasets = [data.name for data in run.header.datasets]
    if len(set(datasets)) != len(datasets):
        raise OptsuiteError(f"{path}: a dataset is there twice")
    if unknown := {built.dataset for built in run.header.built} - set(datasets):
        names = ", ".join(sorted(unknown))
        raise OptsuiteError(f"{path}: expected the datasets of all experiments, got none called {names}")
    plain = [one.id for one in run.header.built if not one.id.startswith(f"{one.dataset}/")]
    if len(datasets) > 1 and plain:
        raise OptsuiteError(f"{path}: expected ids that begin with the dataset, as there are several, got {plain[0]}")
    if unknown := {experiment for experiment, _ in pairs} - (set(known) & set(run.header.experiments)):
        names = ", ".join(sorted(unknown))
        raise OptsuiteError(f"{path}: expected rows of experiments that the run declares, got rows of {names}")
    for one in run.header.trainings:
        counts = {len(values) for values in (one.seeds, one.accuracy, one.gzip_bytes, *one.figures.values())}
        if counts != {len(set(one.seeds))} or not one.seeds:
            raise OptsuiteError(
                f"{path}: trainings of {one.experiment} {one.variant}: expected one value of each figure per seed"
            )
    try:
        for row in run.rows:
            if reason := _impossible(row.timing):
                raise OptsuiteError(f"{row.measured.experiment} {row.measured.variant}: impossible timing: {reason}")
            _check_kernels(row.measured.weights)
            _check_scores(row.measured)
        for built in run.header.built:
            checked_built(built)
        for part in run.by_dataset():
            _check_answers(part)
    except OptsuiteError as error:
        raise OptsuiteError(f"{path}: {error}") from error
