"""Metrics: what an answer scores, how it is written down, and what is said of a drop of it."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy import stats

from optsuite.__main__ import main
from optsuite.errors import OptsuiteError
from optsuite.judge import intervals
from optsuite.judge.accuracy import GradedDrop, paired, pooled
from optsuite.measure import standalone
from optsuite.results import reader
from optsuite.results.answers import Answers
from optsuite.spec.metric import ACCURACY, WORST, MeanAbsoluteError, TopK


@pytest.mark.parametrize(
    ("k", "right"),
    [(1, [True, False, False, False]), (2, [True, True, False, False]), (3, [True, True, True, False])],
)
def test_top_k(k: int, right: list[bool]) -> None:
    """Among the k largest; ties go to the first, and what is not all numbers is wrong."""
    outputs = np.array([[3, 2, 1, 0], [3, 3, 0, 0], [3, 3, 3, 0], [np.nan, 9, 9, 9]], float)
    scores = TopK(k=k).scores(outputs, np.array([0, 1, 2, 1]))
    assert scores.tolist() == right
    assert scores.dtype == bool


def test_mean_absolute_error() -> None:
    """Minus the error, so that larger is better; what is no number is as wrong as can be."""
    scores = MeanAbsoluteError().scores(np.array([[1.0], [2.5], [np.nan], [-np.inf]]), np.array([1.0, 2.0, 0.0, 0.0]))
    assert scores[:2].tolist() == [0.0, -0.5]
    assert (scores[2:] == -np.finfo(np.float32).max).all()
    assert np.isfinite(scores).all()


@pytest.mark.parametrize(
    ("name", "metric"),
    [("accuracy", ACCURACY), ("top-1", ACCURACY), ("top-5", TopK(k=5)), ("mae", MeanAbsoluteError())],
)
def test_names(name: str, metric: Any) -> None:
    """As the command takes them."""
    assert standalone.metric(name) == metric


@pytest.mark.parametrize("name", ["top-0", "top", "f1", ""])
def test_unknown_names(name: str) -> None:
    """The message says what was expected."""
    with pytest.raises(OptsuiteError, match="expected one of accuracy, top-K, mae"):
        standalone.metric(name)


def _graded(scores: Any) -> Answers:
    return Answers.of(np.asarray(scores, np.float32))


def test_graded_answers_survive_the_json() -> None:
    """To the bit; they are expected the answers of a classifier."""
    answers = _graded([-0.1, -2.5, 0.0])
    assert json.loads(json.dumps(asdict(answers))) == asdict(answers)
    assert answers.scores().tolist() == np.array([-0.1, -2.5, 0.0], np.float32).tolist()
    assert answers.accuracy == pytest.approx(-2.6 / 3)
    with pytest.raises(OptsuiteError, match="expected the answers of a classifier"):
        answers.correct()


def test_a_shift_is_students() -> None:
    """As scipy's paired test says, of one seed and of the mean of several."""
    rng = np.random.default_rng(0)
    before, after = (_graded(rng.normal(size=200)) for _ in range(2))
    drop = paired(before, after)
    assert isinstance(drop, GradedDrop)
    one, other = (answers.scores().astype(float) for answers in (before, after))
    assert drop.value == pytest.approx(before.accuracy - after.accuracy)
    assert drop.p_worse() == pytest.approx(stats.ttest_rel(one, other, alternative="greater").pvalue)
    assert drop.p_better() == pytest.approx(stats.ttest_rel(one, other, alternative="less").pvalue)
    assert drop.p_value() == pytest.approx(stats.ttest_rel(one, other).pvalue)
    expected = stats.ttest_rel(one, other).confidence_interval()
    assert drop.interval() == pytest.approx((expected.low, expected.high))
    assert (drop.lost, drop.gained) == ((other < one).sum(), (other > one).sum())
    assert str(drop).endswith(f"({drop.lost} of 200 answers worse, {drop.gained} better)")
    assert pooled([(before, after), (after, before)]).value == pytest.approx(0)


@pytest.mark.parametrize(("by", "p"), [(0.0, 1.0), (0.5, 0.0), (-0.5, 1.0)])
def test_all_answers_shifted_alike(by: float, p: float) -> None:
    """No variance is no division by it."""
    drop = paired(_graded(np.zeros(50)), _graded(np.full(50, -by)))
    assert drop.p_worse() == p
    assert drop.value == by
    assert drop.interval() == (by, by)
    assert not drop.over(by)
    assert drop.over(by - 0.01)
    assert drop.detectable(0.01, 0.001) == 0.001


@pytest.mark.parametrize(("before", "after", "worse"), [(0, 1, True), (1, 1, False), (1, 0, False), (2, 3, True)])
def test_answers_that_are_no_numbers(before: int, after: int, worse: bool) -> None:
    """More of them is worse, whatever the rest; the rest is compared without them."""
    rng = np.random.default_rng(0)
    scores = [-abs(rng.normal(size=500)) for _ in range(2)]
    for numbers, count in zip(scores, (before, after), strict=True):
        numbers[:count] = -WORST
    drop = paired(*map(_graded, scores))
    assert (drop.p_worse() <= 0.01, drop.over(0.5)) == (worse, worse)
    bad = _graded(np.where(scores[1] <= -WORST, scores[1], scores[1] - 0.5))
    assert paired(_graded(scores[0]), bad).p_worse() <= 0.01 or after < before


def test_shapes_that_do_not_fit() -> None:
    """Of answers, each metric says so itself."""
    with pytest.raises(OptsuiteError, match=r"expected one number per input .* got outputs of shape \(10,\)"):
        MeanAbsoluteError().check((10,), np.zeros(3))
    for shape in ((1,), (3,), (4, 10)):
        with pytest.raises(
            OptsuiteError, match="expected one number per class from the model, at least 4 for labels 0 to 3"
        ):
            TopK(k=2).check(shape, np.array([0, 3]))
    with pytest.raises(OptsuiteError, match=r"at least 5 for labels 1 to 4, got .*; labels count from 0"):
        TopK().check((4,), np.array([1, 4]))


def test_a_drop_that_can_be_found_is() -> None:
    """The smallest detectable drop has the p that it was asked for."""
    rng = np.random.default_rng(1)
    noise = rng.normal(size=400)
    found = paired(_graded(np.zeros(400)), _graded(noise)).detectable(0.01, 0.0)
    assert found is not None
    moved = paired(_graded(np.zeros(400)), _graded(noise - noise.mean() - found))
    assert moved.p_worse() == pytest.approx(0.01, rel=1e-3)


def test_the_interval_of_a_mean() -> None:
    """Student's; of one answer, and of equal ones, that itself."""
    scores = np.random.default_rng(2).normal(size=100)
    low, high = intervals.accuracy(_graded(scores))
    expected = stats.ttest_1samp(scores.astype(np.float32).astype(float), 0).confidence_interval()
    assert (low, high) == pytest.approx((expected.low, expected.high))
    assert intervals.accuracy(_graded([-1.0])) == (-1.0, -1.0)


@pytest.fixture
def graded_run(run_json: dict[str, Any]) -> dict[str, Any]:
    """The run in memory as one of regression."""
    rng = np.random.default_rng(0)
    targets = [row["extra_info"]["optsuite"] for row in run_json["benchmarks"][:-1]] + run_json["optsuite"]["built"]
    for one in targets:
        one |= {name: asdict(_graded(-abs(rng.normal(size=100)))) for name in ("test", "validation")}
        if "mistakes" in one:
            one["mistakes"] = []
    run_json["optsuite"]["datasets"] = [{"name": "mnist", "labels": [], "metric": "negative mean absolute error"}]
    return run_json


def test_every_command_takes_a_graded_run(
    graded_run: dict[str, Any], write_run: Callable[[Any], Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """And says what it is that is called accuracy."""
    path = write_run(graded_run)
    assert main(["report", str(path), "--out", str(tmp_path / "out")]) == 0
    assert main(["recommend", str(path)]) == 0
    assert main(["recommend", str(path), "--min-accuracy", "0.9"]) == 2
    assert "expected a run whose metric is an accuracy for --min-accuracy" in capsys.readouterr().err
    assert main(["compare", str(path), str(path)]) == 0
    assert "negative mean absolute error, which is called accuracy" in (tmp_path / "out" / "report.md").read_text()
    worse = json.loads(json.dumps(graded_run))
    measured = worse["benchmarks"][1]["extra_info"]["optsuite"]
    measured |= {"test": asdict(_graded(reader.read(path).rows[1].measured.test.scores() - 0.5)), "sha256": "other"}
    (tmp_path / "worse.json").write_text(json.dumps(worse))
    capsys.readouterr()
    assert main(["compare", str(path), str(tmp_path / "worse.json")]) == 1
    assert "REGRESSED" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda run: run["optsuite"]["datasets"][0].update(labels=[0] * 100), "expected answers of one metric"),
        (lambda run: run["optsuite"]["built"][0]["test"].update(accuracy=-9.0), "its scores disagree"),
        (lambda run: run["optsuite"]["built"][0]["test"].update(count=99), "expected 396 bytes of scores"),
        (lambda run: run["optsuite"]["built"][0]["test"].update(bits="AA=="), "scores as bits or as numbers, got both"),
        (
            lambda run: run["optsuite"]["built"][0]["test"].update(
                asdict(Answers(accuracy=0.0, count=100, numbers=_graded([np.nan] * 100).numbers))
            ),
            "its scores disagree",
        ),
    ],
)
def test_graded_runs_that_can_not_be_believed(
    change: Callable[[dict[str, Any]], None],
    said: str,
    graded_run: dict[str, Any],
    write_run: Callable[[Any], Path],
    capsys: pytest.CaptureFixture[str],
) -> None:
    """One line, exit 2."""
    change(graded_run)
    assert main(["recommend", str(write_run(graded_run))]) == 2
    assert said in capsys.readouterr().err
