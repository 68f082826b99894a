"""The record of a measured variant."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from optsuite.results.answers import Answers
from optsuite.results.kernels import LayerWeights
from optsuite.units import Count, Fraction, Positive, Seconds

Precision = Literal["float32", "int8", "int16x8"]
"""What kernels compute in."""


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
