"""The verdict on one metric of one row, and the figures that it rests on."""

from __future__ import annotations

import enum
from collections.abc import Iterable
from dataclasses import dataclass

ALPHA = 0.01
"""The largest chance of a false alarm: that a comparison reports any row as worse although none is.

It covers the accuracy of all rows and, for models that were trained anew, the figures that vary between trainings. The
accuracy of a model of the same training is tested image by image; a model that was trained anew is tested against the
spread between trainings.
"""

Criterion = str
"""What is judged of a row: "presence", one of `CRITERIA`, or the name of a figure that an examination declares."""
CRITERIA = ("accuracy", "bytes", "gzip_bytes", "invariants", "latency")
"""What is judged of every row."""


class Verdict(enum.StrEnum):
    """The result of comparing one metric of one row."""

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

    Accuracy: the drop with its 95 % interval, Holm's p, and the smallest that could have been found. Sizes: how
    much larger, a fraction; of another training, what varies has an interval and p, too. Latency: the ratio less one.
    `tolerance` is what was allowed of `value`.
    """

    experiment: str
    variant: str
    metric: Criterion
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
        """Whether it was tested, and is over the tolerance but not significant."""
        over = self.value is not None and self.tolerance is not None and self.value > self.tolerance
        return over and self.p is not None and self.verdict is Verdict.SAME

    @property
    def unjudged(self) -> bool:
        """Whether something other than latency could not be judged: a gate does not pass on that in silence."""
        return self.verdict is Verdict.NOT_COMPARABLE and self.metric != "latency"

    @property
    def lost_row(self) -> bool:
        """Whether the whole row is missing, and not just one of its figures."""
        return self.verdict is Verdict.MISSING and self.metric == "presence"

    @property
    def reason(self) -> str:
        """The reason of the verdict, in words."""
        words = [self.detail]
        if self.p is not None:
            words.append(f"95 % interval {self.low:.4f} to {self.high:.4f}, adjusted p {self.p:.2g}")
        if self.may_be_chance:
            words.append("over the tolerance, but may be chance")
        if self.detectable is not None and self.verdict is not Verdict.IMPROVED:
            change = "an accuracy drop" if self.metric == "accuracy" else "a growth"
            words.append(f"{change} of {self.detectable:.4f} would be found")
        if self.tolerance is not None and self.verdict is not Verdict.SAME:
            words.append(f"tolerance {self.tolerance:g}")
        return "; ".join(words)


def passes(judged: Iterable[Judgement], *, allow_not_comparable: bool) -> bool:
    """Whether a gate passes: nothing got worse or went missing, and every accuracy and size has a verdict."""
    return not any(one.verdict.fails or (one.unjudged and not allow_not_comparable) for one in judged)
