"""Records of a built Keras model."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated

from msgspec import Meta

from optsuite.results.kernels import LayerWeights
from optsuite.spec.invariant import Invariant, InvariantName
from optsuite.units import Count, Positive


@dataclass(frozen=True, kw_only=True)
class StageRecord:
    """The record of one stage.

    Attributes:
        stage: The name of the stage.
        epochs: The number of epochs.
        batch: The number of inputs per batch.
        loss: The training loss, one value per epoch.
        accuracy: The training accuracy, a fraction, one value per epoch; none where the training does not record it.
        val_accuracy: The accuracy on the validation split, likewise.
        invariants: What the stage guarantees for the weights of the layers that it transformed, by their names.
        preserve: The invariants of earlier stages that it preserves.
        weights: The statistics of the kernels after the stage.
        note: What else is worth knowing.
        arithmetic: The fingerprint of the process that trained (see `keras.arithmetic_fingerprint`), and those of the
            teacher's training; empty for a stage that trained nothing.

    """

    stage: str
    epochs: Count
    batch: Count
    loss: tuple[float, ...]
    accuracy: tuple[float, ...]
    val_accuracy: tuple[float, ...]
    invariants: Mapping[str, Invariant]
    preserve: tuple[InvariantName, ...]
    weights: tuple[LayerWeights, ...]
    note: str = ""
    arithmetic: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class ModelInfo:
    """The record of a built Keras model, or of a file that was not built here.

    Attributes:
        parameters: The number of parameters; of a file, those of its kernels and biases.
        macs: Multiply-accumulates for one input, dense count whatever the sparsity.
        keras_bytes: The size of the .h5 file in bytes; None for a file that was not built here.
        versions: The versions of the packages that its last stage was built with.
        stages: The records of its stages.
        data_sha256: The SHA-256 of the splits that it answered, by name.

    """

    parameters: Count
    macs: Count
    keras_bytes: Positive | None
    versions: Mapping[str, str]
    stages: Annotated[tuple[StageRecord, ...], Meta(min_length=1)]
    data_sha256: Mapping[str, str] = field(default_factory=dict)

    @property
    def layers(self) -> tuple[LayerWeights, ...]:
        """The kernels of the finished model."""
        return self.stages[-1].weights

    @property
    def arithmetic(self) -> frozenset[str]:
        """The fingerprints of all processes that trained it, or its teachers."""
        return frozenset(one for stage in self.stages for one in stage.arithmetic)
