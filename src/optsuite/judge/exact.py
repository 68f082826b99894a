"""Figures of a file that do not vary by chance: sizes, and what examinations find."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from statistics import fmean

from optsuite.config import Tolerances
from optsuite.judge.pairs import RowPair, has
from optsuite.judge.verdict import Judgement, Verdict
from optsuite.results import figures
from optsuite.results.figures import Figure
from optsuite.results.header import Header
from optsuite.results.measured import Measured


def varying(reference: Header, new: Header) -> list[Figure]:
    """Return the figures of examinations that vary with the weights, and that the two runs can be compared by."""
    return [
        figure
        for figure in _judged(new)
        if figure.varies and _declared(reference, figure) and not _other_tools(reference, new, figure)
    ]


def examined(pair: RowPair, reference: Header, new: Header, tolerances: Tolerances) -> Iterator[Judgement]:
    """Judge the figures that examinations of both runs declare, of a row that has them.

    Figures that vary by chance are judged in `significance`. A figure that different versions of a tool found is NOT
    COMPARABLE. A figure that the new run did not examine, because its target was not requested or its tool is not
    installed, is NOT SELECTED, so that it is listed. If the tool is missing although the target was requested by name,
    it is NOT COMPARABLE, which fails a gate.
    """
    for figure in _judged(new):
        if not _declared(reference, figure) or not has(pair.before, figure) | has(pair.after, figure):
            continue
        if (gone := new.examined(figure.name)).absent:
            named = gone.target in new.requested.targets
            verdict = Verdict.NOT_COMPARABLE if named else Verdict.NOT_SELECTED
            yield pair.judge(figure.name, verdict, f"not examined in the new run: {gone.absent}")
        elif has(pair.before, figure) and has(pair.after, figure) and (tools := _other_tools(reference, new, figure)):
            yield pair.judge(figure.name, Verdict.NOT_COMPARABLE, f"other tools: {tools}")
        elif not (figure.varies and pair.redrawn):
            yield _growth(pair, figure, tolerances.of(figure.tolerance_name, pair.experiment, pair.variant))
    for figure in _judged(reference):
        if not _declared(new, figure) and has(pair.before, figure):
            yield pair.judge(figure.name, Verdict.NOT_SELECTED, "not examined in the new run")


def _judged(header: Header) -> list[Figure]:
    """The figures of examinations that have a tolerance."""
    return [figure for figure in figures.found(header.figures) if figure.tolerance is not None]


def _declared(header: Header, figure: Figure) -> bool:
    return any(one.name == figure.name for one in header.figures)


def _other_tools(reference: Header, new: Header, figure: Figure) -> str:
    """The tools of both runs where they differ, or an empty string."""
    tools = [header.tools(figure.name) for header in (reference, new)]
    return "" if tools[0] == tools[1] else "; ".join(tools)


def size(pair: RowPair, figure: Figure, tolerances: Tolerances) -> Judgement:
    """Judge a size of a file."""
    tolerance = tolerances.of(figure.tolerance_name, pair.experiment, pair.variant)
    if pair.identical:  # another zlib may compress the same file otherwise
        return pair.judge(figure.name, Verdict.SAME, "identical bytes", tolerance=tolerance)
    return _growth(pair, figure, tolerance)


def _mean(rows: Sequence[Measured], name: str) -> float | None:
    """Return the mean of a figure over the seeds; None where a seed does not have it."""
    values = [row.figure(name) for row in rows]
    known = [value for value in values if value is not None]
    return fmean(known) if len(known) == len(values) else None


def _growth(pair: RowPair, figure: Figure, tolerance: float) -> Judgement:
    """Judge a figure that does not vary by chance: by what share of the reference run's it is worse."""
    before, after = (_mean(side, figure.name) for side in (pair.before, pair.after))
    if before is None or after is None:
        reasons = dict.fromkeys(reason for one in pair.after for reason in one.unexamined.values())
        missing, words = (Verdict.MISSING, "this run") if after is None else (Verdict.NEW, "the reference run")
        return pair.judge(figure.name, missing, "; ".join([f"not found in {words}", *reasons]), tolerance=tolerance)
    worse = after - before if figure.better == "lower" else before - after
    verdict = Verdict.SAME
    if abs(worse) > tolerance * abs(before) + 1e-9 * abs(before):  # no rounding error decides
        verdict = Verdict.REGRESSED if worse > 0 else Verdict.IMPROVED
    digits = ".0f" if figure.unit == "bytes" else ".10g"
    detail = f"{before:{digits}} -> {after:{digits}}{figure.unit and ' '}{figure.unit}"
    if not before:
        return pair.judge(figure.name, verdict, detail, tolerance=tolerance)
    detail += f", {100 * (after - before) / abs(before):+.1f} %"
    return pair.judge(figure.name, verdict, detail, value=worse / abs(before), tolerance=tolerance)
