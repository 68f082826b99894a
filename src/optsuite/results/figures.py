"""The figures of a row, declared once: what they are called, their units, and which direction is better."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, kw_only=True)
class Figure:
    """The declaration of one figure.

    Attributes:
        name: Its name in the JSON and in tables.
        label: Its name in figures and on the page.
        unit: Its unit; an empty string for fractions and counts.
        better: Which direction is better.
        tolerance: How much worse than in the reference run still counts as the same, by default: an accuracy drop as
            a fraction, or a growth as a fraction. None for a figure that is not judged.

    """

    name: str
    label: str
    unit: str
    better: Literal["higher", "lower"]
    tolerance: float | None = None


ACCURACY = Figure(name="accuracy", label="test accuracy", unit="", better="higher", tolerance=0.001)
MEDIAN_S = Figure(name="median_s", label="latency, median of one call", unit="s", better="lower", tolerance=0.05)
BYTES = Figure(name="bytes", label="size", unit="bytes", better="lower", tolerance=0.01)
GZIP_BYTES = Figure(name="gzip_bytes", label="size after gzip", unit="bytes", better="lower", tolerance=0.01)
PARAMETERS = Figure(name="parameters", label="parameters", unit="", better="lower")
MACS = Figure(name="macs", label="MACs", unit="", better="lower")

FIGURES = (ACCURACY, MEDIAN_S, BYTES, GZIP_BYTES, PARAMETERS, MACS)
"""All figures of a row, in the order in which the page offers them."""
