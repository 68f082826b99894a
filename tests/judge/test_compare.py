"""Every verdict, and what it rests on: golden tables, and simulated models whose differences are known."""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from catalogs import BUILTIN
from runs import answering, answers, benchmark, built, layer

from optsuite import config
from optsuite.__main__ import main
from optsuite.catalog.selection import select
from optsuite.config import Config, Tolerances
from optsuite.errors import OptsuiteError
from optsuite.fixtures.judging import judged_with  # type: ignore[import-not-found]
from optsuite.judge.accuracy import BinaryDrop, pooled
from optsuite.judge.compare import compare, latency_verdict
from optsuite.judge.pairs import ComparedRun
from optsuite.judge.pareto import hypervolume
from optsuite.judge.significance import holm
from optsuite.judge.verdict import ALPHA, Judgement, Verdict
from optsuite.measure.suite import Suite
from optsuite.report import verdicts
from optsuite.results import reader, run
from optsuite.results.answers import Answers
from optsuite.results.figures import FIGURES, Figure
from optsuite.results.measured import Measured
from optsuite.results.timing import Ratio
from optsuite.store.store import Store

Write = Callable[[Any], Path]
Run = dict[str, Any]

COUNT = 10_000


@pytest.fixture
def base(run_json: Run) -> Run:
    """The small run with ten thousand images, of which none is answered wrong."""
    for one in run_json["benchmarks"][:4]:
        one["extra_info"]["optsuite"] |= {**answering(COUNT), "validation": answers(COUNT)}
    run_json["optsuite"]["datasets"][0]["labels"] = [0] * COUNT
    run_json["benchmarks"].pop()
    return run_json


def row(run: Run, experiment: str, variant: str) -> dict[str, Any]:
    """The row's own part."""
    found: dict[str, Any] = next(
        one["extra_info"]["optsuite"]
        for one in run["benchmarks"]
        if (one["extra_info"]["optsuite"]["experiment"], one["extra_info"]["optsuite"]["variant"])
        == (experiment, variant)
    )
    return found


def changed(run: Run, experiment: str, variant: str, **changes: Any) -> Run:
    """A copy in which one row has other bytes, and is otherwise changed too."""
    new = copy.deepcopy(run)
    row(new, experiment, variant).update({"sha256": "other bytes"} | changes)
    return new


def never(before: Measured, after: Measured) -> Ratio:
    raise OptsuiteError("not both artifacts are in the store")


def judged(base: Run, new: Run, retime: Any = never, tolerances: Tolerances = Tolerances()) -> list[Judgement]:  # noqa: B008
    """What `compare` says of two JSON contents."""
    sides = []
    for content in (base, new):
        path = Path("unused")
        sides.append(ComparedRun.of(_decoded(content, path)))
    return compare(sides[0], sides[1], tolerances, retime)


def _decoded(content: Run, path: Path) -> run.Run:
    return reader.decode(json.dumps(content).encode(), path)


def of(found: Sequence[Judgement], experiment: str, variant: str, metric: str) -> Judgement:
    """The only one of a metric."""
    (one,) = (j for j in found if (j.experiment, j.variant, j.metric) == (experiment, variant, metric))
    return one


def test_the_same_run_twice(base: Run) -> None:
    """All SAME; what can't be told apart by its bytes costs no correction."""
    found = judged(base, base)
    assert {one.verdict for one in found} == {Verdict.SAME}
    assert not any(one.verdict.fails for one in found)
    assert {one.detail for one in found if one.metric in ("accuracy", "latency")} == {"identical bytes"}


@pytest.mark.parametrize(
    ("lost", "gained", "tolerance", "verdict"),
    [
        (15, 10, 0.001, Verdict.SAME),
        (40, 5, 0.001, Verdict.REGRESSED),
        (5, 40, 0.001, Verdict.IMPROVED),
        (10, 0, 0.001, Verdict.SAME),  # exactly the tolerance
        (11, 0, 0.001, Verdict.REGRESSED),
        (11, 0, 0.01, Verdict.SAME),  # significant, and allowed
        (220, 180, 0.001, Verdict.SAME),  # 0.4 points, and chance does that
        (280, 180, 0.001, Verdict.REGRESSED),
        (3, 0, 0.0, Verdict.SAME),  # too few to be significant: p = 1/8
        (7, 0, 0.0, Verdict.REGRESSED),
        (0, 0, 0.001, Verdict.SAME),
    ],
)
def test_accuracy(base: Run, lost: int, gained: int, tolerance: float, verdict: Verdict) -> None:
    """Over the tolerance and significant, both; what is said of it counts the images each way."""
    old = changed(base, "conv_qat_s0", "int8", sha256="old", **answering(COUNT, range(COUNT - gained, COUNT)))
    new = changed(base, "conv_qat_s0", "int8", **answering(COUNT, range(lost)))
    one = of(judged(old, new, tolerances=Tolerances({"accuracy": {"*": tolerance}})), "conv_qat", "int8", "accuracy")
    assert one.verdict == verdict
    assert one.value == pytest.approx((lost - gained) / COUNT)
    assert one.low is not None
    assert one.high is not None
    assert one.low < (lost - gained) / COUNT < one.high
    assert f"{lost} of {COUNT} answers correct before and wrong after, {gained} wrong before" in one.detail


@pytest.mark.parametrize(
    ("metric", "before", "after", "tolerances", "verdict"),
    [
        ("bytes", 1000, 1010, {}, Verdict.SAME),
        ("bytes", 1000, 1011, {}, Verdict.REGRESSED),
        ("bytes", 1000, 989, {}, Verdict.IMPROVED),
        ("gzip_bytes", 1000, 1100, {}, Verdict.REGRESSED),
        ("gzip_bytes", 1000, 1100, {"*": 0.2}, Verdict.SAME),
        ("gzip_bytes", 1000, 1100, {"*": 0.2, "conv_qat-int8": 0.01}, Verdict.REGRESSED),
        ("gzip_bytes", 1000, 1100, {"*": 0.0, "*-int8": 0.2}, Verdict.SAME),
    ],
)
def test_size(base: Run, metric: str, before: int, after: int, tolerances: dict[str, float], verdict: Verdict) -> None:
    """Raw and gzip against one tolerance, the last pattern that matches."""
    old = changed(base, "conv_qat_s0", "int8", sha256="old", **{metric: before})
    new = changed(base, "conv_qat_s0", "int8", **{metric: after})
    one = of(judged(old, new, tolerances=Tolerances({"size": tolerances})), "conv_qat", "int8", metric)
    assert one.verdict == verdict
    assert one.value == pytest.approx(after / before - 1)


def test_the_sizes_of_the_same_file_are_the_same(base: Run) -> None:
    """Whatever another machine's zlib makes of it."""
    new = changed(base, "conv_qat_s0", "int8", sha256="bytes of conv_qat_s0 int8", gzip_bytes=3_000)
    one = of(judged(base, new), "conv_qat", "int8", "gzip_bytes")
    assert (one.verdict, one.detail) == (Verdict.SAME, "identical bytes")


@pytest.mark.parametrize(
    ("before", "after", "verdict"),
    [
        (240, 240, Verdict.SAME),
        (240, 250, Verdict.SAME),
        (240, 239, Verdict.REGRESSED),
        (239, 240, Verdict.IMPROVED),
        (239, 238, Verdict.SAME),  # broken as before: its own gate fails, this commit did not do it
    ],
)
def test_invariants(base: Run, before: int, after: int, verdict: Verdict) -> None:
    """What the baseline's stages promised, 240 zeros of 300, in the file's own weights."""
    base["optsuite"]["experiments"].append("conv_prune-0.8_s0")
    base["optsuite"]["built"].append(built("conv", "prune-0.8"))
    base["benchmarks"].append(benchmark("conv_prune-0.8_s0", "int8", count=COUNT))
    old = changed(base, "conv_prune-0.8_s0", "int8", weights=[layer("conv2d", 300, zeros=before)])
    new = changed(base, "conv_prune-0.8_s0", "int8", weights=[layer("conv2d", 300, zeros=after)])
    assert of(judged(old, new), "conv_prune-0.8", "int8", "invariants").verdict == verdict


def test_an_old_fault_hides_no_new_one(base: Run) -> None:
    """Two layers owe zeros; one was broken before, both are now."""
    base["optsuite"]["experiments"].append("conv_prune-0.8_s0")
    made = built("conv", "prune-0.8")
    for stage in made["info"]["stages"][1:]:
        stage["invariants"] = {"conv2d": {"sparsity": 0.8}, "dense": {"sparsity": 0.8}}
    base["optsuite"]["built"].append(made)
    base["benchmarks"].append(benchmark("conv_prune-0.8_s0", "int8", count=COUNT))
    broken, kept = layer("conv2d", 300, zeros=1), layer("dense", 100, zeros=80)
    old = changed(base, "conv_prune-0.8_s0", "int8", weights=[broken, kept])
    new = changed(base, "conv_prune-0.8_s0", "int8", weights=[broken, layer("dense", 100, zeros=79)])
    one = of(judged(old, new), "conv_prune-0.8", "int8", "invariants")
    assert (one.verdict, one.detail) == (
        Verdict.REGRESSED,
        "dense: expected at least 80 zeros of 100, found 79",
    )


def test_the_same_file_that_answers_otherwise_is_judged(base: Run) -> None:
    """Another runtime, or a fault in the measuring: bytes alone prove nothing about answers."""
    new = changed(base, "conv_qat_s0", "int8", sha256="bytes of conv_qat_s0 int8", **answering(COUNT, range(40)))
    found = judged(base, new)
    assert of(found, "conv_qat", "int8", "accuracy").verdict == Verdict.REGRESSED
    assert of(found, "conv_qat", "int8", "latency").verdict == Verdict.SAME


def test_seeds_are_judged_together(tmp_path: Path) -> None:
    """One test for all seeds that the earlier run has too, and that test needs all of them measured."""
    selection = select(BUILTIN, models=["tutorial"], recipes=["baseline"], variants=["int8"], seeds=[0, 1, 2])
    zero, one, two = selection.experiments
    ids = {(one.id, "int8"), (two.id, "int8")}
    base = ComparedRun(header=None, machine="", rows=dict.fromkeys(ids), built={})  # type: ignore[arg-type]
    suite = Suite(selection, Store(tmp_path, print), Config(), print)
    int8 = suite.variant("int8")
    for experiment in (zero, one, two):
        assert judged_with(suite, base, experiment, int8) == [one, two]
    assert judged_with(suite, base, zero, suite.variant("fp32")) == []


@pytest.mark.parametrize(
    ("ratio", "verdict"),
    [
        ((1.00, 0.99, 1.01), Verdict.SAME),
        ((1.04, 1.03, 1.049), Verdict.SAME),
        ((1.06, 1.04, 1.08), Verdict.SAME),  # not sure that it is over
        ((1.07, 1.051, 1.09), Verdict.REGRESSED),
        ((0.90, 0.89, 0.91), Verdict.IMPROVED),
        ((1.02, 0.98, 1.06), Verdict.NOT_COMPARABLE),  # wider than what it is to tell
        ((1.5, 1.2, 2.0), Verdict.REGRESSED),  # wide, and yet sure
    ],
)
def test_latency(ratio: tuple[float, float, float], verdict: Verdict) -> None:
    """By the whole interval."""
    value, low, high = ratio
    found, detail = latency_verdict(Ratio(value=value, low=low, high=high), 0.05)
    assert found == verdict
    assert ("too noisy" in detail) == (verdict is Verdict.NOT_COMPARABLE)


def test_changed_files_are_timed_side_by_side(base: Run) -> None:
    """The old and the new artifact, only for what changed; a slower one is a regression."""
    requested = []

    def retime(before: Measured, after: Measured) -> Ratio:
        requested.append((before.key, before.sha256, after.sha256))
        return Ratio(value=1.2, low=1.1, high=1.3)

    found = judged(base, changed(base, "conv_qat_s0", "int8"), retime)
    assert requested == [("key of conv_qat_s0 int8", "bytes of conv_qat_s0 int8", "other bytes")]
    assert of(found, "conv_qat", "int8", "latency").verdict == Verdict.REGRESSED
    assert of(found, "conv_baseline", "int8", "latency").verdict == Verdict.SAME


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda run: run["machine_info"]["cpu"].update(brand_raw="Another"), "other machine: A CPU, x86_64, Another"),
        (
            lambda run: run["optsuite"]["environment"]["versions"].update({"ai-edge-litert": "9"}),
            "other runtime: ai-edge-litert 2.3.0, ai-edge-litert 9",
        ),
    ],
)
def test_times_of_another_machine_are_not_compared(base: Run, change: Callable[[Run], None], reason: str) -> None:
    """Accuracy and size are judged, latency is not, whether the bytes are the same or gone."""
    new = changed(base, "conv_qat_s0", "int8", bytes=9_000, **answering(COUNT, range(40)))
    change(new)
    found = judged(base, new)
    assert of(found, "conv_qat", "int8", "accuracy").verdict == Verdict.REGRESSED
    assert of(found, "conv_qat", "int8", "bytes").verdict == Verdict.REGRESSED
    latencies = [one for one in found if one.metric == "latency"]
    assert {one.verdict for one in latencies} == {Verdict.NOT_COMPARABLE}
    assert all(reason in one.detail for one in latencies)
    assert "not both artifacts are in the store" in of(found, "conv_qat", "int8", "latency").detail


@pytest.mark.parametrize(
    ("requested", "verdict", "detail"),
    [
        ({}, Verdict.MISSING, "not selected in this run"),
        ({"recipes": ["baseline"]}, Verdict.NOT_SELECTED, "recipe qat was not requested"),
        ({"models": ["dscnn"]}, Verdict.NOT_SELECTED, "model conv was not requested"),
        ({"variants": ["fp32"]}, Verdict.NOT_SELECTED, "variant int8 was not requested"),
        ({"seeds": [1]}, Verdict.NOT_SELECTED, "seed 0 was not requested"),
        ({"base recipes": ["qat"]}, Verdict.NOT_SELECTED, "matrix default has no conv_qat"),
        ({"matrix": "small"}, Verdict.NOT_SELECTED, "matrix small has no conv_qat"),
        ({"models": ["conv"]}, Verdict.NOT_SELECTED, "matrix default has no conv_qat"),
        # Gone from the catalogue: whatever was asked for, somebody took it away.
        ({"matrix": "small", "known recipes": ["baseline"]}, Verdict.MISSING, "not selected in this run"),
        ({"base recipes": ["qat"], "known models": ["tutorial"]}, Verdict.MISSING, "not selected in this run"),
    ],
)
def test_presence(base: Run, requested: dict[str, Any], verdict: Verdict, detail: str) -> None:
    """What vanished is MISSING, unless the new run was narrowed to less."""
    base["optsuite"]["requested"] |= {"models": [], "recipes": [], "variants": [], "seeds": []}
    new = copy.deepcopy(base)
    del new["benchmarks"][3], new["optsuite"]["built"][1]
    new["optsuite"]["experiments"].remove("conv_qat_s0")
    base["optsuite"]["requested"]["recipes"] = requested.pop("base recipes", [])
    new["optsuite"]["catalog"]["models"] = requested.pop("known models", ["conv", "tutorial"])
    new["optsuite"]["catalog"]["recipes"] = requested.pop("known recipes", ["baseline", "qat"])
    new["optsuite"]["requested"] |= requested
    one = of(judged(base, new), "conv_qat_s0", "int8", "presence")
    assert (one.verdict, one.detail) == (verdict, detail)


def test_a_row_that_failed_is_missing_with_its_reason(base: Run) -> None:
    """The experiment was selected; the row could not be had."""
    new = copy.deepcopy(base)
    del new["benchmarks"][3]
    new["optsuite"]["absences"].append({"experiment": "conv_qat_s0", "variant": "int8", "reason": "could not be built"})
    one = of(judged(base, new), "conv_qat_s0", "int8", "presence")
    assert (one.verdict, one.detail) == (Verdict.MISSING, "could not be built")


def test_a_new_row_fails_nothing_and_a_renamed_one_is_both(base: Run) -> None:
    """What is only in the new run is NEW; under another name it is missing as well."""
    old = copy.deepcopy(base)
    del old["benchmarks"][3]
    found = judged(old, base)
    assert of(found, "conv_qat_s0", "int8", "presence").verdict == Verdict.NEW
    assert not any(one.verdict.fails for one in found)
    renamed = json.loads(json.dumps(base).replace("conv_qat_s0", "conv_renamed_s0"))
    found = judged(base, renamed)
    assert of(found, "conv_qat_s0", "int8", "presence").verdict == Verdict.MISSING
    assert of(found, "conv_renamed_s0", "int8", "presence").verdict == Verdict.NEW


@pytest.mark.parametrize(("what", "value"), [("profile", "smoke"), ("dataset", "fashion")])
def test_runs_of_different_kinds_are_refused(base: Run, what: str, value: str) -> None:
    """Another profile or dataset has nothing in common to compare."""
    new = copy.deepcopy(base)
    if what == "profile":
        new["optsuite"]["profile"] = value
    else:
        new["optsuite"]["datasets"][0]["name"] = value
        for built in new["optsuite"]["built"]:
            built["dataset"] = value
    with pytest.raises(OptsuiteError, match=f"expected runs of the same {what}"):
        judged(base, new)


@pytest.mark.parametrize(("before", "after", "refused"), [("a", "b", True), ("a", "", False), ("", "b", False)])
def test_runs_of_other_data_are_refused(base: Run, before: str, after: str, refused: bool) -> None:
    """Under one name, too; a run from before that was written down is taken for what it says."""
    old, new = copy.deepcopy(base), copy.deepcopy(base)
    for one, sha256 in ((old, before), (new, after)):
        one["optsuite"]["datasets"][0]["sha256"] = sha256
    if refused:
        with pytest.raises(OptsuiteError, match="expected runs of the same test split, got a and b"):
            judged(old, new)
    else:
        assert judged(old, new)


def test_nothing_compared_is_no_pass(base: Run) -> None:
    """Nothing in the baseline, or nothing of it asked for."""
    empty, narrowed = copy.deepcopy(base), copy.deepcopy(base)
    empty["benchmarks"] = narrowed["benchmarks"] = []
    narrowed["optsuite"]["requested"]["models"] = ["tutorial"]
    for old, new in ((empty, base), (empty, empty), (base, narrowed)):
        with pytest.raises(OptsuiteError, match="nothing was compared"):
            judged(old, new)


def test_holm() -> None:
    """The textbook's example, in any order; ties, and no more than one."""
    assert holm([0.04, 0.01, 0.03, 0.005]) == pytest.approx([0.06, 0.03, 0.06, 0.02])
    assert holm([0.6, 0.5]) == [1.0, 1.0]
    assert holm([]) == []


def test_the_smallest_drop_that_could_be_found() -> None:
    """The least that has the p, image by image, given what was gained: seven losses have p 1/128, and 1/64 six."""
    right = np.ones(1000, bool)
    nothing = pooled([(Answers.of(right), Answers.of(right))])
    assert nothing.detectable(0.01, 0.0) == pytest.approx(7 / 1000)
    assert nothing.detectable(0.02, 0.0) == pytest.approx(6 / 1000)
    before = right.copy()
    before[:50] = False
    gained = pooled([(Answers.of(before), Answers.of(right))])
    assert nothing.detectable(0.01, 0.02) == pytest.approx(21 / 1000)  # not exactly the tolerance
    assert pooled([(Answers.of(right[:5]), Answers.of(right[:5]))]).detectable(0.01, 0.0) is None
    found = gained.detectable(0.01, 0.0)
    assert found is not None
    least = round(1000 * found)
    for lost, significant in ((50 + least, True), (50 + least - 1, False)):
        after = right.copy()
        after[500 : 500 + lost] = False
        assert (pooled([(Answers.of(before), Answers.of(after))]).p_worse() <= 0.01) == significant


def test_the_interval_holds_the_drop() -> None:
    """In about 95 of 100 simulated comparisons, of one seed and of three."""
    rng = np.random.default_rng(0)
    for seeds in (1, 3):
        held = 0
        for _ in range(400):
            pairs = []
            for _ in range(seeds):
                before, after = np.ones((2, 2_000), bool)
                flips = rng.random(2_000)
                before[flips < 0.01], after[flips > 0.985] = False, False
                pairs.append((Answers.of(before), Answers.of(after)))
            low, high = pooled(pairs).interval()
            held += low <= 0.005 <= high
        assert 0.92 * 400 <= held <= 0.985 * 400


def _simulated(rng: np.random.Generator, flips: float, drop: float = 0.0, seeds: int = 1) -> BinaryDrop:
    """Two models, equal but for `drop`, that answer a share `flips` of the images otherwise, the same in no seed."""
    chances = [(flips + drop) / 2, (flips - drop) / 2, 1 - flips]
    lost, gained = np.sum([rng.multinomial(COUNT, chances)[:2] for _ in range(seeds)], axis=0).tolist()
    nets = {1: lost, -1: gained}
    return BinaryDrop(
        reference=0.0, candidate=0.0, count=seeds * COUNT, images=COUNT, lost=lost, gained=gained, nets=nets
    )


def _worse(drops: list[BinaryDrop]) -> list[bool]:
    """Which of the rows of a comparison are called worse."""
    adjusted = holm([drop.p_worse() for drop in drops])
    return [drop.over(0.001) and p <= ALPHA for drop, p in zip(drops, adjusted, strict=True)]


@pytest.mark.parametrize("flips", [0.001, 0.004, 0.01, 0.026])
def test_equal_models_are_hardly_ever_called_worse(flips: float) -> None:
    """Of 2,000 comparisons of six rows at most 1 % call any row worse, whatever share of images flips."""
    rng = np.random.default_rng(0)
    alarms = sum(any(_worse([_simulated(rng, flips) for _ in range(6)])) for _ in range(2_000))
    assert alarms <= 20


@pytest.mark.parametrize(
    ("flips", "drop", "seeds"),
    [
        (0.004, 0.003, 1),
        (0.004, 0.002, 3),
        (0.005, 0.005, 1),
        (0.01, 0.005, 1),
        (0.01, 0.003, 3),
        (0.026, 0.008, 1),
        (0.026, 0.005, 3),
    ],
)
def test_true_drops_are_found(flips: float, drop: float, seeds: int) -> None:
    """One row of six that changed lost so much: it is found in 95 of 100 comparisons."""
    rng = np.random.default_rng(0)
    others = [_simulated(rng, flips, seeds=seeds) for _ in range(5)]
    found = sum(_worse([_simulated(rng, flips, drop, seeds), *others])[0] for _ in range(1_000))
    assert found >= 950


def _with_figure(base: Run, value: float | None, better: str = "lower", tolerance: float | None = 0.02) -> Run:
    """A copy whose examinations declare a figure, cycles, which one row has."""
    found = changed(base, "conv_qat_s0", "int8", sha256="bytes", figures={} if value is None else {"cycles": value})
    declared = {"name": "cycles", "label": "cycles", "unit": "", "better": better, "tolerance": tolerance}
    found["optsuite"]["figures"] = [*found["optsuite"]["figures"], declared]
    return found


@pytest.mark.parametrize(
    ("before", "after", "better", "verdict", "value"),
    [
        (1000, 1000, "lower", Verdict.SAME, 0.0),
        (1000, 1020, "lower", Verdict.SAME, 0.02),
        (1000, 1021, "lower", Verdict.REGRESSED, 0.021),
        (1000, 979, "lower", Verdict.IMPROVED, -0.021),
        (1000, 1021, "higher", Verdict.IMPROVED, -0.021),
        (1000, 979, "higher", Verdict.REGRESSED, 0.021),
        (0, 0, "lower", Verdict.SAME, None),
        (0, 1, "lower", Verdict.REGRESSED, None),
        (0.5, 0.25, "lower", Verdict.IMPROVED, -0.5),
        (1000, None, "lower", Verdict.MISSING, None),
        (None, 1000, "lower", Verdict.NEW, None),
    ],
)
def test_figures_of_examinations(
    base: Run, before: float | None, after: float | None, better: str, verdict: Verdict, value: float | None
) -> None:
    """Golden: against the tolerance of their declaration, in their direction, also where the file is the same."""
    one = of(
        judged(_with_figure(base, before, better), _with_figure(base, after, better), tolerances=CYCLES),
        *("conv_qat", "int8", "cycles"),
    )
    assert one.verdict == verdict
    assert one.value == (value if value is None else pytest.approx(value))
    assert one.tolerance == 0.02


CYCLES = Tolerances({}, (*FIGURES, Figure(name="cycles", label="cycles", unit="", better="lower", tolerance=0.02)))


def test_a_figure_is_judged_where_both_runs_declare_it(base: Run) -> None:
    """And where it has a tolerance; a row that has it in neither is not judged by it."""
    with_figure = _with_figure(base, 1000)
    assert "cycles" not in {one.metric for one in judged(base, with_figure, tolerances=CYCLES)}
    assert of(judged(with_figure, base), "conv_qat", "int8", "cycles").verdict is Verdict.NOT_SELECTED
    both = judged(with_figure, _with_figure(base, 2000), tolerances=CYCLES)
    assert [one.variant for one in both if one.metric == "cycles"] == ["int8"]
    old, new = (_with_figure(base, value, tolerance=None) for value in (1000, 2000))
    assert "cycles" not in {one.metric for one in judged(old, new, tolerances=CYCLES)}


def test_a_figure_of_another_version_of_a_tool_is_not_compared(base: Run) -> None:
    """Nor one of a tool that is not known; a gate does not pass on it in silence."""
    old, new = (_with_figure(base, value) for value in (1000, 2000))
    for one_run, version in ((old, "1.0"), (new, "2.0")):
        one_run["optsuite"]["examinations"] = [{"name": "npu", "figures": ["cycles"], "tools": {"compiler": version}}]
    one = of(judged(old, new, tolerances=CYCLES), "conv_qat", "int8", "cycles")
    assert (one.verdict, one.detail) == (Verdict.NOT_COMPARABLE, "other tools: compiler 1.0; compiler 2.0")
    assert one.unjudged
    new["optsuite"]["examinations"] = old["optsuite"]["examinations"]
    assert of(judged(old, new, tolerances=CYCLES), "conv_qat", "int8", "cycles").verdict == Verdict.REGRESSED


@pytest.mark.parametrize(("requested", "verdict"), [((), Verdict.NOT_SELECTED), (("board",), Verdict.NOT_COMPARABLE)])
def test_a_figure_whose_tool_is_gone_does_not_vanish(base: Run, requested: Sequence[str], verdict: Verdict) -> None:
    """It fails no gate, unless its target was requested by name; where the tool came, it is new."""
    old, new = _with_figure(base, 1000), _with_figure(base, None)
    examination = {"name": "npu", "figures": ["cycles"], "target": "board"}
    old["optsuite"]["examinations"] = [{**examination, "tools": {"compiler": "1.0"}}]
    new["optsuite"]["examinations"] = [{**examination, "tools": {}, "absent": "compiler is not installed"}]
    new["optsuite"]["requested"]["targets"] = list(requested)
    one = of(judged(old, new, tolerances=CYCLES), "conv_qat", "int8", "cycles")
    assert (one.verdict, one.detail) == (verdict, "not examined in the new run: compiler is not installed")
    assert of(judged(new, old, tolerances=CYCLES), "conv_qat", "int8", "cycles").verdict is Verdict.NEW


@pytest.mark.parametrize(("varies", "verdict"), [(True, Verdict.NOT_COMPARABLE), (False, Verdict.REGRESSED)])
def test_a_figure_of_the_weights_of_another_training_is_not_compared(base: Run, varies: bool, verdict: Verdict) -> None:
    """One that does not depend on weight values is exact, whatever machine trained."""
    old, new = (_with_figure(base, value) for value in (1000, 2000))
    row(new, "conv_qat_s0", "int8")["sha256"] = "of another training"
    for number, one_run in enumerate((old, new)):
        one_run["optsuite"]["figures"][-1]["varies"] = varies
        for one in one_run["optsuite"]["built"]:
            for stage in one["info"]["stages"]:
                stage["arithmetic"] = [str(number)]
    assert of(judged(old, new, tolerances=CYCLES), "conv_qat", "int8", "cycles").verdict == verdict


def test_a_missing_figure_says_why(base: Run) -> None:
    """The reason is that of the examination; the row itself is not missing."""
    after = _with_figure(base, None)
    row(after, "conv_qat_s0", "int8")["unexamined"] = {"npu": "the compiler refused it"}
    one = of(judged(_with_figure(base, 1000), after, tolerances=CYCLES), "conv_qat", "int8", "cycles")
    assert one.detail == "not found in this run; the compiler refused it"
    assert one.verdict.fails
    assert not one.lost_row


def test_tolerances_of_a_repository(tmp_path: Path) -> None:
    """By pattern, the last that matches; what is not known is an error."""
    file = tmp_path / "pyproject.toml"
    file.write_text('[tool.optsuite.tolerances]\naccuracy = { "*" = 0.002, "dscnn_*-int8" = 0.004 }\n')
    found = config.read(file).tolerances_of([])
    assert found.of("accuracy", "conv_qat", "int8") == 0.002
    assert found.of("accuracy", "dscnn_qat", "int8") == 0.004
    assert found.of("latency", "dscnn_qat", "int8") == 0.05
    assert found.effective()["accuracy"] == {"*": 0.002, "dscnn_*-int8": 0.004}
    assert Config().tolerances_of([]).effective()["size"] == {"*": 0.01}
    file.write_text("[tool.optsuite.tolerances]\nspeed = {}\n")
    with pytest.raises(OptsuiteError, match="expected some of accuracy, latency, size, got speed"):
        config.read(file).tolerances_of([])
    speed = Figure(name="speed", label="speed", unit="", better="higher", tolerance=0.1)
    assert list(config.read(file).tolerances_of([], known=[speed]).effective()) == ["accuracy", "latency", "size"]
    assert list(config.read(file).tolerances_of([speed]).effective()) == ["accuracy", "latency", "size", "speed"]


@pytest.mark.parametrize(
    ("points", "volume"),
    [
        ([], 0.0),
        ([(1.0, 1.0, 0.5)], 0.0),  # as costly as the worst
        ([(0.5, 0.5, 1.0)], 0.25),
        ([(0.5, 0.5, 1.0), (0.6, 0.6, 0.9)], 0.25),  # dominated
        ([(0.5, 0.5, 1.0), (0.5, 0.5, 1.0)], 0.25),
        ([(0.5, 0.5, 0.8), (0.0, 0.5, 0.4)], 0.25 * 0.8 + 0.25 * 0.4),
        ([(2.0, 0.5, 1.0)], 0.0),
    ],
)
def test_hypervolume(points: list[tuple[float, float, float]], volume: float) -> None:
    """By hand."""
    assert hypervolume(points, (1.0, 1.0)) == pytest.approx(volume)


def test_hypervolume_is_what_random_demands_say() -> None:
    """Against a count of a million random boxes, with costs of any unit."""
    rng = np.random.default_rng(0)
    points = rng.random((12, 3)) * [7.0, 100.0, 1.0]
    demands = rng.random((200_000, 3)) * [7.0, 100.0, 1.0]
    met = np.zeros(len(demands), bool)
    for latency, size, accuracy in points:
        met |= (demands[:, 0] >= latency) & (demands[:, 1] >= size) & (demands[:, 2] <= accuracy)
    found = hypervolume([(x, y, z) for x, y, z in points.tolist()], (7.0, 100.0))
    assert found == pytest.approx(met.mean(), abs=0.004)


def _files(base: Run, new: Run, folder: Path) -> list[str]:
    paths = []
    for name, content, date in (("base", base, "2026-01-01"), ("new", new, "2026-01-02")):
        paths.append(str(folder / f"{name}.json"))
        Path(paths[-1]).write_text(json.dumps(content | {"datetime": date}))
    return paths


def test_the_command(base: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Exit 1 and a line for what got worse, one for the rest; Markdown and JSON beside it."""
    new = changed(base, "conv_qat_s0", "int8", **answering(COUNT, range(40)))
    files = _files(base, new, tmp_path)
    out = ["--markdown", str(tmp_path / "verdicts.md"), "--json", str(tmp_path / "verdicts.json")]
    assert main(["compare", *files, *out, "--cache", str(tmp_path / "cache")]) == 1
    printed, *rest = capsys.readouterr().out.splitlines()
    assert printed.startswith("REGRESSED  conv_qat int8 accuracy: 1.0000 -> 0.9960, accuracy drop 0.0040 (40 of")
    expected = (
        "1 REGRESSED, 1 NOT COMPARABLE, 14 SAME "
        f"NOT COMPARABLE, 1 times: not both artifacts are in {tmp_path / 'cache'} "
        "conv: hypervolume 0.x -> 0.x, by each run's own times "
        "tolerances: accuracy 0.001 for *; latency 0.05 for *; size 0.01 for *; "
        "accuracy, and what varies with other trainings, at p 0.01 (Holm)"
    )
    assert re.sub(r"(?<=hypervolume 0)\.\d+ -> 0\.\d+", ".x -> 0.x", " ".join(" ".join(rest).split())) == expected
    text = (tmp_path / "verdicts.md").read_text()
    assert text.startswith("## optsuite: something got worse\n")
    assert "| REGRESSED | conv_qat | int8 | accuracy | 1.0000 -> 0.9960" in text
    assert len(json.loads((tmp_path / "verdicts.json").read_text())) == 16
    assert main(["compare", files[0], files[1].replace("new", "base"), "--all"]) == 0
    said = capsys.readouterr().out
    assert "SAME  conv_baseline fp32, int8, int16x8 accuracy, bytes, gzip_bytes, latency: identical bytes\n" in said
    assert said.count("SAME  conv_") == 2
    assert main(["compare", *files, "--json", files[1]]) == 2
    assert "is one of the runs" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("", "not the JSON of an optsuite run"),
        ("{", "not the JSON of an optsuite run"),
        ('{"optsuite": {"schema": 1}}', "expected schema version 5 or 6, got 1"),
        ("NaN", "not the JSON of an optsuite run"),
        ("infinite", "not the JSON of an optsuite run"),
    ],
)
def test_what_can_not_be_used(
    base: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str], content: str, said: str
) -> None:
    """Exit 2 and one line."""
    files = _files(base, base, tmp_path)
    if content == "NaN":
        Path(files[1]).write_text(Path(files[1]).read_text().replace('"accuracy": 1.0', '"accuracy": NaN'))
    elif content == "infinite":
        Path(files[1]).write_text(Path(files[1]).read_text().replace('"total_time_s": 0.5', '"total_time_s": 1e999'))
    else:
        Path(files[1]).write_text(content)
    assert main(["compare", *files]) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    assert len(printed.err.splitlines()) == 1
    assert said in printed.err


@pytest.mark.parametrize("traceback", [False, True])
def test_an_error_of_our_own_is_exit_3(
    base: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, traceback: bool
) -> None:
    """One line that says how to see more: 1 would be an answer, and no gate failed."""

    def fail(path: Path) -> None:
        raise ZeroDivisionError("division by zero")

    monkeypatch.setattr(reader, "read", fail)
    if traceback:
        with pytest.raises(ZeroDivisionError):
            main(["--traceback", "compare", *_files(base, base, tmp_path)])
    else:
        assert main(["compare", *_files(base, base, tmp_path)]) == 3
        assert capsys.readouterr().err == (
            "optsuite: unexpected ZeroDivisionError: division by zero; `optsuite --traceback ...` shows where\n"
        )


def test_the_order_of_the_runs_is_that_of_the_arguments(base: Run, tmp_path: Path) -> None:
    """Jobs that run beside each other finish in any order: the dates do not count."""
    old, new = _files(base, changed(base, "conv_qat_s0", "int8", **answering(COUNT, range(40))), tmp_path)
    assert main(["compare", old, new]) == 1
    assert main(["compare", new, old]) == 0


def test_verdicts_of_hostile_names() -> None:
    """A name from a stranger's file breaks no table and brings no markup."""
    one = Judgement(
        experiment="a|b<script>\nc", variant="int8", metric="presence", verdict=Verdict.MISSING, detail="gone"
    )
    text = verdicts.markdown([one, replace(one, experiment="x")], {}, Tolerances(), everything=False)
    assert "| MISSING | a\\|b&lt;script> c | int8 | presence | gone |" in text
