"""Budgets: whether an accuracy drop is more than a variant or a recipe may cause, beyond chance."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from optsuite.judge.accuracy import AccuracyDrop, paired
from optsuite.results.built import Built
from optsuite.results.measured import Measured
from optsuite.results.run import Run

SHARE = 0.5
"""A drop over the budget fails if the true drop is more than this share of the budget, beyond chance."""
OVER = "over budget"
"""The property of a test's report that says what is over its budget."""
ALPHA = 0.01
"""The chance that a drop over the budget fails though the true drop is no more than that share."""


@dataclass(frozen=True, kw_only=True)
class Judged:
    """An accuracy drop, judged by its budget.

    Attributes:
        against: The reference: "keras" for a file, "baseline" for a recipe.
        what: The name of the variant or of the recipe.
        drop: The accuracy drop.
        budget: The budget, a fraction.
        setting: The key in tool.optsuite.budgets of pyproject.toml that changes the budget.

    """

    against: Literal["keras", "baseline"]
    what: str
    drop: AccuracyDrop
    budget: float
    setting: str

    @property
    def over(self) -> bool:
        """Whether the accuracy drop is more than the budget, by chance or not."""
        return self.drop.over(self.budget)

    @property
    def violated(self) -> bool:
        """Whether it is more than the budget, and the true drop more than `SHARE` of it, with a p of `ALPHA`."""
        return self.over and self.drop.p_worse(SHARE * self.budget) <= ALPHA

    def __str__(self) -> str:
        return (
            f"{self.against} {self.drop} {self.what}; budget {self.budget:.4f} "
            f"(to change it, set tool.optsuite.budgets.{self.setting} in pyproject.toml)"
        )


def over(run: Run) -> list[tuple[Built, Judged]]:
    """Return what is over its budget in a run, by chance or not, with its experiment."""
    found = []
    for built in run.header.built:
        if built.test is None:  # no experiment, but a file of which no Keras model is known
            continue
        reference = run.baseline(built)
        if reference is not None and reference is not built:
            found.append((built, of_recipe(reference, built)))
        rows = [row.measured for row in run.rows if row.measured.experiment == built.id and row.measured.execution]
        found += [(built, of_variant(built, measured)) for measured in rows]
    return [(built, judged) for built, judged in found if judged.over]


def of_variant(built: Built, measured: Measured) -> Judged:
    """Judge a .tflite file by its own Keras model."""
    return Judged(
        against="keras",
        what=measured.variant,
        drop=paired(built.answers, measured.test),
        budget=measured.budget,
        setting=f'variant."{built.model_recipe}-{measured.variant}"',
    )


def of_recipe(baseline: Built, built: Built) -> Judged:
    """Judge a recipe's Keras model by the baseline of its model and seed."""
    return Judged(
        against="baseline",
        what=built.recipe,
        drop=paired(baseline.answers, built.answers),
        budget=built.budget,
        setting=f'recipe."{built.model_recipe}"',
    )
