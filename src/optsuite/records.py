"""What is written down: of a model by the build, of a run by the measuring."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Annotated

import numpy as np
from msgspec import Meta

from optsuite.spec import Fraction, Invariant, OptsuiteError, Promise

Seconds = Annotated[float, Meta(ge=0)]
Count = Annotated[int, Meta(ge=0)]


@dataclass(frozen=True, kw_only=True)
class LayerWeights:
    """One kernel: `size` weights, of which `zeros` are zero, with `unique` distinct values.

    `channel_unique` is the most that any output channel has; `entropy_bits` is Shannon's bound on what all the
    weights take when each is coded by itself.
    """

    name: str
    size: Annotated[int, Meta(ge=1)]
    zeros: int
    unique: int
    channel_unique: int
    entropy_bits: float


@dataclass(frozen=True, kw_only=True)
class StageRecord:
    """What happened in one stage; the curves have a value an epoch, accuracies as fractions.

    `promise` is for the `layers` whose weights the stage transformed; of what was owed before, it keeps what is in
    `preserve`. `weights` are those after the stage.
    """

    stage: str
    epochs: int
    batch: int
    loss: tuple[float, ...]
    accuracy: tuple[float, ...]
    val_accuracy: tuple[float, ...]
    layers: tuple[str, ...]
    promise: Promise
    preserve: tuple[Invariant, ...]
    weights: tuple[LayerWeights, ...]


@dataclass(frozen=True, kw_only=True)
class ModelInfo:
    """What is known of a built Keras model. `macs` are for one input, dense, whatever the sparsity."""

    parameters: int
    macs: int
    keras_bytes: int
    stages: Annotated[tuple[StageRecord, ...], Meta(min_length=1)]

    @property
    def layers(self) -> tuple[LayerWeights, ...]:
        """The kernels of the finished model."""
        return self.stages[-1].weights


@dataclass(frozen=True, kw_only=True)
class Answers:
    """Which of `count` images were answered right: `bits` is base64 of their bits, most significant first."""

    accuracy: Fraction
    count: Annotated[int, Meta(ge=1)]
    bits: str = field(repr=False)

    @classmethod
    def of(cls, right: np.ndarray) -> Answers:
        """From bool (count,)."""
        bits = base64.b64encode(np.packbits(right).tobytes()).decode()
        return cls(accuracy=float(right.mean()), count=len(right), bits=bits)

    def right(self) -> np.ndarray:
        """Bool (count,); OptsuiteError for bits of another length, ValueError for what is not base64."""
        packed = np.frombuffer(base64.b64decode(self.bits, validate=True), np.uint8)
        if len(packed) != (self.count + 7) // 8:
            raise OptsuiteError(
                f"{len(packed)} bytes of bits given; accepted for {self.count} images: {(self.count + 7) // 8}"
            )
        return np.unpackbits(packed, count=self.count).astype(bool)


@dataclass(frozen=True, kw_only=True)
class Built:
    """An experiment, and what its Keras model answers. `kind` is the recipe's name; `budget` bounds its drop."""

    id: str
    dataset: str
    model: str
    kind: str
    seed: Count
    budget: Fraction
    info: ModelInfo = field(repr=False)
    test: Answers
    validation: Answers

    @property
    def epochs(self) -> int:
        """Over all stages."""
        return sum(stage.epochs for stage in self.info.stages)

    @property
    def flops(self) -> int:
        """2 x MACs."""
        return 2 * self.info.macs

    @property
    def sparsity(self) -> float:
        """Zeros over all kernel weights, a fraction."""
        return _share([layer.zeros for layer in self.info.layers], self.info.layers)

    @property
    def prunable(self) -> float | None:
        """The share of the kernel weights that pruning touched, a fraction; None where nothing was pruned."""
        touched = {name for stage in self.info.stages if stage.stage == "prune" for name in stage.layers}
        if not touched:
            return None
        return _share([layer.size for layer in self.info.layers if layer.name in touched], self.info.layers)


def _share(parts: Sequence[int], layers: Sequence[LayerWeights]) -> float:
    return sum(parts) / max(1, sum(layer.size for layer in layers))


@dataclass(frozen=True, kw_only=True)
class Measured:
    """A variant of an experiment: its answers, sizes, and the seconds of one pass over the test images.

    `weights` are the kernels as they ship; `note` says where the file is not what its variant's name makes expect.
    """

    experiment: str
    variant: str
    budget: Fraction
    test: Answers
    validation: Answers
    total_time_s: Seconds
    bytes: Annotated[int, Meta(ge=1)]
    gzip_bytes: Count
    weights: tuple[LayerWeights, ...] = field(repr=False)
    note: str

    @property
    def entropy_bytes(self) -> float:
        """The least that its kernels take when every weight is coded by itself: the sum of n x H bits."""
        return sum(layer.entropy_bits for layer in self.weights) / 8


@dataclass(frozen=True, kw_only=True)
class Absence:
    """A variant that an experiment has not, and why."""

    experiment: str
    variant: str
    reason: str


@dataclass(frozen=True, kw_only=True)
class Header:
    """What was asked for, on what it was run, and what is not in the benchmarks."""

    schema: int
    version: str
    profile: str
    experiments: tuple[str, ...]
    variants: tuple[str, ...]
    versions: Mapping[str, str]
    build_s: Seconds
    measure_s: Seconds
    built: tuple[Built, ...]
    absences: tuple[Absence, ...]
