"""The limits of a device: what a file may cost there, and how accurate it has to be."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from optsuite.errors import OptsuiteError
from optsuite.results.figures import ACCURACY, BYTES, MEDIAN_S, Figure
from optsuite.results.run import Row, Run

Limit = str
"""What is limited: "size", "latency", "accuracy", or the name of another figure."""

_OWN_OPTIONS = {figure.name for figure in (ACCURACY, MEDIAN_S, BYTES)}
"""The figures whose limits are options of their own: accuracy is chosen by on the validation set."""


@dataclass(frozen=True, kw_only=True)
class KnownFigure:
    """A figure, and its value for each row of a run that has it.

    Attributes:
        figure: The declaration of the figure.
        values: Experiment and variant -> the value of the figure.

    """

    figure: Figure
    values: Mapping[tuple[str, str], float] = field(repr=False)

    @classmethod
    def of(cls, run: Run, figure: Figure) -> KnownFigure:
        """Return the values of a figure in a run."""
        values = {
            (row.measured.experiment, row.measured.variant): value
            for row in run.rows
            if (value := run.figure(row, figure.name)) is not None
        }
        return cls(figure=figure, values=values)

    def value(self, row: Row) -> float | None:
        """Return the value of a row, or None."""
        return self.values.get((row.measured.experiment, row.measured.variant))

    def array(self, rows: Sequence[Row]) -> np.ndarray:
        """Return the values of rows that have the figure, float64 (n,)."""
        return np.array([self.value(row) for row in rows], float)


@dataclass(frozen=True, kw_only=True)
class OtherLimit(KnownFigure):
    """The limit of a figure; a row without the figure is not within it.

    Attributes:
        bound: The limit.

    """

    bound: float

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
    known = KnownFigure.of(run, declared[name])
    return OtherLimit(figure=known.figure, values=known.values, bound=bound)


@dataclass(frozen=True, kw_only=True)
class Limits:
    """The limits of the device.

    Attributes:
        max_bytes: The most bytes of the file, or None.
        max_latency_s: The most seconds of the median call, or None.
        min_accuracy: The least accuracy on the validation set, or None.
        others: The limits of other figures, by their names: the largest value of a figure with better="lower", the
            smallest value of one with better="higher".

    """

    max_bytes: int | None = None
    max_latency_s: float | None = None
    min_accuracy: float | None = None
    others: Mapping[str, OtherLimit] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Place:
    """A target, and what the files of a run use there.

    Attributes:
        name: The name of the target.
        examinations: The names of its examinations.
        resources: What a file uses there.
        size: What counts as the size: the flash, or the file where the target has no figure for that.
        second: What counts beside it: the latency, or where that is not known the first figure that is no flash.

    """

    name: str
    examinations: tuple[str, ...]
    resources: tuple[KnownFigure, ...]
    size: KnownFigure
    second: KnownFigure

    @classmethod
    def of(cls, run: Run, name: str) -> Place:
        """Return a target of a run; OptsuiteError for one that it has no figures of."""
        targets = run.resources()
        if name not in targets:
            known = f"one of {', '.join(targets)}" if targets else "a run with targets"
            reasons = [one.absent for one in run.header.examinations if one.target == name and one.absent]
            text = f"the run has no figures of target {name!r}; expected {known}"
            raise OptsuiteError("; ".join([text, *reasons]))
        resources = tuple(KnownFigure.of(run, figure) for figure in targets[name])
        by_resource = {one.figure.resource: one for one in resources}
        size = by_resource.pop("flash", None) or KnownFigure.of(run, BYTES)
        return cls(
            name=name,
            examinations=tuple(one.name for one in run.header.examinations if one.target == name),
            resources=resources,
            size=size,
            second=by_resource.get("latency") or next((one for one in resources if one is not size), size),
        )

    def reasons(self, row: Row) -> list[str]:
        """Return why a file does not run there."""
        found = dict.fromkeys(
            row.measured.unexamined[one] for one in self.examinations if one in row.measured.unexamined
        )
        missing = [one.figure.label for one in self.resources if one.value(row) is None]
        return list(found) or [f"it has no {', '.join(missing)}"]

    def runs(self, row: Row) -> bool:
        """Whether a file runs there: all figures are known."""
        return all(one.value(row) is not None for one in self.resources)

    def add(self, limits: Limits, most: Mapping[str, float]) -> Limits:
        """Return the limits with those of resources added: the most that a file may use of each.

        Raises:
            OptsuiteError: The target has no figure of a resource.

        """
        known: dict[str, KnownFigure] = {"flash": self.size}
        known |= {one.figure.resource: one for one in self.resources}
        others = dict(limits.others)
        for resource, bound in most.items():
            if resource not in known:
                options = ", ".join(f"--max-{one}" for one in known if one != "cycles")
                raise OptsuiteError(f"--max-{resource}: {self.name} has no figure for it; expected some of {options}")
            one = known[resource]
            if one.figure == BYTES:
                limits = replace(limits, max_bytes=min(int(bound), limits.max_bytes or int(bound)))
            else:
                least = min(bound, others[name].bound) if (name := one.figure.name) in others else bound
                others[name] = OtherLimit(figure=one.figure, values=one.values, bound=least)
        return replace(limits, others=others)


def excess(values: np.ndarray, most: float | None, least: float = 0.0) -> np.ndarray:
    """A share of `most`, or of `least` where that is more: an accuracy of 1 allows no error."""
    if most is None:
        return np.zeros(len(values))
    found: np.ndarray = np.where(values > most * (1 + 1e-9) + 1e-12, (values - most) / max(most, least, 1e-12), 0.0)
    return found
