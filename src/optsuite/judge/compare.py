"""Compare two runs: a verdict for each metric of each row. Nothing is printed or timed here."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from optsuite.config import Tolerances
from optsuite.errors import OptsuiteError
from optsuite.judge import exact, significance
from optsuite.judge.invariants import Violation, in_force, violations
from optsuite.judge.pairs import ComparedRun, RowPair, matched
from optsuite.judge.verdict import Judgement, Verdict
from optsuite.results.built import Built
from optsuite.results.figures import BYTES, GZIP_BYTES
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
    pairs, presence = matched(reference, new, (spread or reference).trainings), list(_presence(reference, new))
    if not pairs and not any(one.verdict.fails for one in presence):
        raise OptsuiteError(
            "nothing was compared: the runs have no row in common; `--row EXPERIMENT VARIANT` compares files that "
            "`optsuite measure` measured with a row of the reference run"
        )
    return [
        *presence,
        *significance.judgements(pairs, tolerances, [GZIP_BYTES, *exact.varying(reference.header, new.header)]),
        *(exact.size(pair, BYTES, tolerances) for pair in pairs),
        *(exact.size(pair, GZIP_BYTES, tolerances) for pair in pairs if not pair.redrawn),
        *(judged for pair in pairs for judged in exact.examined(pair, reference.header, new.header, tolerances)),
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
    detail = f"{ratio} times the reference run's, timed side by side"
    if ratio.low > 1 + tolerance:
        return Verdict.REGRESSED, detail
    if ratio.high < 1 / (1 + tolerance):
        return Verdict.IMPROVED, detail
    if ratio.high - ratio.low > tolerance:
        return Verdict.NOT_COMPARABLE, f"machine too noisy: {detail}"
    return Verdict.SAME, detail
