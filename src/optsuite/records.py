"""What is written down: of a model by the build, of a run by the measuring."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Annotated, Literal

import numpy as np
from msgspec import Meta

from optsuite.spec import Fraction, Invariant, OptsuiteError, Promise

_LONGEST_S = 1e9
_MOST = 2**53
"""Larger integers are not exact as float."""
Seconds = Annotated[float, Meta(ge=0, le=_LONGEST_S)]
Duration = Annotated[float, Meta(gt=0, le=_LONGEST_S)]
"""Seconds that something took, and that others are divided by."""
Count = Annotated[int, Meta(ge=0, le=_MOST)]
Positive = Annotated[int, Meta(ge=1, le=_MOST)]
Precision = Literal["float32", "int8", "int16x8"]
"""What kernels compute in."""


@dataclass(frozen=True, kw_only=True)
class LayerWeights:
    """One kernel: `size` weights, of which `zeros` are zero, with `unique` distinct values.

    `channel_unique` is the most that any output channel has; `entropy_bits` is Shannon's bound on what all the
    weights take when each is coded by itself. `histogram` counts those that are finite in bins of equal width from
    `low` to `high`.
    """

    name: str
    size: Positive
    zeros: Count
    unique: Positive
    channel_unique: Positive
    entropy_bits: Annotated[float, Meta(ge=0)]
    low: float
    high: float
    histogram: Annotated[tuple[Count, ...], Meta(min_length=1)]


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
    promise: Promise
    preserve: tuple[Invariant, ...]
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


def _text(array: np.ndarray) -> str:
    return base64.b64encode(array.tobytes()).decode()


@dataclass(frozen=True, kw_only=True)
class Answers:
    """What `count` images scored, and the mean of it, `accuracy`, whatever the metric.

    Where images are answered right or wrong, `bits` is base64 of their bits, most significant first; else `numbers` is
    that of their scores as little-endian float32.
    """

    accuracy: float
    count: Positive
    bits: str = field(default="", repr=False)
    numbers: str = field(default="", repr=False)

    @classmethod
    def of(cls, scores: np.ndarray) -> Answers:
        """From bool or float32 (count,)."""
        if scores.dtype == bool:
            return cls(accuracy=float(scores.mean()), count=len(scores), bits=_text(np.packbits(scores)))
        stored = scores.astype("<f4")
        return cls(accuracy=float(stored.astype(float).mean()), count=len(stored), numbers=_text(stored))

    @property
    def graded(self) -> bool:
        """Whether the scores are not 0 or 1."""
        return bool(self.numbers)

    def scores(self) -> np.ndarray:
        """Bool or float32 (count,); OptsuiteError for another length, ValueError for what is not base64."""
        if self.graded:
            content, wanted = base64.b64decode(self.numbers, validate=True), 4 * self.count
        else:
            content, wanted = base64.b64decode(self.bits, validate=True), (self.count + 7) // 8
        if len(content) != wanted or (self.graded and self.bits):
            raise OptsuiteError(f"{len(content)} bytes of scores given; accepted for {self.count} images: {wanted}")
        if self.graded:
            return np.frombuffer(content, "<f4")
        return np.unpackbits(np.frombuffer(content, np.uint8), count=self.count).astype(bool)

    def right(self) -> np.ndarray:
        """Which images were answered right, bool (count,); OptsuiteError where none is right or wrong."""
        if self.graded:
            raise OptsuiteError("these answers are neither right nor wrong; accepted are those of a classifier")
        return self.scores()


@dataclass(frozen=True, kw_only=True)
class Built:
    """An experiment, and what its Keras model answers. `kind` is the recipe's name; `budget` bounds its drop.

    A file that was not built here is of the kind "file", and nothing is known of its Keras model.
    """

    id: str
    dataset: str
    model: str
    kind: str
    seed: Count
    budget: Fraction
    info: ModelInfo = field(repr=False)
    test: Answers | None
    validation: Answers | None

    @property
    def answers(self) -> Answers:
        """What its Keras model answers to the test images; OptsuiteError for a file that was not built here."""
        if self.test is None:
            raise OptsuiteError(f"{self.id} is a file: nothing is known of its Keras model")
        return self.test

    @property
    def unit(self) -> str:
        """The experiment without its seed: model and recipe."""
        return f"{self.model}_{self.kind}"

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
class Execution:
    """What the runtime makes of a file: medians over new interpreters, each loaded and called once.

    `load_s` is from the file's bytes to allocated tensors. `heap_bytes` is what the interpreter then holds, None where
    the C library can't tell. `precision` is what its kernels compute in. `operators` counts those that run; of them
    XNNPACK did not take `undelegated`, by name, in the order of the graph.
    """

    load_s: Seconds
    first_invoke_s: Seconds
    heap_bytes: Count | None
    precision: Precision
    operators: Count
    undelegated: tuple[str, ...]

    @property
    def delegate(self) -> str:
        """Whose kernels run: XNNPACK's, LiteRT's own, or some of each."""
        if not self.undelegated:
            return "XNNPACK"
        return "none" if len(self.undelegated) == self.operators else "XNNPACK in part"

    @property
    def note(self) -> str:
        """Why it is slower than its format makes expect; an empty string where XNNPACK runs all of it."""
        if self.precision == "int16x8" and self.delegate == "none":
            return "reference kernels: XNNPACK has none for int16"
        return f"not on XNNPACK: {', '.join(dict.fromkeys(self.undelegated))}" if self.undelegated else ""


@dataclass(frozen=True, kw_only=True)
class Measured:
    """A variant of an experiment: its answers, sizes, and the seconds of one pass over each split's images.

    `mistakes` are the labels that it gives to the test images that it gets wrong, in their order.
    `execution` is None for what is no .tflite file, and so is `validation_time_s`, as its answers were known.
    `key` is that of the artifact in the store, `sha256` that of the file in it that is measured. `weights` are the
    kernels as they ship; `note` says where the file is not what its variant's name makes expect.
    """

    experiment: str
    variant: str
    key: str
    sha256: str
    budget: Fraction
    test: Answers
    validation: Answers
    mistakes: tuple[Count, ...] = field(repr=False)
    total_time_s: Seconds
    validation_time_s: Seconds | None
    execution: Execution | None
    bytes: Positive
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
class Environment:
    """What of the machine pytest-benchmark's own `machine_info` (CPU, instruction sets) does not tell.

    `cores` are those that the process may use, `governor` is None where it can't be read, and so is `load`, the
    average number of runnable processes over the minute before the run began. `threads` is how many a model has.
    `peak_macs_per_s` is, by precision, what one thread reached in a matrix product.
    """

    cores: Count
    governor: str | None
    load: float | None
    threads: Count
    versions: Mapping[str, str]
    peak_macs_per_s: Mapping[str, Annotated[float, Meta(gt=0)]]


@dataclass(frozen=True, kw_only=True)
class Watch:
    """The reference model's median around a row that was timed: on coming to it, right before, and right after.

    `start_s` counts from when the run began to watch. Where the machine was slower than usual on coming, the row
    waited, for `waited_s`, until it was not, or had waited long enough.
    """

    experiment: str
    variant: str
    start_s: Seconds
    waited_s: Seconds
    coming_s: Duration
    before_s: Duration
    after_s: Duration


@dataclass(frozen=True, kw_only=True)
class Trainings:
    """A row, MODEL_RECIPE and variant, trained with several seeds: one test accuracy and gzip size per seed."""

    experiment: str
    variant: str
    seeds: tuple[Count, ...]
    accuracy: tuple[float, ...]
    gzip_bytes: tuple[Count, ...]


@dataclass(frozen=True, kw_only=True)
class Asked:
    """What the user narrowed a run to; an empty tuple where to nothing. `known` are all names that there were."""

    dataset: str
    matrix: str
    models: tuple[str, ...]
    recipes: tuple[str, ...]
    variants: tuple[str, ...]
    seeds: tuple[int, ...]
    known_models: tuple[str, ...]
    known_recipes: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Header:
    """What was asked for, on what it was run, and what is not in the benchmarks. `labels` are the test images'.

    `metric` is what is called accuracy everywhere else. Where it is not one of classes there are no labels.
    `data_sha256` is that of the test split. `trainings` are rows of which more seeds are known than were measured here
    (`optsuite spread --add-to`).
    """

    schema: int
    version: str
    profile: str
    asked: Asked
    experiments: tuple[str, ...]
    variants: tuple[str, ...]
    environment: Environment
    build_s: Seconds
    measure_s: Seconds
    watches: tuple[Watch, ...]
    labels: tuple[Count, ...] = field(repr=False)
    built: tuple[Built, ...]
    absences: tuple[Absence, ...]
    metric: str = "accuracy"
    data_sha256: str = ""
    trainings: tuple[Trainings, ...] = field(default=(), repr=False)

    @property
    def kind(self) -> dict[str, str]:
        """What two runs must have in common to be compared; what one of them does not tell is empty."""
        named = {"profile": self.profile, "dataset": self.asked.dataset}
        return named | {"metric": self.metric, "test split": self.data_sha256[:12]}

    def absence(self, experiment: str, variant: str) -> str:
        """Why there is no such row."""
        for one in self.absences:
            if (one.experiment, one.variant) == (experiment, variant):
                return one.reason
        asked = experiment in self.experiments and variant in self.variants
        return "not measured in this run" if asked else "not selected in this run"
