"""Recommend a variant: the best within limits, chosen on the validation set, and how certain that choice is."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from optsuite.errors import OptsuiteError
from optsuite.judge.limits import Limit, Limits, Place, excess
from optsuite.results.run import Row, Run

Preference = Literal["quality", "balanced", "compact"]

MARGINS: dict[Preference, float] = {"quality": 0.0, "balanced": 0.005, "compact": 0.02}
"""How much less accurate than the best within the limits a choice may be, on the validation set, a fraction."""
RESAMPLES = 1_000
_SEED = 0


@dataclass(frozen=True, kw_only=True)
class RankedRow:
    """A row, the limits that it does not meet, and the share of the resamples in which it was the best."""

    row: Row
    misses: tuple[Limit, ...]
    certainty: float


@dataclass(frozen=True, kw_only=True)
class Near:
    """The row that is nearest to `limit`; `excess` is a share of the limit, or of the error that it allows."""

    limit: Limit
    row: Row
    excess: float


@dataclass(frozen=True, kw_only=True)
class Choice:
    """The rows within the limits, best first (`ranked`), and the others (`fallen`).

    If no row is within the limits, `near` has, for each limit, the nearest of the rows that miss this limit alone. If
    there is none, it has the row that exceeds its limits least, once for each of them. The nearest come first. `timed`
    is whether rounds were resampled: the JSON must have those of all rows. `place` is the target on which files are to
    run, and `misplaced` are the rows that do not run there.
    """

    preference: Preference
    limits: Limits
    ranked: tuple[RankedRow, ...]
    fallen: tuple[RankedRow, ...]
    near: tuple[Near, ...]
    timed: bool
    place: Place | None = None
    misplaced: tuple[Row, ...] = ()


@dataclass(frozen=True, kw_only=True)
class _Figures:
    """The figures of all candidates, one number per candidate.

    Attributes:
        accuracy: Accuracy on the validation set, float64 (n,).
        latency_s: Median of one call in seconds, float64 (n,).
        size: Size of the file in bytes, float64 (n,).
        one_image: One over the number of validation images.
        others: Name of another figure that is limited -> by how much each candidate exceeds its limit, float64 (n,).
        costs: What counts as size and beside it on a target, float64 (2, n); None where files run here.

    """

    accuracy: np.ndarray
    latency_s: np.ndarray
    size: np.ndarray
    one_image: float
    others: Mapping[str, np.ndarray]
    costs: np.ndarray | None = None

    def excesses(self, limits: Limits) -> dict[Limit, np.ndarray]:
        """Return by how much each limit is exceeded, as in `Near`; 0 where it is met."""
        allowed_error = None if limits.min_accuracy is None else 1 - limits.min_accuracy
        return {
            "size": excess(self.size, limits.max_bytes),
            "latency": excess(self.latency_s, limits.max_latency_s),
            "accuracy": excess(1 - self.accuracy, allowed_error, least=self.one_image),
            **self.others,
        }

    def ranked(self, limits: Limits, preference: Preference) -> np.ndarray:
        """The indices of what is within the limits, best first."""
        within = np.flatnonzero(sum(self.excesses(limits).values()) == 0)
        size, second = (self.size, self.latency_s) if self.costs is None else self.costs
        accuracy, size, second = self.accuracy[within], size[within], second[within]
        too_inaccurate = accuracy < accuracy.max(initial=-np.inf) - MARGINS[preference] - 1e-9
        cost = {"quality": -accuracy, "balanced": size * second, "compact": size}[preference]
        keys_by_importance = [
            too_inaccurate,
            np.where(too_inaccurate, -accuracy, cost),
            -accuracy,
            size,
            second,
        ]
        # numpy sorts by the last key first.
        return within[np.lexsort(keys_by_importance[::-1])]


def candidates(run: Run, variants: Collection[str] | None = None, models: Collection[str] | None = None) -> list[Row]:
    """The rows of these variants, by default of all .tflite files, and of these models, by default of all.

    Raises:
        OptsuiteError: The run has no such variant, or no such model.

    """
    model_of = {built.id: built.model for built in run.header.built}
    _check_known("variants", variants, [row.measured.variant for row in run.rows])
    _check_known("models", models, list(model_of.values()))
    return [
        row
        for row in run.rows
        if (row.measured.execution is not None if variants is None else row.measured.variant in variants)
        and (models is None or model_of[row.measured.experiment] in models)
    ]


def _check_known(what: str, names: Collection[str] | None, known: Sequence[str]) -> None:
    if unknown := set(names or ()) - set(known):
        raise OptsuiteError(
            f"unknown {what} {', '.join(sorted(unknown))}; expected some of {', '.join(dict.fromkeys(known)) or 'none'}"
        )


def choose(
    rows: Sequence[Row], limits: Limits, preference: Preference = "quality", place: Place | None = None
) -> Choice:
    """Choose the best of the rows within the limits; OptsuiteError where the rows can't be compared.

    Rows that exceed a limit are left out. Rows that are more than `MARGINS` less accurate than the best of the rest are
    ranked last. Of the others, "quality" takes the most accurate, "balanced" the one with the least bytes x median, and
    "compact" the smallest; ties go to the more accurate, then to the smaller, then to the faster. On a target, its own
    figures replace bytes and median (`Place`). The certainty is by the bootstrap (Efron 1979): the images are drawn
    anew, the same for all rows, and the rounds of each row, and the choice is made again.
    """
    if not rows:
        raise OptsuiteError("expected a run with .tflite files to choose from, or --variants, got none")
    misplaced = tuple(row for row in rows if place and not place.runs(row))
    rows = [row for row in rows if not place or place.runs(row)]
    if place and not rows:
        raise OptsuiteError(f"none of the {len(misplaced)} variants runs on {place.name}; report.md says why")
    counts = {row.measured.validation.count for row in rows}
    if limits.min_accuracy is not None and any(row.measured.validation.graded for row in rows):
        raise OptsuiteError(
            "expected a run whose metric is an accuracy for --min-accuracy, got another metric; use other limits"
        )
    if len(counts) > 1:
        raise OptsuiteError(f"rows of {' and '.join(map(str, sorted(counts)))} validation images can't be compared")
    right = np.array([row.measured.validation.scores() for row in rows])
    figures = _Figures(
        accuracy=right.mean(axis=1),
        latency_s=np.array([row.timing.median_s for row in rows]),
        size=np.array([row.measured.bytes for row in rows], float),
        one_image=1 / right.shape[1],
        others={name: one.excess(rows) for name, one in limits.others.items()},
        costs=np.stack([place.size.array(rows), place.second.array(rows)]) if place else None,
    )
    excesses = figures.excesses(limits)
    ranked = figures.ranked(limits, preference)
    timed = all(row.timing.single_rounds for row in rows)
    wins = _wins(rows, right, figures, limits, preference, timed=timed) if len(ranked) else np.zeros(len(rows))
    candidates = [
        RankedRow(
            row=row, misses=tuple(limit for limit in excesses if excesses[limit][i] > 0), certainty=float(wins[i])
        )
        for i, row in enumerate(rows)
    ]
    return Choice(
        preference=preference,
        limits=limits,
        ranked=tuple(candidates[i] for i in ranked),
        fallen=tuple(candidate for candidate in candidates if candidate.misses),
        near=() if len(ranked) else _nearest(rows, excesses),
        timed=timed,
        place=place,
        misplaced=misplaced,
    )


def _wins(
    rows: Sequence[Row],
    right: np.ndarray,
    figures: _Figures,
    limits: Limits,
    preference: Preference,
    *,
    timed: bool,
) -> np.ndarray:
    """The share of the resamples in which each row is the best, (n,)."""
    rng = np.random.default_rng(_SEED)
    images = right.shape[1]
    drawn = rng.multinomial(images, np.full(images, 1 / images), RESAMPLES)
    accuracies = (drawn @ right.T.astype(float)) / images
    medians = np.array(
        [_medians(row.timing.rounds_s, rng) if timed else [row.timing.median_s] * RESAMPLES for row in rows]
    )
    wins = np.zeros(len(rows))
    for accuracy, latency_s in zip(accuracies, medians.T, strict=True):
        best = replace(figures, accuracy=accuracy, latency_s=latency_s).ranked(limits, preference)[:1]
        wins[best] += 1
    return wins / RESAMPLES


def _medians(rounds_s: Sequence[float], rng: np.random.Generator) -> np.ndarray:
    """The medians of so many resamples of the rounds.

    The k-th smallest of n draws with replacement is the one at floor(n x U), where U, the k-th smallest of n uniform
    draws, is Beta(k, n + 1 - k) (David and Nagaraja 2003, ch. 2); the next of the n - k above it is found the same way.
    """
    ordered = np.sort(rounds_s)
    n = len(ordered)
    low = rng.beta((n + 1) // 2, n // 2 + 1, RESAMPLES)
    high = low + (1 - low) * rng.beta(1, n // 2, RESAMPLES) if n % 2 == 0 else low
    medians: np.ndarray = (ordered[(n * low).astype(int)] + ordered[(n * high).astype(int)]) / 2
    return medians


def _nearest(rows: Sequence[Row], excesses: dict[Limit, np.ndarray]) -> tuple[Near, ...]:
    """For each limit, the nearest of what meets all others; where nothing does, what exceeds them least."""
    misses = sum((beyond > 0).astype(int) for beyond in excesses.values())
    found = []
    for limit, beyond in excesses.items():
        only = np.flatnonzero((misses == 1) & (beyond > 0))
        if len(only):
            best = only[beyond[only].argmin()]
            found.append(Near(limit=limit, row=rows[best], excess=float(beyond[best])))
    if not found:
        best = np.max(list(excesses.values()), axis=0).argmin()
        found = [
            Near(limit=limit, row=rows[best], excess=float(beyond[best]))
            for limit, beyond in excesses.items()
            if beyond[best] > 0
        ]
    return tuple(sorted(found, key=lambda near: near.excess))
