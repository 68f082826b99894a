"""Statistics of one kernel: zeros, distinct values, entropy."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Annotated

import numpy as np
from msgspec import Meta

from optsuite.errors import OptsuiteError
from optsuite.units import Count, Positive


@dataclass(frozen=True, kw_only=True)
class LayerWeights:
    """The statistics of one kernel.

    Attributes:
        name: The name of its layer.
        size: The number of weights.
        zeros: How many weights are zero.
        unique: The number of distinct values.
        channel_unique: The most distinct values of any output channel.
        entropy_bits: The least size of all weights in bits, if each is coded by itself (Shannon 1948).
        low: The lower end of the histogram.
        high: The upper end of the histogram.
        histogram: The counts of the finite weights in bins of equal width.

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


_BINS = 40


def describe(name: str, values: np.ndarray, *, channel_axis: int, zero: float = 0) -> LayerWeights:
    """Return the statistics of one kernel.

    The entropy is H = -sum(p log2 p) over the frequencies p of the distinct values, in bits per weight (Shannon 1948).

    Args:
        name: The name of its layer.
        values: The weights.
        channel_axis: The axis of the output channels.
        zero: The stored value that means 0.

    """
    if values.dtype == np.float16:
        # numpy 2.4 sorts float16 wrongly with AVX-512: 8 values came out as 12. Every float16 is a float32.
        values = values.astype(np.float32)
    _, counts = np.unique(values, return_counts=True)
    shares = counts / values.size
    channels = np.moveaxis(values, channel_axis, 0).reshape(values.shape[channel_axis], -1)
    histogram, edges = np.histogram(values[np.isfinite(values)].astype(float), bins=_BINS)
    return LayerWeights(
        name=name,
        size=values.size,
        zeros=int(np.count_nonzero(values == zero)),
        unique=len(counts),
        channel_unique=max(np.unique(channel).size for channel in channels),
        entropy_bits=float(-(shares * np.log2(shares)).sum() * values.size) + 0.0,
        low=float(edges[0]),
        high=float(edges[-1]),
        histogram=tuple(histogram.tolist()),
    )


def named_after(layers: Sequence[LayerWeights], kernels: Iterable[LayerWeights]) -> tuple[LayerWeights, ...]:
    """Return the kernels of a .tflite file under the names of the Keras layers that they come from.

    The converter joins the names of the operators that it merged; a layer's own is among them, with TFMOT's prefix
    or without.

    Raises:
        OptsuiteError: A kernel's name does not name one layer of the same size, or a layer has no kernel.

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
