"""The gates on what pruning and clustering promised, in Keras and in the bytes that ship."""

from __future__ import annotations

from optsuite.judge.invariants import in_force, violations
from optsuite.results.built import Built
from optsuite.results.measured import Measured


def test_stages_keep_promises(built: Built) -> None:
    """After each stage, every layer keeps what this stage and those before it promised and later ones preserve."""
    faults = []
    for number, stage in enumerate(built.info.stages, 1):
        invariants = in_force(built.info.stages[:number])
        faults += [
            f"after {stage.stage}: {fault}" for fault in violations(invariants, stage.weights, per_channel=False)
        ]
    assert not faults, "\n".join(faults)


def test_file_keeps_promises(built: Built, measured: Measured, tflite_model: bytes) -> None:
    """The weight tensors of the .tflite file keep what is owed after the last stage."""
    faults = violations(in_force(built.info.stages), measured.weights, per_channel=True)
    assert not faults, "\n".join(faults)
