"""The gates: no conversion and no recipe costs more accuracy than its budget."""

from __future__ import annotations

from optsuite.judge.accuracy import paired
from optsuite.results.built import Built
from optsuite.results.measured import Measured


def test_variant_keeps_accuracy(measured: Measured, built: Built, tflite_model: bytes) -> None:
    """A .tflite file answers as its own Keras model does, within the variant's budget."""
    drop = paired(built.answers, measured.test)
    assert not drop.over(measured.budget), f"keras {drop} {measured.variant}; budget {measured.budget:.4f}"


def test_recipe_keeps_accuracy(built: Built, baseline: Built) -> None:
    """A recipe's Keras model answers as the baseline of its model and seed does, within the recipe's budget."""
    drop = paired(baseline.answers, built.answers)
    assert not drop.over(built.budget), f"baseline {drop} {built.recipe}; budget {built.budget:.4f}"
