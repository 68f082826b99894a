"""The gates: no conversion and no recipe costs more accuracy than its budget, beyond chance."""

from __future__ import annotations

from collections.abc import Callable

from optsuite.judge import budgets
from optsuite.results.built import Built
from optsuite.results.measured import Measured


def test_variant_keeps_accuracy(
    measured: Measured, built: Built, tflite_model: bytes, record_property: Callable[[str, object], None]
) -> None:
    """A .tflite file answers as its own Keras model does, within the variant's budget."""
    judged = budgets.of_variant(built, measured)
    if judged.over:
        record_property(budgets.OVER, str(judged))
    assert not judged.violated, str(judged)


def test_recipe_keeps_accuracy(built: Built, baseline: Built, record_property: Callable[[str, object], None]) -> None:
    """A recipe's Keras model answers as the baseline of its model and seed does, within the recipe's budget."""
    judged = budgets.of_recipe(baseline, built)
    if judged.over:
        record_property(budgets.OVER, str(judged))
    assert not judged.violated, str(judged)
