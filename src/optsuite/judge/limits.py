"""The limits of a device: what a file may cost there, and how accurate it has to be."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from optsuite.errors import OptsuiteError
from optsuite.results.figures import ACCURACY, BYTES, MEDIAN_S, Figure
from optsuite.results.run import Row, Run

Limit = str
"""What is limited: "size", "latency", "accuracy", or the name of another figure."""

_OWN_OPTIONS = {figure.name for figure in (ACCURACY, MEDIAN_S, BYTES)}
"""The figures whose limits are options of their own: accuracy is chosen by on the validation images."""


@dataclass(frozen=True, kw_only=True)
class OtherLimit:
    """The limit of a figure, and its value for each row of the run; a row without the figure is not within the limit.

    Attributes:
        figure: The declaration of the figure.
        bound: The limit.
        values: Experiment and variant -> the value of the figure.

    """

    figure: Figure
    bound: float
    values: Mapping[tuple[str, str], float] = field(repr=False)

    def value(self, row: Row) -> float | None:
        """Return the value of a row, or None."""
        return self.values.get((row.measured.experiment, row.measured.variant))

    def excess(self, rows: Sequence[Row]) -> np.ndarray:
        """Return by how much each row exceeds the limit, a share of it, float64 (n,); 0 for one that is within it."""
        values = np.array([np.inf if (value := self.value(row)) is None else value for row in rows])
        if self.figure.better == "higher":
            values = np.where(np.isinf(values), values, 2 * self.bound - values)  # mirrored at the limit
        return excess(values, self.bound)


def limit(run: Run, name: str, bound: float) -> OtherLimit:
    """Return a limit of a figure that a run declares.

    Raises:
        OptsuiteError: The run declares no such figure, or the figure has a limit of its own.

    """
    declared = {one.name: one for one in run.header.figures if one.name not in _OWN_OPTIONS}
    if name not in declared:
        raise OptsuiteError(f"unknown figure {name!r}; expected one of {', '.join(declared)}")
    values = {
        (row.measured.experiment, row.measured.variant): value
        for row in run.rows
        if (value := run.figure(row, name)) is not None
    }
    return OtherLimit(figure=declared[name], bound=bound, values=values)


@dataclass(frozen=True, kw_only=True)
class Limits:
    """The limits of the device.

    Attributes:
        max_bytes: The most bytes of the file, or None.
        max_latency_s: The most seconds of the median call, or None.
        min_accuracy: The least accuracy on the validation images, or None.
        others: The limits of other figures, by their names: the most of one of which less is better, else the least.

    """

    max_bytes: int | None = None
    max_latency_s: float | None = None
    min_accuracy: float | None = None
    others: Mapping[str, OtherLimit] = field(default_factory=dict)


def excess(values: np.ndarray, most: float | None, least: float = 0.0) -> np.ndarray:
    """A share of `most`, or of `least` where that is more: an accuracy of 1 allows no error."""
    if most is None:
        return np.zeros(len(values))
    found: np.ndarray = np.where(values > most * (1 + 1e-9) + 1e-12, (values - most) / max(most, least, 1e-12), 0.0)
    return found
