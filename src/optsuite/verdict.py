"""What is said of one metric of one row, and what it rests on."""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import Literal

ALPHA = 0.01
"""The chance that a comparison calls any row's accuracy worse where none is, over all its rows.

Of these trained models, on images like these: how a model trained anew would come out is not in it.
"""

Metric = Literal["presence", "accuracy", "bytes", "gzip_bytes", "invariants", "latency"]


class Verdict(enum.StrEnum):
    """What came of one metric of one row."""

    REGRESSED = "REGRESSED"
    MISSING = "MISSING"
    IMPROVED = "IMPROVED"
    NEW = "NEW"
    NOT_COMPARABLE = "NOT COMPARABLE"
    SAME = "SAME"
    NOT_SELECTED = "NOT SELECTED"

    @property
    def fails(self) -> bool:
        """Whether it fails a gate."""
        return self in (Verdict.REGRESSED, Verdict.MISSING)


@dataclass(frozen=True, kw_only=True)
class Judgement:
    """A verdict on one metric of a variant of an experiment, all its seeds together, and what it rests on.

    Accuracy: the drop with its 95 % interval, Holm's p, and the smallest drop that could have been found. Sizes: how
    much larger, a fraction. Latency: the ratio less one. `tolerance` is what was allowed of `value`.
    """

    experiment: str
    variant: str
    metric: Metric
    verdict: Verdict
    detail: str
    value: float | None = None
    low: float | None = None
    high: float | None = None
    p: float | None = None
    detectable: float | None = None
    tolerance: float | None = None

    @property
    def may_be_chance(self) -> bool:
        """Whether it is a drop over the tolerance that is not significant."""
        over = self.value is not None and self.tolerance is not None and self.value > self.tolerance
        return over and self.metric == "accuracy" and self.verdict is Verdict.SAME

    @property
    def reason(self) -> str:
        """What the verdict rests on, in words."""
        words = [self.detail]
        if self.p is not None:
            words.append(f"95 % interval {self.low:.4f} to {self.high:.4f}, p {self.p:.2g}")
        if self.may_be_chance:
            words.append("over the tolerance, but may be chance")
        if self.detectable is not None and self.verdict is not Verdict.IMPROVED:
            words.append(f"a drop of {self.detectable:.4f} would have been found")
        if self.tolerance is not None and self.verdict is not Verdict.SAME:
            words.append(f"tolerance {self.tolerance:g}")
        return "; ".join(words)
