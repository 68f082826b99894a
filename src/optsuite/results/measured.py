"""The record of a measured variant."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from optsuite.results.answers import Answers
from optsuite.results.examined import Precision
from optsuite.results.kernels import LayerWeights
from optsuite.results.layer_bits import LayerBits
from optsuite.units import Count, Fraction, Number, Positive, Seconds


@dataclass(frozen=True, kw_only=True)
class Execution:
    """How the runtime runs a file.

    Attributes:
        load_s: Seconds from the bytes of the file to allocated tensors, median over new interpreters.
        first_invoke_s: Seconds of the first call, median over new interpreters.
        heap_bytes: What the interpreter holds in memory then; None where the C library does not count it.
        precision: The number format that its kernels compute in.
        operators: The number of operators that run.
        undelegated: The names of the operators that XNNPACK does not run, in the order of the graph.

    """

    load_s: Seconds
    first_invoke_s: Seconds
    heap_bytes: Count | None
    precision: Precision
    operators: Count
    undelegated: tuple[str, ...]

    @property
    def delegate(self) -> str:
        """The kernels that run: XNNPACK's, LiteRT's ("none"), or some of each."""
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
    """The record of a measured variant of an experiment.

    Attributes:
        experiment: The id of the experiment.
        variant: The name of the variant.
        key: The key of its artifact in the store.
        sha256: The SHA-256 of its file, as hex.
        budget: The accuracy drop against its Keras model that it may cause, a fraction.
        test: The scores on the test split.
        validation: The scores on the validation split.
        mistakes: The labels that it gives to the test images that it answers wrong, in their order.
        total_time_s: Seconds of one pass over the test split (see `litert.total_time_s`).
        execution: How the runtime runs it; None for the Keras model.
        bytes: The size of its file.
        gzip_bytes: The size of its file after gzip -9.
        weights: The statistics of its kernels.
        bits: The bits that were chosen for its layers, of a variant that chooses them.
        note: How the file differs from what the name of its variant makes one expect.
        figures: What other examinations found: the name of a figure -> its value.
        unexamined: The name of an examination that failed on the file -> why. Its figures are missing.

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
    execution: Execution | None
    bytes: Positive
    gzip_bytes: Count
    weights: tuple[LayerWeights, ...] = field(repr=False)
    bits: tuple[LayerBits, ...] = ()
    note: str
    figures: Mapping[str, Number] = field(default_factory=dict)
    unexamined: Mapping[str, str] = field(default_factory=dict)

    def figure(self, name: str) -> float | None:
        """Return a figure that was found of the file; None for one that it does not have."""
        if name in ("bytes", "gzip_bytes"):
            size: int = getattr(self, name)
            return size
        return self.test.accuracy if name == "accuracy" else self.figures.get(name)

    @property
    def entropy_bytes(self) -> float:
        """The least that its kernels take when every weight is coded by itself: the sum of n x H bits."""
        return sum(layer.entropy_bits for layer in self.weights) / 8
