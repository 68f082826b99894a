"""Checks of a run that types can't make: numbers have to agree with each other."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np

from optsuite.errors import OptsuiteError
from optsuite.results.answers import Answers
from optsuite.results.built import Built
from optsuite.results.header import Header
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
"""How far what is computed of numbers may be from what was, as a share."""


def _same(some: Sequence[float], others: Sequence[float]) -> bool:
    return np.allclose(some, others, rtol=_ROUNDING, atol=0)


def _impossible(timing: Timing) -> str:
    """Why no call can have taken these times, or an empty string."""
    low, high = timing.min_s * (1 - _ROUNDING), timing.max_s * (1 + _ROUNDING)
    if not (low <= timing.median_s <= high and low <= timing.mean_s <= high):
        return f"median {timing.median_s:g} s and mean {timing.mean_s:g} s of {timing.min_s:g} to {timing.max_s:g} s"
    if not timing.rounds_s:
        return ""
    if len(timing.rounds_s) != timing.rounds:
        return f"{len(timing.rounds_s)} rounds recorded of {timing.rounds}"
    rounds_s = np.array(timing.rounds_s)
    found = [np.median(rounds_s), rounds_s.mean(), rounds_s.min(), rounds_s.max()]
    if not _same(found, [timing.median_s, timing.mean_s, timing.min_s, timing.max_s]):
        return f"median {timing.median_s:g} s of rounds with the median {found[0]:g} s, or other figures of others"
    return ""


def _check_kernels(layers: Iterable[LayerWeights]) -> None:
    for layer in layers:
        if layer.zeros > layer.size or not layer.channel_unique <= layer.unique <= layer.size:
            raise OptsuiteError(
                f"layer {layer.name}: expected no more zeros and distinct values than weights, got {layer.zeros} zeros "
                f"and {layer.unique} values (a channel {layer.channel_unique}) of {layer.size} weights"
            )
        if layer.entropy_bits > layer.size * math.log2(layer.unique) * (1 + _ROUNDING):
            raise OptsuiteError(
                f"layer {layer.name}: expected an entropy of {layer.unique} values at most, got "
                f"{layer.entropy_bits:g} bits for {layer.size} weights"
            )
        if layer.low > layer.high or sum(layer.histogram) > layer.size:
            raise OptsuiteError(f"layer {layer.name}: expected a histogram of its {layer.size} weights, got another")


def _check_stages(built: Built) -> None:
    for stage in built.info.stages:
        _check_kernels(stage.weights)
        curves = {"loss": stage.loss, "accuracy": stage.accuracy, "val_accuracy": stage.val_accuracy}
        for name, values in curves.items():
            if values and len(values) != stage.epochs:
                raise OptsuiteError(
                    f"{built.id}, {stage.stage}: expected {name} of {stage.epochs} epochs, got {len(values)}"
                )


def _check_execution(measured: Measured) -> None:
    execution = measured.execution
    if execution and len(execution.undelegated) > execution.operators:
        raise OptsuiteError(
            f"{measured.experiment} {measured.variant}: expected at most {execution.operators} operators that XNNPACK "
            f"does not run, got {len(execution.undelegated)}"
        )


def _check_once(header: Header, rows: Sequence[tuple[str, str]]) -> None:
    """Check that nothing that has a name is there twice."""
    named: dict[str, Sequence[object]] = {
        "an experiment": [built.id for built in header.built],
        "a training": [(one.dataset, one.model, one.recipe, one.seed) for one in header.built],
        "a row": rows,
        "a dataset": [data.name for data in header.datasets],
        "a selected experiment": header.experiments,
        "a selected variant": header.variants,
        "a figure": [figure.name for figure in header.figures],
        "an examination": [one.name for one in header.examinations],
        "a row's reason of absence": [(one.experiment, one.variant) for one in header.absences],
        "a row of trainings": [(one.experiment, one.variant) for one in header.trainings],
    }
    for name, found in named.items():
        if len(set(found)) != len(found):
            raise OptsuiteError(f"{name} is there twice")
    if both := set(rows) & {(one.experiment, one.variant) for one in header.absences}:
        raise OptsuiteError(f"{' '.join(min(both))} is measured and absent")


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
        checked_measured(row.measured, labels)


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
    _check_stages(built)
    _check_scores(built)
    return built


def checked_measured(measured: Measured, labels: int) -> Measured:
    """As `checked_built`; `labels` is how many test images have one, none for graded answers."""
    _check_kernels(measured.weights)
    _check_execution(measured)
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


def _check_names(run: Run) -> None:
    """Check that rows are of experiments and variants that the run declares, and these of its datasets."""
    header, rows = run.header, [(row.measured.experiment, row.measured.variant) for row in run.rows]
    _check_once(header, rows)
    datasets = [data.name for data in header.datasets]
    if unknown := {built.dataset for built in header.built} - set(datasets):
        names = ", ".join(sorted(unknown))
        raise OptsuiteError(f"expected the datasets of all experiments, got none called {names}")
    plain = [one.id for one in header.built if not one.id.startswith(f"{one.dataset}/")]
    if len(datasets) > 1 and plain:
        raise OptsuiteError(f"expected ids that begin with the dataset, as there are several, got {plain[0]}")
    known = {built.id for built in header.built} & set(header.experiments)
    for noun, unknown in (
        ("experiments", {experiment for experiment, _ in rows} - known),
        ("variants", {variant for _, variant in rows} - set(header.variants)),
    ):
        if unknown:
            names = ", ".join(sorted(unknown))
            raise OptsuiteError(f"expected rows of {noun} that the run declares, got rows of {names}")


def _check_trainings(run: Run) -> None:
    for one in run.header.trainings:
        counts = {len(values) for values in (one.seeds, one.accuracy, one.gzip_bytes, *one.figures.values())}
        if counts != {len(set(one.seeds))} or not one.seeds:
            raise OptsuiteError(
                f"trainings of {one.experiment} {one.variant}: expected one value of each figure per seed"
            )


def _check_numbers(run: Run) -> None:
    for row in run.rows:
        if reason := _impossible(row.timing):
            raise OptsuiteError(f"{row.measured.experiment} {row.measured.variant}: impossible timing: {reason}")
        if negative := [one.name for one in run.header.figures if one.is_negative(row.measured.figures)]:
            raise OptsuiteError(
                f"{row.measured.experiment} {row.measured.variant}: expected figures from 0, got less for "
                f"{', '.join(negative)}"
            )
    for built in run.header.built:
        checked_built(built)
    for part in run.by_dataset():
        _check_answers(part)


def check_run(run: Run, path: Path) -> None:
    """Check that rows belong to known experiments, are there once, and have numbers that agree with each other."""
    try:
        _check_names(run)
        _check_trainings(run)
        _check_numbers(run)
    except OptsuiteError as error:
        raise OptsuiteError(f"{path}: {error}") from error
