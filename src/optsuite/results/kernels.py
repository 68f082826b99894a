"""Statistics of one kernel: zeros, distinct values, entropy."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import numpy as np
from msgspec import Meta

from optsuite.units import Count, Positive


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


_BINS = 40


def describe(name: str, values: np.ndarray, *, channel_axis: int, zero: float = 0) -> LayerWeights:
    """Count one kernel. `channel_axis` is that of its output channels; `zero` is the stored value that means 0.

    Entropy by Shannon (1948): H = -sum(p log2 p) over the frequencies p of the distinct values, in bits a weight.
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
