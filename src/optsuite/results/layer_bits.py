"""The record of a choice of bits: how many each layer of a file was given, and what it was chosen by."""

from __future__ import annotations

from dataclasses import dataclass

from optsuite.units import Count, Positive


@dataclass(frozen=True, kw_only=True)
class LayerBits:
    """The bits that a layer's weights were given.

    Attributes:
        layer: The name of the layer.
        weights: How many weights it has.
        bits: How many bits each weight was given.
        lost: The accuracy that the file loses on the validation split if this layer alone has 4 bits and all others 8,
            a fraction, or a difference of the metric; None for a layer that can't have 4.
        saved_bytes: How many bytes its weights save at 4 bits; 0 for a layer that can't have them.

    """

    layer: str
    weights: Positive
    bits: Count
    lost: float | None
    saved_bytes: Count
