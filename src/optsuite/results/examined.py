"""What examinations find out of a file: figures, and the records of optsuite's own examinations."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from optsuite.results.answers import Answers
from optsuite.results.kernels import LayerWeights
from optsuite.units import Count, Number, Positive

Precision = Literal["float32", "int8", "int16x8"]
"""A number format that kernels compute in."""


@dataclass(frozen=True, kw_only=True)
class Findings:
    """What an examination found.

    Attributes:
        figures: The name of a figure that the examination declares -> its value. One that the file does not have is
            left out.
        note: What else is worth knowing of the file; it is shown beside its figures.

    """

    figures: Mapping[str, Number] = field(default_factory=dict)
    note: str = ""


@dataclass(frozen=True, kw_only=True)
class Answered(Findings):
    """The answers of a file.

    Attributes:
        test: The scores on the test split.
        validation: The scores on the validation split.
        mistakes: The labels that it gives to the test inputs that it answers wrong, in their order; none for a metric
            without classes.

    """

    test: Answers
    validation: Answers
    mistakes: tuple[Count, ...] = field(repr=False)


@dataclass(frozen=True, kw_only=True)
class Contents(Findings):
    """The kernels of a file.

    Attributes:
        weights: The statistics of its kernels, in the order of its operators.
        dtypes: The dtype of each kernel in the file.
        used_dtypes: The dtype that each kernel is cast to before it is used.
        activations: The dtypes of what the kernels are multiplied with, sorted.
        macs: Multiply-accumulates of the kernels for one input.
        biases: How many biases the kernels' operators have.

    """

    weights: tuple[LayerWeights, ...] = field(repr=False)
    dtypes: tuple[str, ...]
    used_dtypes: tuple[str, ...]
    activations: tuple[str, ...]
    macs: Count
    biases: Count

    @property
    def precision(self) -> Precision:
        """The format that the kernels compute in, the fastest of several; weights of 16 bits are unpacked."""
        if "int16" in self.activations:
            return "int16x8"
        return "int8" if {"int2", "int4", "int8", "uint8"} & set(self.used_dtypes) else "float32"

    def shares(self) -> dict[str, float]:
        """Return the share of all weights that each dtype has in the file, a fraction, the largest first."""
        sizes = Counter[str]()
        for kernel, dtype in zip(self.weights, self.dtypes, strict=True):
            sizes[dtype] += kernel.size
        return {dtype: size / sizes.total() for dtype, size in sizes.most_common()}


@dataclass(frozen=True, kw_only=True)
class Graph(Findings):
    """What the runtime makes of a file's graph.

    Attributes:
        operators: The number of operators that run.
        undelegated: The names of the operators that XNNPACK does not run, in the order of the graph.

    """

    operators: Count
    undelegated: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Sizes(Findings):
    """The sizes of a file in bytes: as it is, and after gzip -9."""

    bytes: Positive
    gzip_bytes: Count
