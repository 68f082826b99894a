"""Runs over commits: what each model's best was in each, where something got worse, and where a series changed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import fmean

import numpy as np

from optsuite.config import Tolerances
from optsuite.errors import OptsuiteError
from optsuite.judge.compare import compare
from optsuite.judge.pairs import ComparedRun
from optsuite.judge.pareto import hypervolume
from optsuite.judge.significance import holm
from optsuite.judge.verdict import Judgement, Verdict
from optsuite.results.measured import Measured
from optsuite.results.reader import read
from optsuite.results.run import Row, Run
from optsuite.results.timing import Ratio

SERIES = {
    "hypervolume": "hypervolume",
    "accuracy": "best int8 accuracy",
    "bytes": "smallest int8, bytes",
    "latency_us": "fastest int8, µs",
}
"""The series of every model, and what they are. Others are what int8 files use on targets, by the figures' names."""
_SHUFFLES = 10_000
_SIGNIFICANT = 0.05


@dataclass(frozen=True, kw_only=True)
class Point:
    """A model in a run.

    Attributes:
        run: The number of the run.
        model: The name of the model, as `Built.model_id` has it.
        values: The name of a series -> its value: the hypervolume of the .tflite files, the best of the int8 files. One
            is left out where the run has no int8 file of the model, the hypervolume where answers are graded; and
            both the hypervolume and the latency where another machine than that of the newest run timed them.

    """

    run: int
    model: str
    values: Mapping[str, float]


@dataclass(frozen=True, kw_only=True)
class Change:
    """The largest change of a series: the first run after it, the means before and after, and its p-value.

    It is a `step` where nothing varies on either side, as the accuracy of models that are the same to the byte.
    """

    run: int
    before: float
    after: float
    step: bool
    p: float


def load(folder: Path) -> tuple[list[Run], list[str]]:
    """The runs in a folder of pytest-benchmark's storage, by date, and why others in it are left out.

    Only runs of the newest one's profile, dataset and metric are in one history. OptsuiteError where there is none.
    """
    runs, left_out = [], []
    for path in sorted(folder.rglob("*.json")):
        try:
            runs.append(read(path))
        except OptsuiteError as error:
            left_out.append(str(error))
    if not runs:
        reasons = "; ".join(left_out) or "no .json file"
        raise OptsuiteError(
            f"{folder}: {reasons}; expected a folder that --benchmark-storage and --benchmark-autosave filled"
        )
    runs.sort(key=lambda run: run.date)
    newest, comparable = _comparability(runs[-1]), []
    for run in runs:
        if _comparability(run) == newest:
            comparable.append(run)
        else:
            left_out.append(f"{run.date}: {', '.join(_comparability(run))}; not {', '.join(newest)}")
    return comparable, left_out


def _comparability(run: Run) -> tuple[str, ...]:
    """The properties that the runs of one history share."""
    named = run.header.comparability
    return named["profile"], named["dataset"], named["metric"]


def points(runs: Sequence[Run]) -> list[Point]:
    """Each model of each run, by run and then by model."""
    models = models_of(runs)
    timed = [run.machine == runs[-1].machine for run in runs]
    found = []
    for number, run in enumerate(runs):
        volumes = hypervolumes(run, run.rows) if timed[number] else {}
        used = [name for name in labels([run]) if name not in SERIES]
        for model in dict.fromkeys(built.model_id for built in run.header.built):
            int8 = [
                row for row in run.rows if row.measured.variant == "int8" and models[row.measured.experiment] == model
            ]
            values = {
                "hypervolume": volumes.get(model),
                "accuracy": max((row.measured.test.accuracy for row in int8), default=None),
                "bytes": min((row.measured.bytes for row in int8), default=None),
                "latency_us": min((1e6 * row.timing.median_s for row in int8 if timed[number]), default=None),
            }
            for name in used:
                found_in_files = [row.measured.figures[name] for row in int8 if name in row.measured.figures]
                values[name] = min(found_in_files, default=None)
            known = {name: value for name, value in values.items() if value is not None}
            found.append(Point(run=number, model=model, values=known))
    return found


def labels(runs: Iterable[Run]) -> dict[str, str]:
    """Return the names of all series, and what they are; a time on a target, which its cycles tell, is none."""
    resources = [one for run in runs for found in run.resources().values() for one in found]
    return SERIES | {one.name: f"least {one.label}" for one in resources if one.resource != "latency"}


def hypervolumes(run: Run, rows: Iterable[Row]) -> dict[str, float]:
    """Return the hypervolume of the latency, size and accuracy of each model's .tflite files, by the run's own times.

    Costs are scaled by those of the baseline's fp32 file in the same run, and larger costs do not count, so that the
    value does not depend on another run. A model without that file has none, nor one whose answers are graded, because
    these are not from 0 to 1.

    Args:
        run: The run.
        rows: Those of its rows that count.

    """
    built = {one.id: one for one in run.header.built}
    clouds: dict[str, list[tuple[float, float, float]]] = {}
    references: dict[str, list[tuple[float, float]]] = {}
    for row in rows:
        measured, of = row.measured, built[row.measured.experiment]
        if measured.execution is not None and not measured.test.graded:
            clouds.setdefault(of.model_id, []).append((row.timing.median_s, measured.bytes, measured.test.accuracy))
            if of.recipe == "baseline" and measured.variant == "fp32":
                references.setdefault(of.model_id, []).append((row.timing.median_s, measured.bytes))
    return {
        model: hypervolume(clouds[model], (fmean(latency for latency, _ in costs), fmean(size for _, size in costs)))
        for model, costs in references.items()
    }


def before_and_after(reference: Run, new: Run, judged: Sequence[Judgement]) -> dict[str, list[float | None]]:
    """The hypervolumes of two runs, without the rows that the new one was not requested to measure."""
    left_out = {(one.experiment, one.variant) for one in judged if one.verdict is Verdict.NOT_SELECTED}
    kept = [row for row in reference.rows if (row.measured.experiment, row.measured.variant) not in left_out]
    before, after = hypervolumes(reference, kept), hypervolumes(new, new.rows)
    return {model: [before.get(model), after.get(model)] for model in {**before, **after}}


def models_of(runs: Sequence[Run]) -> dict[str, str]:
    """Experiment, by its id and without its seed -> model, as `Built.model_id` has it."""
    return {
        name: built.model_id for run in runs for built in run.header.built for name in (built.id, built.model_recipe)
    }


def changes(found: Sequence[Point]) -> dict[tuple[str, str], Change]:
    """Model and series -> where it changed most, for those whose p is 0.05 at most.

    Series that vary anyway, as times do, are corrected for their number (Holm).
    """
    candidates: dict[tuple[str, str], Change] = {}
    for model in dict.fromkeys(point.model for point in found):
        points_of_model = [point for point in found if point.model == model]
        for name in dict.fromkeys(name for point in points_of_model for name in point.values):
            if change := change_point({one.run: one.values[name] for one in points_of_model if name in one.values}):
                candidates[model, name] = change
    varying = [place for place, change in candidates.items() if not change.step]
    for place, p in zip(varying, holm([candidates[place].p for place in varying]), strict=True):
        candidates[place] = replace(candidates[place], p=p)
    return {place: change for place, change in candidates.items() if change.p <= _SIGNIFICANT}


def change_point(series: Mapping[int, float]) -> Change | None:
    """Find the split that explains most of the variance of run -> value; None if all are equal.

    p is the share of shuffled series that some split explains as well (a permutation test of the largest CUSUM, as in
    Pettitt 1979 but on the values).
    """
    values = np.array(list(series.values()), float)
    if len(values) < 2 or np.ptp(values) == 0:
        return None
    rng = np.random.default_rng(0)
    shuffled = rng.permuted(np.tile(values, (_SHUFFLES, 1)), axis=1)
    lengths = np.arange(1, len(values))
    weights = 1 / np.sqrt(lengths * (len(values) - lengths))

    def explained(rows: np.ndarray) -> np.ndarray:
        sums: np.ndarray = abs(np.cumsum(rows - values.mean(), axis=1)[:, :-1]) * weights
        return sums

    found = explained(values[None])[0]
    split = int(found.argmax())
    p = float((1 + (explained(shuffled).max(axis=1) >= found[split] * (1 - 1e-9)).sum()) / (1 + _SHUFFLES))
    before, after = values[: split + 1], values[split + 1 :]
    return Change(
        run=list(series)[split + 1],
        before=float(before.mean()),
        after=float(after.mean()),
        step=bool(np.ptp(before) == np.ptp(after) == 0),
        p=p,
    )


def regressions(runs: Sequence[Run], tolerances: Tolerances) -> dict[int, list[Judgement]]:
    """Run -> what failed in it: accuracy, sizes and invariants, each row against the last run that measured it.

    A row is missing once, and a row that was not requested waits for a run that measures it. Figures of targets are
    compared with those of the run before alone.
    """
    found = {}
    last = ComparedRun.of(runs[0])
    for number, run in enumerate(runs[1:], 1):
        new = ComparedRun.of(run)
        try:
            judged = compare(last, new, tolerances, _never)
        except OptsuiteError:  # no row in common
            judged = []
        if failed := [one for one in judged if one.verdict.fails]:
            found[number] = failed
        settled = {(one.experiment, one.variant) for one in judged if one.lost_row}
        rows = {row: one for row, one in last.rows.items() if row not in settled} | dict(new.rows)
        last = replace(new, rows=rows, built={**last.built, **new.built})
    return found


def _never(before: Measured, after: Measured) -> Ratio:
    raise OptsuiteError("a history times nothing")
