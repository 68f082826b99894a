"""Drops, budgets and the frontier: golden tables."""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import pytest
from catalogs import BUILTIN
from scipy.stats import binomtest

from optsuite import config
from optsuite.catalog.selection import select
from optsuite.catalog.variants import VARIANTS
from optsuite.errors import OptsuiteError
from optsuite.judge.accuracy import paired, pooled
from optsuite.judge.pareto import frontier
from optsuite.results.answers import Answers
from optsuite.results.header import CatalogNames
from optsuite.spec.experiment import Profile


@pytest.mark.parametrize(
    ("lost", "gained", "budget", "over"),
    [
        (0, 0, 0.0, False),
        (1, 0, 0.0, True),
        (10, 10, 0.0, False),
        (50, 0, 0.005, False),  # exactly the budget: 0.9900 - 0.9850 is a bit over 0.005 in floating point
        (51, 0, 0.005, True),
        (80, 30, 0.005, False),
        (81, 30, 0.005, True),
        (0, 50, 0.0, False),
    ],
)
def test_drop(lost: int, gained: int, budget: float, over: bool) -> None:
    """The drop is counted in images; only more than the budget is over it."""
    before = np.arange(10_000) < 9_900
    after = before.copy()
    after[:lost] = False
    after[len(after) - gained :] = True
    drop = paired(Answers.of(before), Answers.of(after))
    assert (drop.lost, drop.gained, drop.over(budget)) == (lost, gained, over)
    assert drop.value == pytest.approx((lost - gained) / 10_000)


def test_drop_says_what_a_person_asks() -> None:
    """Both accuracies, the accuracy drop, and the answers that changed each way."""
    drop = paired(Answers.of(np.array([True] * 9 + [False])), Answers.of(np.array([False] * 2 + [True] * 8)))
    changed = "2 of 10 answers correct before and wrong after, 1 wrong before and correct after"
    assert str(drop) == f"0.9000 -> 0.8000, accuracy drop 0.1000 ({changed})"
    gain = paired(Answers.of(np.array([True, False])), Answers.of(np.array([True, True])))
    assert str(gain).startswith("0.5000 -> 1.0000, accuracy gain 0.5000 (")


@pytest.mark.parametrize(("lost", "gained"), [(0, 0), (1, 0), (5, 5), (0, 8), (30, 12), (300, 200)])
def test_p_value_of_one_seed_is_mcnemar_exact(lost: int, gained: int) -> None:
    """A binomial test of the images whose answers changed."""
    before = np.arange(10_000) < 9_000
    after = before.copy()
    after[:lost], after[len(after) - gained :] = False, True
    expected = binomtest(lost, lost + gained).pvalue if lost + gained else 1.0
    assert paired(Answers.of(before), Answers.of(after)).p_value() == pytest.approx(expected)


def test_p_value_of_several_seeds_counts_images_not_answers() -> None:
    """Three seeds that lose the same image are one image that was lost, not three independent ones."""
    rng = np.random.default_rng(0)
    before, after = rng.random((2, 3, 12)) < 0.6
    after[:, :4] = False
    drop = pooled([(Answers.of(b), Answers.of(a)) for b, a in zip(before, after, strict=True)])
    assert drop.count == 36
    assert drop.value == pytest.approx(before.mean() - after.mean())
    nets = before.sum(axis=0) - after.sum(axis=0)
    swaps = np.array(list(itertools.product((-1, 1), repeat=12))) @ nets
    assert drop.p_value() == pytest.approx((abs(swaps) >= abs(nets.sum())).mean())
    again = pooled([(Answers.of(before[0]), Answers.of(after[0]))] * 3)
    assert again.p_value() == pytest.approx(paired(Answers.of(before[0]), Answers.of(after[0])).p_value())


def test_different_images_can_not_be_paired() -> None:
    """A smoke run against a full one, say."""
    with pytest.raises(OptsuiteError, match="10 and 8 images"):
        paired(Answers.of(np.ones(10, bool)), Answers.of(np.ones(8, bool)))


@pytest.mark.parametrize(
    ("points", "expected"),
    [
        ([], []),
        ([(1, 0.9)], [0]),
        ([(2, 0.9), (1, 0.9)], [1]),  # same value, cheaper
        ([(1, 0.8), (1, 0.9)], [1]),  # same cost, better
        ([(3, 0.99), (1, 0.9), (2, 0.95)], [1, 2, 0]),  # all, by cost
        ([(1, 0.9), (2, 0.8), (3, 0.95)], [0, 2]),  # the middle is beaten
        ([(1, 0.9), (1, 0.9)], [0, 1]),  # equals stand together
    ],
)
def test_frontier(points: list[tuple[float, float]], expected: list[int]) -> None:
    """What no other beats, cheapest first."""
    assert frontier(points) == expected


CONFIG = """
[tool.optsuite.budgets]
recipe = { "dscnn_*" = 0.02, "dscnn_prune-0.8" = 0.08, "*_qat" = 0.01 }
variant = { "conv_*-int8" = 0.003 }
"""


@pytest.fixture
def pyproject(tmp_path: Path) -> Path:
    (tmp_path / "pyproject.toml").write_text(CONFIG)
    return tmp_path / "pyproject.toml"


@pytest.mark.parametrize(
    ("experiment", "budget"),
    [
        ("dscnn_kd_s0", 0.02),
        ("dscnn_prune-0.8_s0", 0.08),
        ("dscnn_qat_s0", 0.01),  # two match: the last
        ("conv_prune-0.8_s0", 0.005),  # none: the catalogue's
    ],
)
def test_recipe_budgets(pyproject: Path, experiment: str, budget: float) -> None:
    """By pattern of model and recipe; the last that matches counts."""
    one = next(e for e in select(BUILTIN).experiments if e.id == experiment)
    settings = config.read(pyproject)
    assert settings.recipe_budget(one, Profile(name="p")) == budget
    assert settings.recipe_budget(one, Profile(name="p", min_budget=0.5)) == 0.5


def test_budgets_in_a_run_of_several_datasets(pyproject: Path) -> None:
    """A pattern matches with and without the dataset."""
    pyproject.write_text(CONFIG.replace('"*_qat" = 0.01', '"*_qat" = 0.01, "fashion_*/conv_*" = 0.3'))
    settings = config.read(pyproject)
    assert (
        settings.unused(CatalogNames(models=("dscnn", "conv"), recipes=("prune-0.8", "qat"), variants=("int8",))) == []
    )
    found = {
        one.id: settings.recipe_budget(one, Profile(name="p"))
        for one in select(BUILTIN, datasets=["mnist", "fashion_mnist"], recipes=["qat"]).experiments
    }
    assert found["mnist/dscnn_qat_s0"] == 0.01
    assert found["fashion_mnist/dscnn_qat_s0"] == 0.01
    assert found["fashion_mnist/conv_qat_s0"] == 0.3
    assert found["mnist/conv_qat_s0"] == 0.01


def test_variant_budgets(pyproject: Path) -> None:
    """By pattern of model, recipe and variant."""
    one = select(BUILTIN).experiments[0]
    settings = config.read(pyproject)
    assert settings.variant_budget(one, VARIANTS["int8"], Profile(name="p")) == 0.003
    assert settings.variant_budget(one, VARIANTS["uint8"], Profile(name="p")) == 0.005


@pytest.mark.parametrize("text", ["", "[tool.other]\nx = 1"])
def test_no_section_means_the_defaults(tmp_path: Path, text: str) -> None:
    """Nor is a file needed."""
    assert config.read(tmp_path / "none.toml") == config.Config()
    (tmp_path / "pyproject.toml").write_text(text)
    assert config.read(tmp_path / "pyproject.toml") == config.Config()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[tool.optsuite]\nbudget = 1", "unknown field `budget`"),
        ("tool = 3", "Expected `object`, got `int`"),
        ("tool.optsuite = 3", "Expected `object`, got `int`"),
        ("[tool.optsuite.budgets]\nmodel = {}", "unknown field `model`"),
        ("[tool.optsuite.budgets]\nrecipe = { a = 'x' }", "Expected `float`, got `str`"),
        ("[tool.optsuite.budgets]\nrecipe = { a = 2 }", "<= 1"),
        ("[tool.optsuite", "tool.optsuite"),
    ],
)
def test_a_wrong_section_is_an_error(tmp_path: Path, text: str, message: str) -> None:
    """A budget that nobody reads would be a gate that nobody set."""
    (tmp_path / "pyproject.toml").write_text(text)
    with pytest.raises(OptsuiteError, match=message):
        config.read(tmp_path / "pyproject.toml")
