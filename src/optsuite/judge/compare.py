"""Compare two runs: a verdict for each metric of each row. Nothing is printed or timed here."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from statistics import fmean

from optsuite.config import Tolerances
from optsuite.errors import OptsuiteError
from optsuite.judge import significance
from optsuite.judge.invariants import Violation, in_force, violations
from optsuite.judge.pairs import ComparedRun, RowPair, matched
from optsuite.judge.verdict import Judgement, Verdict
from optsuite.results import figures
from optsuite.results.built import Built
from optsuite.results.figures import BYTES, GZIP_BYTES, Figure
from optsuite.results.header import Header
from optsuite.results.measured import Measured
from optsuite.results.timing import Ratio

Retime = Callable[[Measured, Measured], Ratio]
"""Times two files side by side, the first being the reference; OptsuiteError says why it can't."""


def compare(
    reference: ComparedRun, new: ComparedRun, tolerances: Tolerances, retime: Retime, spread: ComparedRun | None = None
) -> list[Judgement]:
    """Judge every row of both; OptsuiteError where the two runs can't be compared at all.

    `spread` is a run of several seeds, which shows how much trainings differ; by default `reference` does.
    """
    _check_comparable(reference.header, new.header)
    if spread:
        _check_comparable(reference.header, spread.header)
    declared = _declared_by_both(reference, new)
    others = {
        figure: "; ".join(tools)
        for figure in declared
        if len(tools := {side.header.tools(figure.name): None for side in (reference, new)}) > 1
    }
    comparable = [figure for figure in declared if figure not in others]
    pairs, presence = matched(reference, new, (spread or reference).trainings), list(_presence(reference, new))
    if not pairs and not any(one.verdict.fails for one in presence):
        raise OptsuiteError("nothing was compared: the runs have no row in common")
    return [
        *presence,
        *significance.judgements(pairs, tolerances, [GZIP_BYTES, *(one for one in comparable if one.varies)]),
        *(_size(pair, BYTES, tolerances) for pair in pairs),
        *(_size(pair, GZIP_BYTES, tolerances) for pair in pairs if not pair.redrawn),
        *(judged for pair in pairs for judged in _examined(pair, comparable, tolerances)),
        *(judged for pair in pairs for judged in _of_other_tools(pair, others)),
        *(judged for pair in pairs if (judged := _invariants(pair))),
        *(_latency(pair, reference, new, tolerances, retime) for pair in pairs),
    ]


def _check_comparable(one: Header, other: Header) -> None:
    """Refuse two runs of other profiles, data or metrics; a property that one of them does not have is not compared."""
    for name, first in one.comparability.items():
        second = other.comparability[name]
        if first and second and first != second:
            raise OptsuiteError(f"expected runs of the same {name}, got {first} and {second}")


def _presence(reference: ComparedRun, new: ComparedRun) -> Iterable[Judgement]:
    known = {**reference.built, **new.built}

    def judge(pair: tuple[str, str], verdict: Verdict, detail: str) -> Judgement:
        return Judgement(experiment=pair[0], variant=pair[1], metric="presence", verdict=verdict, detail=detail)

    for pair in reference.rows:
        if pair in new.rows:
            continue
        if reason := _why_not_requested(known[pair[0]], pair[1], reference.header, new.header):
            yield judge(pair, Verdict.NOT_SELECTED, reason)
        else:
            yield judge(pair, Verdict.MISSING, new.header.absence(*pair))
    for pair in new.rows:
        if pair not in reference.rows:
            yield judge(pair, Verdict.NEW, "not in the reference run")


def _why_not_requested(built: Built, variant: str, reference: Header, new: Header) -> str:
    """Return why the new run was not requested to measure this row, or an empty string."""
    requested = new.requested
    for name, value, accepted in (
        ("model", built.model, requested.models),
        ("recipe", built.recipe, requested.recipes),
        ("variant", variant, requested.variants),
        ("seed", built.seed, requested.seeds),
    ):
        if accepted and value not in accepted:
            return f"{name} {value} was not requested"
    if built.id in new.experiments or (requested.matrix, requested.models, requested.recipes) == (
        reference.requested.matrix,
        reference.requested.models,
        reference.requested.recipes,
    ):
        return ""
    if built.model in new.catalog.models and built.recipe in new.catalog.recipes:
        return f"matrix {requested.matrix} has no {built.model_recipe}"
    return ""


def _declared_by_both(reference: ComparedRun, new: ComparedRun) -> list[Figure]:
    """Return the figures that examinations of both runs declare, and that are judged."""
    known = {figure.name for figure in reference.header.figures}
    found = figures.found(new.header.figures)
    return [figure for figure in found if figure.name in known and figure.tolerance is not None]


def _size(pair: RowPair, figure: Figure, tolerances: Tolerances) -> Judgement:
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


def _examined(pair: RowPair, declared: Iterable[Figure], tolerances: Tolerances) -> Iterator[Judgement]:
    """Judge the figures of examinations, of a row that has them; what varies by chance is judged elsewhere."""
    for figure in declared:
        if figure.varies and pair.redrawn:
            continue
        if any(one.figure(figure.name) is not None for one in (*pair.before, *pair.after)):
            yield _growth(pair, figure, tolerances.of(figure.tolerance_name, pair.experiment, pair.variant))


def _of_other_tools(pair: RowPair, others: Mapping[Figure, str]) -> Iterator[Judgement]:
    """Figures of other versions of a tool are not compared."""
    for figure, tools in others.items():
        if any(one.figure(figure.name) is not None for one in (*pair.before, *pair.after)):
            yield pair.judge(figure.name, Verdict.NOT_COMPARABLE, f"other tools: {tools}")


def _invariants(pair: RowPair) -> Judgement | None:
    """Judge by the invariants of the reference run's stages: one that a stage no longer has is violated."""
    any_in_force = False
    before: dict[tuple[int, Violation], str] = {}
    after: dict[tuple[int, Violation], str] = {}
    for built, old, new in zip(pair.built, pair.before, pair.after, strict=True):
        invariants = in_force(built.info.stages)
        any_in_force |= any(not invariant.is_empty for invariant in invariants.values())
        for found, measured in ((before, old), (after, new)):
            for violation in violations(invariants, measured.weights, per_channel=pair.variant != "keras"):
                found[built.seed, violation] = str(violation)
    if not any_in_force:
        return None
    if fresh := [text for place, text in after.items() if place not in before]:
        return pair.judge("invariants", Verdict.REGRESSED, "; ".join(fresh))
    if before and not after:
        return pair.judge("invariants", Verdict.IMPROVED, "hold now")
    return pair.judge("invariants", Verdict.SAME, "violated as before" if after else "hold")


def _latency(
    pair: RowPair, reference: ComparedRun, new: ComparedRun, tolerances: Tolerances, retime: Retime
) -> Judgement:
    """Judge latency: times of two runs are never compared; other files are timed side by side.

    Of several seeds, whose files have the same graph, the first that both runs' artifacts are there for.
    """
    tolerance = tolerances.of("latency", pair.experiment, pair.variant)
    runtimes = [_runtime(side.header, pair.variant) for side in (reference, new)]
    why = ""
    if reference.machine != new.machine:
        why = f"other machine: {reference.machine}, {new.machine}"
    elif runtimes[0] != runtimes[1]:
        why = f"other runtime: {', '.join(runtimes)}"
    if pair.identical:
        if why:
            return pair.judge("latency", Verdict.NOT_COMPARABLE, why, tolerance=tolerance)
        return pair.judge("latency", Verdict.SAME, "identical bytes", tolerance=tolerance)
    if pair.variant == "keras":
        return pair.judge("latency", Verdict.NOT_COMPARABLE, "no .tflite file", tolerance=tolerance)
    gone = ""
    for old, now in zip(pair.before, pair.after, strict=True):
        if old.sha256 != now.sha256:
            try:
                ratio = retime(old, now)
                break
            except OptsuiteError as error:
                gone = str(error)
    else:
        detail = "; ".join(filter(None, [gone, why]))
        return pair.judge("latency", Verdict.NOT_COMPARABLE, detail, tolerance=tolerance)
    verdict, detail = latency_verdict(ratio, tolerance)
    return pair.judge(
        "latency",
        verdict,
        detail,
        value=ratio.value - 1,
        low=ratio.low - 1,
        high=ratio.high - 1,
        tolerance=tolerance,
    )


def _runtime(header: Header, variant: str) -> str:
    """Return the runtime of a variant, with its version."""
    if variant == "keras":
        return ", ".join(sorted({f"tensorflow {one.info.versions.get('tensorflow')}" for one in header.built}))
    return f"ai-edge-litert {header.environment.versions.get('ai-edge-litert')}"


def latency_verdict(ratio: Ratio, tolerance: float) -> tuple[Verdict, str]:
    """Judge a ratio by its interval: all of it has to be beyond the tolerance; a wider one is not comparable."""
    detail = f"{ratio} of the reference's, timed side by side"
    if ratio.low > 1 + tolerance:
        return Verdict.REGRESSED, detail
    if ratio.high < 1 / (1 + tolerance):
        return Verdict.IMPROVED, detail
    if ratio.high - ratio.low > tolerance:
        return Verdict.NOT_COMPARABLE, f"machine too noisy: {detail}"
    return Verdict.SAME, detail
