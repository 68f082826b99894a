"""The figures of a row, each declared once: what they are called, their units, and which direction is better."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Annotated, Literal

from msgspec import Meta

from optsuite.units import microseconds, number

NAME = "^[a-z][a-z0-9_-]{0,59}$"
"""What the names of figures match: they become columns and settings."""

Resource = Literal["", "flash", "sram", "arena", "cycles", "instructions", "latency"]


@dataclass(frozen=True, kw_only=True)
class Figure:
    """The declaration of one figure.

    Attributes:
        name: Its name in the JSON and in tables: small letters, digits, "_" and "-".
        label: Its name in figures and on the page.
        unit: Its unit; an empty string for fractions and counts.
        better: Which direction is better.
        tolerance: The default tolerance: how much worse than in the reference run the figure may be, as a fraction of
            its value there. For accuracy it is the accuracy drop itself. None for a figure that is not judged.
        varies: Whether it depends on the values of weights, so that it differs between two trainings of one model.
        resource: The resource of a target that the figure measures, such as "flash"; an empty string for none. Reports
            compare recipes by these figures, and `recommend --target` chooses and limits by them.
        setting: Its name in `[tool.optsuite.tolerances]`, where several figures share one; else it is `name`.

    """

    name: Annotated[str, Meta(pattern=NAME)]
    label: str
    unit: str
    better: Literal["higher", "lower"]
    tolerance: Annotated[float, Meta(ge=0)] | None = None
    varies: bool = False
    resource: Resource = ""
    setting: str = ""

    def text(self, value: float) -> str:
        """Return a value with its unit, for people."""
        if self.unit == "s":
            return microseconds(value)
        return f"{number(value)} {self.unit}".strip()

    def is_negative(self, figures: Mapping[str, int | float]) -> bool:
        """Whether it says in these figures that less than nothing of a target's resource is used."""
        return bool(self.resource) and figures.get(self.name, 0) < 0

    @property
    def tolerance_name(self) -> str:
        """Its name in `[tool.optsuite.tolerances]`."""
        return self.setting or self.name


ACCURACY = Figure(name="accuracy", label="test accuracy", unit="", better="higher", tolerance=0.001)
MEDIAN_S = Figure(
    name="median_s", label="latency, median of one call", unit="s", better="lower", tolerance=0.05, setting="latency"
)
BYTES = Figure(name="bytes", label="size", unit="bytes", better="lower", tolerance=0.01, setting="size")
GZIP_BYTES = Figure(
    name="gzip_bytes",
    label="size after gzip",
    unit="bytes",
    better="lower",
    tolerance=0.01,
    setting="size",
    varies=True,
)
PARAMETERS = Figure(name="parameters", label="parameters", unit="", better="lower")
MACS = Figure(name="macs", label="MACs", unit="", better="lower")

FIGURES = (ACCURACY, MEDIAN_S, BYTES, GZIP_BYTES, PARAMETERS, MACS)
"""The figures that every row has, in the order in which the page offers them."""


RESERVED = frozenset(
    {figure.name for figure in FIGURES}
    | {"presence", "invariants", "latency", "size"}
    | {"acc", "runs", "total_ms", "median_ms", "mean_ms", "p90_ms", "p99_ms", "min_ms", "max_ms"}
)
"""Names of figures, verdicts and columns that no examination may use for a figure of its own."""


def found(figures: Iterable[Figure]) -> tuple[Figure, ...]:
    """Return those that examinations declare, besides the ones that every row has."""
    every_row = {figure.name for figure in FIGURES}
    return tuple(figure for figure in figures if figure.name not in every_row)
