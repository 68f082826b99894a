"""The accuracy drop of a candidate against a reference, paired image by image."""

from __future__ import annotations

import bisect
import math
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal

import numpy as np

from optsuite.errors import OptsuiteError
from optsuite.judge.paired_exact import certain_p, p_worse_than, swapped
from optsuite.judge.paired_exact import p_worse as exact_p_worse
from optsuite.results.answers import Answers
from optsuite.spec.metric import WORST


def change(drop: float) -> str:
    """Return an accuracy drop in words: one below zero is a gain."""
    return f"accuracy {'gain' if drop < 0 else 'drop'} {abs(drop):.4f}"


@dataclass(frozen=True, kw_only=True)
class AccuracyDrop(ABC):
    """The accuracy drop of a candidate against a reference on the same images, over one seed or several.

    `count` is the number of answers compared, images x seeds; accuracies, or what the metric is, are means over them.
    """

    reference: float
    candidate: float
    count: int
    images: int
    lost: int
    """Answers that the reference gets right and the candidate wrong; or, where they are graded, that score less."""
    gained: int
    """Answers that the reference gets wrong and the candidate right, or that score more."""

    @property
    @abstractmethod
    def value(self) -> float:
        """Accuracy of the reference minus the candidate's; negative where the candidate is better."""

    @abstractmethod
    def over(self, budget: float) -> bool:
        """Whether the accuracy drop is more than `budget`; rounding errors do not decide."""

    @abstractmethod
    def p_value(self) -> float:
        """Two-sided p of no difference."""

    @abstractmethod
    def p_worse(self, than: float = 0.0) -> float:
        """One-sided p: how likely it would be that as much is lost, or more, were the true drop no more than `than`."""

    @abstractmethod
    def p_better(self) -> float:
        """One-sided p: how likely it would be that as much is gained, or more."""

    @abstractmethod
    def interval(self) -> tuple[float, float]:
        """95 % interval of the accuracy drop."""

    @abstractmethod
    def detectable(self, alpha: float, tolerance: float) -> float | None:
        """Return the smallest drop over `tolerance` with a one-sided p of at most `alpha`; None for none."""

    def __str__(self) -> str:
        return (
            f"{self.reference:.4f} -> {self.candidate:.4f}, {change(self.value)} "
            f"({self.lost} of {self.count} answers {self._lost}, {self.gained} {self._gained})"
        )

    _lost: ClassVar[str]
    _gained: ClassVar[str]
    """How answers changed that were lost and gained, in words."""


@dataclass(frozen=True, kw_only=True)
class BinaryDrop(AccuracyDrop):
    """The accuracy drop of answers that are correct or wrong: those that changed count."""

    nets: Mapping[int, int] = field(repr=False)
    """Seeds that lost an image minus seeds that gained it -> how many images, 0 left out."""
    _lost, _gained = "correct before and wrong after", "wrong before and correct after"

    @property
    def value(self) -> float:
        """Accuracy of the reference minus the candidate's, a fraction; negative where the candidate is better."""
        return (self.lost - self.gained) / self.count

    def over(self, budget: float) -> bool:
        """Whether the accuracy drop is more than `budget`, a fraction; counted in images, without rounding errors."""
        return self.lost - self.gained > budget * self.count + 1e-6

    def p_value(self) -> float:
        """Two-sided exact p of no difference: of all ways to swap the two on each image, how many differ as much.

        An image is swapped for all seeds at once, as seeds share their images and so their hard ones. With one seed
        this is McNemar's exact test (McNemar 1947); with more, Fisher's randomisation test (Fisher 1935, ch. 3).
        """
        chances, sums = swapped(self.nets)
        return float(min(1.0, chances[abs(sums) >= abs(self.lost - self.gained)].sum()))

    def p_worse(self, than: float = 0.0) -> float:
        """One-sided exact p: by the same test, how many ways lose as much as was lost, or more.

        For a true drop over 0 see `paired_exact.p_worse_than`, which is for one seed.
        """
        if than == 0:
            return exact_p_worse(self.nets)
        if self.count != self.images:
            raise OptsuiteError(f"expected answers of one seed, got those of {self.count // self.images}")
        return p_worse_than(self.lost, self.gained, self.images, than)

    def p_better(self) -> float:
        """One-sided exact p: how many ways gain as much as was gained, or more."""
        return exact_p_worse({-net: images for net, images in self.nets.items()})

    def interval(self) -> tuple[float, float]:
        """Return the 95 % interval by the images' nets; half an image is added each way (Agresti and Min 2005).

        That keeps it from being nothing where no answer changed.
        """
        images = self.images + 2
        seeds = self.count / self.images
        squares = sum(net**2 * count for net, count in self.nets.items()) / seeds**2 + 1
        mean = (self.lost - self.gained) / seeds / images
        margin = 1.96 * math.sqrt(squares / images - mean**2) / math.sqrt(images)
        return mean - margin, mean + margin

    def detectable(self, alpha: float, tolerance: float) -> float | None:
        """Return the smallest drop over `tolerance` with a one-sided p of at most `alpha`; None for none.

        It is computed for the number of gained images that was observed, as if each lost image were lost by one seed.
        """
        gains = {net: images for net, images in self.nets.items() if net < 0}
        gained = -sum(net * images for net, images in gains.items())

        def found(losses: int) -> bool:
            return exact_p_worse(gains | {1: losses}) <= alpha

        least = gained + math.floor(tolerance * self.count + 1e-6) + 1
        enough = least
        while not found(enough):
            enough += 1 + enough - gained
            if enough > self.images:
                return None
        least = bisect.bisect_left(range(enough), True, lo=least, key=found)
        return (least - gained) / self.count


@dataclass(frozen=True, kw_only=True)
class GradedDrop(AccuracyDrop):
    """The accuracy drop of graded answers: the mean difference of the images, tested by Student's t."""

    lost_by: np.ndarray = field(repr=False)
    """The score of the reference minus that of the candidate, mean over the seeds, float64 (images,)."""
    not_finite: int
    """How many more answers than before are not finite; they have no difference that could be averaged."""
    _lost, _gained = "worse", "better"

    @property
    def value(self) -> float:
        return float(self.lost_by.mean())

    def over(self, budget: float) -> bool:
        return self.not_finite > 0 or self.value > budget + 1e-9

    def p_value(self) -> float:
        return self._p("two-sided")

    def p_worse(self, than: float = 0.0) -> float:
        return self._p("greater", than)

    def p_better(self) -> float:
        return self._p("less")

    def _p(self, alternative: Literal["two-sided", "greater", "less"], drop: float = 0.0) -> float:
        from scipy.stats import ttest_1samp

        if self.not_finite:  # more answers that are no number are certainly worse, fewer are certainly better
            return certain_p(self.not_finite, alternative)
        if not self._error:  # all images differ by the same: by nothing, or by what chance does not do
            return certain_p(self.value - drop, alternative)
        return float(ttest_1samp(self.lost_by, drop, alternative=alternative).pvalue)

    @property
    def _error(self) -> float:
        """The standard error of the mean."""
        return float(self.lost_by.std(ddof=1) / math.sqrt(self.images)) if self.images > 1 else 0.0

    def interval(self) -> tuple[float, float]:
        from scipy.stats import t

        margin = float(t.ppf(0.975, self.images - 1)) * self._error if self.images > 1 else 0.0
        return self.value - margin, self.value + margin

    def detectable(self, alpha: float, tolerance: float) -> float | None:
        from scipy.stats import t

        if self.images < 2:
            return None
        return max(tolerance, float(t.ppf(1 - alpha, self.images - 1)) * self._error)


def paired(reference: Answers, candidate: Answers) -> AccuracyDrop:
    """Return the accuracy drop, image by image; OptsuiteError where the two did not see the same number of images."""
    return pooled([(reference, candidate)])


def pooled(seeds: Sequence[tuple[Answers, Answers]]) -> AccuracyDrop:
    """Return the accuracy drop over one pair per seed; OptsuiteError if not all saw the same number of images."""
    if len(counts := {answers.count for pair in seeds for answers in pair}) != 1:
        raise OptsuiteError(f"{' and '.join(map(str, sorted(counts, reverse=True)))} images can't be paired")
    before, after = (np.array([answers.scores() for answers in side]) for side in zip(*seeds, strict=True))
    common: dict[str, Any] = {
        "reference": float(before.mean(dtype=float)),
        "candidate": float(after.mean(dtype=float)),
        "count": before.size,
        "images": before.shape[1],
        "lost": int((after < before).sum()),
        "gained": int((after > before).sum()),
    }
    if before.dtype != bool or after.dtype != bool:
        not_finite = [(side <= -WORST) for side in (before, after)]
        more = int(not_finite[1].sum() - not_finite[0].sum())
        known = ~(not_finite[0] | not_finite[1]).any(axis=0)
        lost_by = (before.astype(float) - after.astype(float)).mean(axis=0)[known] if known.any() else np.zeros(1)
        return GradedDrop(
            **common | {"images": len(lost_by)},
            lost_by=lost_by,
            not_finite=more,
        )
    nets = Counter((before.sum(axis=0) - after.sum(axis=0)).tolist())
    return BinaryDrop(**common, nets={net: images for net, images in sorted(nets.items()) if net})
