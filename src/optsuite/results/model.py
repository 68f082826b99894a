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
    """What happened in one stage; the curves have a value an epoch, accuracies as fractions.

    `promise` is for the `layers` whose weights the stage transformed; of what was owed before, it keeps what is in
    `preserve`. `weights` are those after the stage. `arithmetic` has the fingerprint of the process that trained (see
    `keras.arithmetic_fingerprint`), and those of the teacher's training; it is empty for a stage that trained nothing.
    """

    stage: str
    epochs: Count
    batch: Count
    loss: tuple[float, ...]
    accuracy: tuple[float, ...]
    val_accuracy: tuple[float, ...]
    layers: tuple[str, ...]
    invariant: Invariant
    preserve: tuple[InvariantName, ...]
    weights: tuple[LayerWeights, ...]
    note: str = ""
    arithmetic: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class ModelInfo:
    """What is known of a built Keras model, or of a file. `macs` are for one input, dense, whatever the sparsity.

    `versions` are those of the packages that its last stage was built with, `data_sha256` those of the splits that it
    answered, by name. A file that was not built here has no `keras_bytes`, and as `parameters` those of its kernels and
    biases.
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
