"""The gates on what pruning and clustering guarantee, in the Keras model and in the .tflite file."""

from __future__ import annotations

from optsuite.judge.invariants import in_force, violations
from optsuite.results.built import Built
from optsuite.results.measured import Measured


def test_invariants_hold_after_each_stage(built: Built) -> None:
    """After each stage, the weights of every layer hold the invariants that are in force then."""
    found = []
    for number, stage in enumerate(built.info.stages, 1):
        invariants = in_force(built.info.stages[:number])
        for violation in violations(invariants, stage.weights, per_channel=False):
            found.append(f"after {stage.stage}: {violation}")
    assert not found, "\n".join(found)


def test_invariants_hold_in_the_file(built: Built, measured: Measured, tflite_model: bytes) -> None:
    """The weight tensors of the .tflite file hold the invariants that are in force after the last stage."""
    found = violations(in_force(built.info.stages), measured.weights, per_channel=True)
    assert not found, "\n".join(map(str, found))
