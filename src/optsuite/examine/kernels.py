"""The kernels of a .tflite file: their statistics, and the number formats that it computes in."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from optsuite import tflite
from optsuite.errors import OptsuiteError
from optsuite.results.kernels import LayerWeights, describe
from optsuite.results.measured import Precision
from optsuite.stages.convert import Convert


@dataclass(frozen=True, kw_only=True)
class Contents:
    """The kernels of a file.

    Attributes:
        weights: The statistics of its kernels, in the order of its operators.
        stored: The dtypes of the kernels.
        activations: The dtypes of what the kernels are multiplied with.
        macs: Multiply-accumulates of the kernels for one input.
        biases: How many biases the kernels' operators have.

    """

    weights: tuple[LayerWeights, ...]
    stored: frozenset[str]
    activations: frozenset[str]
    macs: int
    biases: int

    @property
    def precision(self) -> Precision:
        """The format that the kernels compute in, the fastest of several; weights of 16 bits are unpacked."""
        if "int16" in self.activations:
            return "int16x8"
        return "int8" if {"int8", "uint8"} & self.stored else "float32"


def read(content: bytes) -> Contents:
    """Read a .tflite file; OptsuiteError as for `tflite.kernels`."""
    found = tflite.kernels(content)
    return Contents(
        weights=tuple(
            describe(kernel.name, kernel.values, channel_axis=kernel.channel_axis, zero=kernel.zero) for kernel in found
        ),
        stored=frozenset(kernel.dtype for kernel in found),
        activations=frozenset(kernel.input_dtype for kernel in found),
        macs=sum(kernel.values.size * kernel.positions for kernel in found),
        biases=sum(kernel.biases for kernel in found),
    )


def note(formats: Convert, contents: Contents) -> str:
    """Return how a converted file differs from what its formats make one expect, or an empty string."""
    if formats.activations == "float32" and "int8" in contents.activations:
        return "integer graph, float I/O"
    if formats.weights != "float32" and contents.stored == {"float32"}:
        return "nothing quantised"
    return ""


def named_after(layers: Sequence[LayerWeights], kernels: Iterable[LayerWeights]) -> tuple[LayerWeights, ...]:
    """The kernels of a .tflite file under the names of the Keras layers that they come from.

    The converter joins the names of the operators that it merged; a layer's own is among them, with TFMOT's prefix
    or without. OptsuiteError where that does not name one layer of the same size for every kernel.
    """
    sizes = {layer.name: layer.size for layer in layers}
    renamed = []
    for kernel in kernels:
        parts = {part.removeprefix("quant_") for part in re.split("[/;]", kernel.name)}
        candidates = [name for name, size in sizes.items() if name in parts and size == kernel.size]
        if len(candidates) != 1:
            raise OptsuiteError(f"kernel {kernel.name!r} of {kernel.size} weights: layers that fit: {candidates}")
        renamed.append(replace(kernel, name=candidates[0]))
    if missing := set(sizes) - {kernel.name for kernel in renamed}:
        raise OptsuiteError(f"no kernel in the file for {', '.join(sorted(missing))}")
    return tuple(renamed)
