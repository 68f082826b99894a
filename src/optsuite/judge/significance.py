"""Figures that vary by chance: accuracy, and what depends on weight values where a model was trained anew.

All tests of a comparison are corrected together (Holm), so that the chance of any false alarm is `ALPHA`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Literal

from optsuite.config import Tolerances
from optsuite.judge.accuracy import pooled
from optsuite.judge.pairs import RowPair
from optsuite.judge.training_spread import LEAST, Spread
from optsuite.judge.verdict import ALPHA, Judgement, Verdict
from optsuite.results.header import Trainings


@dataclass(frozen=True, kw_only=True)
class SignificanceTest:
    """One figure of one row: by how much it is worse, and how likely that is by chance.

    `over` and `under` say whether it is worse, or better, by more than the tolerance. `least` gives the smallest
    `value` that would have had a one-sided p of so much, None for none.
    """

    pair: RowPair
    metric: Literal["accuracy", "gzip_bytes"]
    value: float
    tolerance: float
    over: bool
    under: bool
    p_worse: float
    p_better: float
    low: float
    high: float
    detail: str
    least: Callable[[float], float | None]

    def judge(self, p_worse: float, p_better: float, alpha: float) -> Judgement:
        """The verdict by the corrected p; `alpha` is what an uncorrected p would have to be."""
        verdict = Verdict.SAME
        if self.over and p_worse <= ALPHA:
            verdict = Verdict.REGRESSED
        elif self.under and p_better <= ALPHA:
            verdict = Verdict.IMPROVED
        return self.pair.judge(
            self.metric,
            verdict,
            self.detail,
            value=self.value,
            low=self.low,
            high=self.high,
            p=p_worse if self.value >= 0 else p_better,
            detectable=self.least(alpha),
            tolerance=self.tolerance,
        )


def judgements(pairs: Sequence[RowPair], tolerances: Tolerances) -> Iterator[Judgement]:
    """The accuracy of every pair, and the gzip size of those that were trained anew."""
    tests: list[SignificanceTest] = []
    for pair in pairs:
        if pair.answers_the_same:
            yield pair.judge("accuracy", Verdict.SAME, "identical bytes")
        elif not pair.redrawn:
            tests.append(_paired(pair, tolerances))
        elif pair.spread is None or len(pair.spread.seeds) < LEAST:
            seeds = 0 if pair.spread is None else len(pair.spread.seeds)
            detail = (
                f"{pair.redrawn}, and how much trainings differ is not known: it takes {LEAST} seeds, got {seeds}; "
                "name a run of more seeds with --spread, or compare runs of one machine"
            )
            yield pair.judge("accuracy", Verdict.NOT_COMPARABLE, detail)
            yield pair.judge("gzip_bytes", Verdict.NOT_COMPARABLE, detail)
        else:
            tests += _against_spread(pair, pair.spread, tolerances)
    worse, better = (holm([getattr(test, name) for test in tests]) for name in ("p_worse", "p_better"))
    for test, p_worse, p_better in zip(tests, worse, better, strict=True):
        yield test.judge(p_worse, p_better, ALPHA / len(tests))


def _paired(pair: RowPair, tolerances: Tolerances) -> SignificanceTest:
    """Accuracy by the images whose answers changed: the training is the same, or the code differs."""
    drop = pooled([(old.test, new.test) for old, new in zip(pair.before, pair.after, strict=True)])
    tolerance = tolerances.of("accuracy", pair.experiment, pair.variant)
    low, high = drop.interval()
    return SignificanceTest(
        pair=pair,
        metric="accuracy",
        value=drop.value,
        tolerance=tolerance,
        over=drop.over(tolerance),
        under=-drop.value > tolerance,
        p_worse=drop.p_worse(),
        p_better=drop.p_better(),
        low=low,
        high=high,
        detail=str(drop),
        least=lambda p: drop.detectable(p, tolerance),
    )


def _against_spread(pair: RowPair, trainings: Trainings, tolerances: Tolerances) -> Iterator[SignificanceTest]:
    """Accuracy and gzip size against the spread of `trainings`: means over the trainings before and after."""
    row = pair.experiment, pair.variant
    before, after = fmean(pair.trainings.accuracy), fmean(one.test.accuracy for one in pair.after)
    spread = Spread.of(trainings.accuracy, resolution=1 / pair.before[0].test.count)
    yield _spread_test(
        pair,
        "accuracy",
        value=before - after,
        spread=spread,
        tolerance=tolerances.of("accuracy", *row),
        detail=f"{before:.4f} -> {after:.4f}, accuracy drop {before - after:.4f}",
        deviation=f"{spread.sd:.4f}",
    )
    before, after = fmean(pair.trainings.gzip_bytes), fmean(one.gzip_bytes for one in pair.after)
    mean = max(1.0, fmean(trainings.gzip_bytes))
    spread = Spread.of([size / mean for size in trainings.gzip_bytes], resolution=1 / mean)
    growth = after / max(1.0, before) - 1
    yield _spread_test(
        pair,
        "gzip_bytes",
        value=growth,
        spread=spread,
        tolerance=tolerances.of("size", *row),
        detail=f"{before:.0f} -> {after:.0f} bytes, {100 * growth:+.1f} %",
        deviation=f"{100 * spread.sd:.1f} %",
    )


def _spread_test(
    pair: RowPair,
    metric: Literal["accuracy", "gzip_bytes"],
    *,
    value: float,
    spread: Spread,
    tolerance: float,
    detail: str,
    deviation: str,
) -> SignificanceTest:
    before, after = len(pair.trainings.seeds), len(pair.after)
    margin = spread.least(0.025, before, after)
    against = "one training" if before == 1 else f"the mean of {before} trainings"
    return SignificanceTest(
        pair=pair,
        metric=metric,
        value=value,
        tolerance=tolerance,
        over=value > tolerance + 1e-9,
        under=-value > tolerance + 1e-9,
        p_worse=spread.p_larger(value, before, after),
        p_better=spread.p_larger(-value, before, after),
        low=value - margin,
        high=value + margin,
        detail=f"{detail} against {against}; {pair.redrawn}; {spread.count} trainings have a standard deviation of "
        f"{deviation}",
        least=lambda p: max(tolerance, spread.least(p, before, after)),
    )


def holm(ps: Sequence[float]) -> list[float]:
    """Adjusted so that the chance of any false alarm is what one p would have had (Holm 1979)."""
    adjusted, largest = [0.0] * len(ps), 0.0
    for rank, place in enumerate(sorted(range(len(ps)), key=lambda place: ps[place])):
        largest = max(largest, min(1.0, (len(ps) - rank) * ps[place]))
        adjusted[place] = largest
    return adjusted
