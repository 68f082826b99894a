"""Judge how steady the machine was while a run was timed, by its reference model and by the rounds themselves."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from optsuite.results.run import Run

TOLERANCE = 0.1
"""How much slower than typical, a fraction, the reference may be on a steady machine."""
_HALVES = 0.05
"""How much the medians of the two halves of a row's rounds may differ, a fraction."""
_EXCESSIVE = 0.1
"""The reference is short on purpose, and feels a neighbour about twice as much as most models do."""
_DOUBTFUL = 0.25
"""With a larger share of unstable rows, a fraction, the whole run is too unsteady."""
_FEW = 8
"""The least number of rows by which a machine is judged."""


@dataclass(frozen=True, kw_only=True)
class Steadiness:
    """How the time of the reference model varied over a run, as fractions of its median.

    `drift` is the Theil-Sen slope (Sen 1968) times the length of the run, `spread` the distance between the quartiles,
    both of the times before each row. `unstable` are the rows, experiment and variant, whose median is unstable:
    the reference was slower right before or after, or the first half of the rounds has another median than the second.
    """

    rows: int
    drift: float
    spread: float
    unstable: tuple[tuple[str, str], ...]

    @property
    def too_unsteady(self) -> bool | None:
        """Whether the times are too unsteady to be compared with those of other runs; None for too few rows."""
        if self.rows < _FEW:
            return None
        return max(abs(self.drift), self.spread) > _EXCESSIVE or len(self.unstable) > _DOUBTFUL * self.rows


def typical(times: Sequence[float] | np.ndarray) -> float:
    """The first decile: what disturbs a machine makes it slower, and can last for most of a run."""
    return float(np.quantile(times, 0.1))


def steadiness(run: Run) -> Steadiness | None:
    """Judge a run; None without reference times."""
    from scipy.stats import theilslopes  # takes a second to import

    reference_times = run.header.reference_times
    if not reference_times:
        return None
    times, starts = (np.array([getattr(one, name) for one in reference_times]) for name in ("before_row_s", "start_s"))
    low, middle, high = np.quantile(times, (0.25, 0.5, 0.75))
    length = float(np.ptp(starts))
    slow = (1 + TOLERANCE) * typical(times)
    return Steadiness(
        rows=len(reference_times),
        drift=float(theilslopes(times, starts).slope) * length / float(middle) if length else 0.0,
        spread=float((high - low) / middle),
        unstable=tuple(
            (one.experiment, one.variant)
            for one in reference_times
            if max(one.before_timing_s, one.after_timing_s) > slow or _changed(run, one.experiment, one.variant)
        ),
    )


def _changed(run: Run, experiment: str, variant: str) -> bool:
    """Whether the medians of the two halves of a row's rounds differ; no without rounds."""
    row = run.row(experiment, variant)
    if row is None or len(row.timing.rounds_s) < 2:
        return False
    first, second = (float(np.median(half)) for half in np.array_split(row.timing.rounds_s, 2))
    return abs(first / second - 1) > _HALVES
