"""Budgets: what is over one by chance passes, what is over it in truth is found."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from optsuite import report
from optsuite.judge import budgets, paired_exact
from optsuite.judge.accuracy import BinaryDrop, GradedDrop
from optsuite.judge.budgets import Judged
from optsuite.results import reader


def _judged(lost: int, gained: int, images: int, budget: float = 0.005) -> Judged:
    drop = BinaryDrop(
        reference=0.9,
        candidate=0.9 - (lost - gained) / images,
        count=images,
        images=images,
        lost=lost,
        gained=gained,
        nets={1: lost, -1: gained},
    )
    return Judged(against="keras", what="int8", drop=drop, budget=budget, setting="here")


@pytest.mark.parametrize(
    ("lost", "gained", "images", "over", "violated"),
    [
        (21, 14, 1_000, True, False),  # the case that was red
        (50, 0, 10_000, False, False),  # the budget, and no more
        (51, 0, 10_000, True, True),
        (92, 33, 10_000, True, True),
        (155, 104, 10_000, True, False),  # the same net loss where more answers change
        (7, 0, 500, True, False),
        (8, 0, 500, True, True),
        (1, 0, 100, True, False),
        (10, 0, 100, True, True),
        (500, 0, 500, True, True),
    ],
)
def test_verdicts(lost: int, gained: int, images: int, over: bool, violated: bool) -> None:
    """Over the budget, and beyond chance over half of it."""
    judged = _judged(lost, gained, images)
    assert (judged.over, judged.violated) == (over, violated)


@cache
def _p(lost: int, gained: int, images: int, drop: float) -> float:
    return paired_exact.p_worse_than(lost, gained, images, drop)


def _failing(images: int, changed: float, drop: float, budget: float, monkeypatch: pytest.MonkeyPatch) -> float:
    """The share of 2,000 simulated pairs of models whose gate fails; `changed` is the share of answers that change."""
    monkeypatch.setattr("optsuite.judge.accuracy.p_worse_than", _p)
    rng = np.random.default_rng(0)
    changed = max(changed, drop)
    chances = [(changed + drop) / 2, (changed - drop) / 2, 1 - changed]
    pairs = rng.multinomial(images, chances, size=2_000).tolist()
    return sum(_judged(lost, gained, images, budget).violated for lost, gained, _ in pairs) / len(pairs)


@pytest.mark.parametrize("images", [500, 1_000, 10_000])
@pytest.mark.parametrize("changed", [0.004, 0.01, 0.026])
@pytest.mark.parametrize("budget", [0.001, 0.005, 0.01])
def test_no_drop_hardly_ever_fails(images: int, changed: float, budget: float, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of equal models at most 1 in 100, whatever the budget."""
    assert _failing(images, changed, 0.0, budget, monkeypatch) <= 0.01


@pytest.mark.parametrize("changed", [0.004, 0.01, 0.026])
@pytest.mark.parametrize("budget", [0.005, 0.01])
def test_twice_the_budget_is_found(changed: float, budget: float, monkeypatch: pytest.MonkeyPatch) -> None:
    """On 10,000 images, of 100 models that truly lose twice their budget at least 90 fail."""
    assert _failing(10_000, changed, 2 * budget, budget, monkeypatch) >= 0.9


def test_graded_answers_are_judged_too() -> None:
    """By Student's t; and an answer that is no number violates any budget."""
    lost_by = np.random.default_rng(0).normal(0.02, 0.1, 400)
    drop = GradedDrop(
        reference=0, candidate=-0.02, count=400, images=400, lost=9, gained=0, lost_by=lost_by, not_finite=0
    )
    judged = Judged(against="keras", what="int8", drop=drop, budget=0.001, setting="here")
    assert (judged.over, judged.violated) == (True, True)
    near = replace(judged, budget=float(lost_by.mean()) - 1e-4)
    assert (near.over, near.violated) == (True, False) or lost_by.mean() > 0.03
    broken = replace(judged, drop=replace(drop, not_finite=1), budget=1.0)
    assert broken.violated


def test_what_is_over_in_a_run(run_json: dict[str, Any], write_run: Callable[[Any], Path], tmp_path: Path) -> None:
    """Is in the report with its verdict; the message names the key of pyproject.toml that changes the budget."""
    run = reader.read(write_run(run_json))
    ((built, judged),) = [one for one in budgets.over(run) if one[1].against == "baseline"]
    assert (built.id, judged.violated) == ("conv_qat_s0", False)
    assert str(judged).startswith("baseline 1.0000 -> 0.9800, accuracy drop 0.0200 (2 of 100 answers")
    assert str(judged).endswith('(to change it, set tool.optsuite.budgets.recipe."conv_qat" in pyproject.toml)')
    report.write(run, tmp_path)
    text = (tmp_path / "report.md").read_text()
    line = next(
        line
        for line in text.splitlines()
        if line.startswith("| conv_qat_s0 ") and "0.0200" in line and "chance" in line
    )
    assert "may be chance" in line
