"""Runs over commits: what each model's best was in each, where something got worse, and where a series changed."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from optsuite.ab import Ratio
from optsuite.compare import Judgement, Side, compare, hypervolumes
from optsuite.config import Tolerances
from optsuite.records import Measured
from optsuite.results import Run, read
from optsuite.spec import OptsuiteError

SERIES = ("hypervolume", "accuracy", "bytes", "latency_us")
"""What is followed of each model."""
_SHUFFLES = 10_000
_SIGNIFICANT = 0.05


@dataclass(frozen=True, kw_only=True)
class Point:
    """A model in a run: the hypervolume of its .tflite files, and the best int8 accuracy, size and latency.

    None where the run has no int8 file of the model.
    """

    run: int
    model: str
    hypervolume: float
    accuracy: float | None
    bytes: int | None
    latency_s: float | None


@dataclass(frozen=True, kw_only=True)
class Change:
    """Where a series changed most: the first run after it, the means before and after, and how likely by chance."""

    run: int
    before: float
    after: float
    p: float


def load(folder: Path) -> tuple[list[Run], list[str]]:
    """The runs in a folder of pytest-benchmark's storage, by date, and why others in it are left out.

    Only runs of the newest one's profile are in one history. OptsuiteError where there is none.
    """
    runs, left_out = [], []
    for path in sorted(folder.rglob("*.json")):
        try:
            runs.append(read(path))
        except OptsuiteError as error:
            left_out.append(str(error))
    if not runs:
        reasons = "; ".join(left_out) or "no .json file"
        raise OptsuiteError(f"{folder}: {reasons}; accepted is a folder that --benchmark-storage and -autosave filled")
    runs.sort(key=lambda run: run.date)
    profile = runs[-1].header.profile
    left_out += [f"{run.date}: profile {run.header.profile}" for run in runs if run.header.profile != profile]
    return [run for run in runs if run.header.profile == profile], left_out


def points(runs: Sequence[Run]) -> list[Point]:
    """Each model of each run, by run and then by model."""
    volumes = hypervolumes(runs)
    found = []
    for number, run in enumerate(runs):
        models = {built.id: built.model for built in run.header.built}
        for model in dict.fromkeys(models.values()):
            int8 = [
                row for row in run.rows if row.measured.variant == "int8" and models[row.measured.experiment] == model
            ]
            found.append(
                Point(
                    run=number,
                    model=model,
                    hypervolume=volumes[model][number] if model in volumes else 0.0,
                    accuracy=max((row.measured.test.accuracy for row in int8), default=None),
                    bytes=min((row.measured.bytes for row in int8), default=None),
                    latency_s=min((row.timing.median_s for row in int8), default=None),
                )
            )
    return found


def change_point(values: Sequence[float | None]) -> Change | None:
    """Where a split explains most of the series' variance, if p is 0.05 at most; None where there is no such place.

    p is the share of shuffled series that some split explains as well (a permutation test of the largest CUSUM, as in
    Pettitt 1979 but on the values). Runs without a value are left out.
    """
    places = [place for place, value in enumerate(values) if value is not None]
    series = np.array([value for value in values if value is not None], float)
    if len(series) < 2 or np.ptp(series) == 0:
        return None
    series_mean = series.mean()
    rng = np.random.default_rng(0)
    shuffled = rng.permuted(np.tile(series, (_SHUFFLES, 1)), axis=1)
    lengths = np.arange(1, len(series))
    weights = 1 / np.sqrt(lengths * (len(series) - lengths))

    def explained(rows: np.ndarray) -> np.ndarray:
        sums: np.ndarray = abs(np.cumsum(rows - series_mean, axis=1)[:, :-1]) * weights
        return sums

    found = explained(series[None])[0]
    split = int(found.argmax())
    p = float((1 + (explained(shuffled).max(axis=1) >= found[split] * (1 - 1e-9)).sum()) / (1 + _SHUFFLES))
    if p > _SIGNIFICANT:
        return None
    before, after = series[: split + 1].mean(), series[split + 1 :].mean()
    return Change(run=places[split + 1], before=float(before), after=float(after), p=p)


def regressions(runs: Sequence[Run], tolerances: Tolerances) -> dict[int, list[Judgement]]:
    """Run -> what failed in it against the one before: accuracy, sizes and promises, not times of two days."""
    found = {}
    for number, (before, after) in enumerate(itertools.pairwise(runs), 1):
        judged = compare(Side.of(before), Side.of(after), tolerances, _never)
        if failed := [one for one in judged if one.verdict.fails]:
            found[number] = failed
    return found


def _never(before: Measured, after: Measured) -> Ratio:
    raise OptsuiteError("a history times nothing")
