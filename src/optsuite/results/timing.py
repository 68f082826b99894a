"""Durations of a model, and ratios of them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from optsuite.units import Duration, Positive, Seconds


@dataclass(frozen=True, kw_only=True)
class Timing:
    """The timed rounds of `invoke()`, in seconds; `rounds_s` is empty where the file kept none.

    `iterations` over 1 means that the user had calls grouped, and each round is a mean of so many.
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
        """Whether the file kept the rounds, and each is one call."""
        return bool(self.rounds_s) and self.iterations == 1

    def percentile_s(self, percent: float) -> float | None:
        """By linear interpolation between the recorded rounds, as numpy does; None where they don't tell."""
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
