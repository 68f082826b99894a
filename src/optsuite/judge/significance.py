"""Figures that vary by chance: accuracy, and what depends on weight values where a model was trained anew.

All tests of a comparison are corrected (Holm), so that the chance of any false alarm is `ALPHA`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from statistics import fmean

from optsuite.config import Tolerances
from optsuite.judge.accuracy import change, pooled
from optsuite.judge.pairs import RowPair, has
from optsuite.judge.training_spread import LEAST, Spread
from optsuite.judge.verdict import ALPHA, CRITERIA, Judgement, Verdict
from optsuite.results.figures import GZIP_BYTES, Figure
from optsuite.results.header import Trainings


@dataclass(frozen=True, kw_only=True)
class SignificanceTest:
    """One figure of one row: by how much it is worse, and how likely that is by chance.

    `over` and `under` say whether it is worse, or better, by more than the tolerance. `least` gives the smallest
    `value` that would have had a one-sided p of so much, None for none.
    """

    pair: RowPair
    metric: str
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


def judgements(
    pairs: Sequence[RowPair], tolerances: Tolerances, varying: Sequence[Figure] = (GZIP_BYTES,)
) -> Iterator[Judgement]:
    """Judge the accuracy of every pair, and the figures that vary with the weights where it was trained anew."""
    tests: list[SignificanceTest] = []
    for pair in pairs:
        if pair.answers_the_same:
            yield pair.judge("accuracy", Verdict.SAME, "identical bytes")
        elif not pair.redrawn:
            tests.append(_paired(pair, tolerances))
        elif pair.spread is None or len(pair.spread.seeds) < LEAST:
            seeds = 0 if pair.spread is None else len(pair.spread.seeds)
            detail = (
                f"{pair.redrawn}; the spread between trainings is unknown: expected a run of at least {LEAST} seeds, "
                f"got {seeds}; name such a run with --spread, or compare runs of the same machine"
            )
            yield pair.judge("accuracy", Verdict.NOT_COMPARABLE, detail)
            for figure in varying:
                if has(pair.before, figure):
                    yield pair.judge(figure.name, Verdict.NOT_COMPARABLE, detail)
                elif has(pair.after, figure):
                    yield pair.judge(figure.name, Verdict.NEW, "not found in the reference run")
        else:
            tests.append(_accuracy_against_spread(pair, pair.spread, tolerances))
            found = [_figure_against_spread(pair, figure, pair.spread, tolerances) for figure in varying]
            tests += [one for one in found if isinstance(one, SignificanceTest)]
            yield from (one for one in found if isinstance(one, Judgement))
    yield from _corrected(tests)


def _corrected(tests: Sequence[SignificanceTest]) -> Iterator[Judgement]:
    """Correct the tests together. Those of targets, which are many, have half of `ALPHA`, and the others the rest.

    So a target more hides no accuracy drop that would have been found without it.
    """
    families = [
        family
        for of_targets in (False, True)
        if (family := [test for test in tests if (test.metric not in CRITERIA) == of_targets])
    ]
    for family in families:
        worse, better = (holm([getattr(test, name) for test in family]) for name in ("p_worse", "p_better"))
        for test, p_worse, p_better in zip(family, worse, better, strict=True):
            shares = [min(1.0, len(families) * p) for p in (p_worse, p_better)]
            yield test.judge(shares[0], shares[1], ALPHA / len(families) / len(family))


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


def _accuracy_against_spread(pair: RowPair, trainings: Trainings, tolerances: Tolerances) -> SignificanceTest:
    """Accuracy against the spread of `trainings`: means over the trainings before and after."""
    before, after = fmean(pair.trainings.accuracy), fmean(one.test.accuracy for one in pair.after)
    spread = Spread.of(trainings.accuracy, resolution=1 / pair.before[0].test.count)
    return _spread_test(
        pair,
        "accuracy",
        value=before - after,
        spread=spread,
        tolerance=tolerances.of("accuracy", pair.experiment, pair.variant),
        detail=f"{before:.4f} -> {after:.4f}, {change(before - after)}",
        deviation=f"{spread.sd:.4f}",
    )


def _figure_against_spread(
    pair: RowPair, figure: Figure, trainings: Trainings, tolerances: Tolerances
) -> SignificanceTest | Judgement | None:
    """A figure against the spread of `trainings`; a verdict where there is nothing to test, None for no such figure."""
    known, earlier = trainings.values(figure.name), pair.trainings.values(figure.name)
    later = [value for one in pair.after if (value := one.figure(figure.name)) is not None]
    known_before = bool(earlier) or has(pair.before, figure)
    if not known_before:
        return pair.judge(figure.name, Verdict.NEW, "not found in the reference run") if later else None
    if len(later) < len(pair.after):
        return pair.judge(figure.name, Verdict.MISSING, "not found in this run")
    if len(known) < LEAST or not earlier:
        detail = f"{pair.redrawn}; the spread of this figure between trainings is unknown"
        return pair.judge(figure.name, Verdict.NOT_COMPARABLE, detail)
    before, after = fmean(earlier), fmean(later)
    mean = max(1e-12, abs(fmean(known)))
    # Whole numbers can't differ by less than one.
    resolution = 1 / mean if all(float(value).is_integer() for value in known) else 1e-9
    spread = Spread.of([value / mean for value in known], resolution=resolution)
    growth = (after - before) / max(1e-12, abs(before))
    unit, digits = figure.unit and f" {figure.unit}", ".0f" if figure.unit == "bytes" else ".10g"
    return _spread_test(
        pair,
        figure.name,
        value=growth if figure.better == "lower" else -growth,
        spread=spread,
        tolerance=tolerances.of(figure.tolerance_name, pair.experiment, pair.variant),
        detail=f"{before:{digits}} -> {after:{digits}}{unit}, {100 * growth:+.1f} %",
        deviation=f"{100 * spread.sd:.1f} %",
    )


def _spread_test(
    pair: RowPair,
    metric: str,
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
