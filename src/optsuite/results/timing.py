"""The times of a model, and ratios of times."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from optsuite.units import Duration, Positive, Seconds


@dataclass(frozen=True, kw_only=True)
class Timing:
    """The timed rounds of `invoke()`.

    Attributes:
        median_s: The median, in seconds; so are the mean, the least and the largest.
        rounds: The number of rounds.
        iterations: Calls per round; if there are more than one, each round is a mean over them.
        rounds_s: The seconds of each round; empty if the file has none.

    """

    median_s: Duration
    mean_s: Seconds
    min_s: Seconds
    max_s: Seconds
    rounds: Positive
    iterations: Positive
    rounds_s: tuple[Seconds, ...]

    @property
    def single_rounds(self) -> bool:
        """Whether the file has the rounds, and each is one call."""
        return bool(self.rounds_s) and self.iterations == 1

    def percentile_s(self, percent: float) -> float | None:
        """Return a percentile by linear interpolation between the rounds, as numpy does; None without single rounds."""
        if not self.single_rounds:
            return None
        return float(np.percentile(self.rounds_s, percent))


@dataclass(frozen=True, kw_only=True)
class Ratio:
    """The median time of a model over that of its reference, and its 95 % interval."""

    value: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.value:.3f} [{self.low:.3f}, {self.high:.3f}]"
