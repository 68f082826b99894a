"""A run as it is read from its JSON."""

from __future__ import annotations

from dataclasses import dataclass, replace

from optsuite.results.built import Built
from optsuite.results.figures import Figure, found
from optsuite.results.header import Header
from optsuite.results.measured import Measured
from optsuite.results.timing import Timing


@dataclass(frozen=True, kw_only=True)
class Row:
    """One measured variant and its timing."""

    measured: Measured
    timing: Timing


@dataclass(frozen=True, kw_only=True)
class Run:
    """Everything that one `pytest benchmarks/` recorded."""

    header: Header
    date: str
    machine: str
    instruction_sets: tuple[str, ...]
    frequency: str
    commit: str
    rows: tuple[Row, ...]

    def by_dataset(self) -> list[Run]:
        """Return the run, or each dataset's part of it: accuracies on different data have no frontier in common."""
        if len(self.header.datasets) == 1:
            return [self]
        parts = []
        for header in map(self.header.of, self.header.datasets):
            rows = tuple(row for row in self.rows if row.measured.experiment in header.experiments)
            parts.append(replace(self, header=header, rows=rows))
        return [part for part in parts if part.rows or part.header.absences] or parts

    def row(self, experiment: str, variant: str) -> Row | None:
        """Return the row, or None; `absence` has the reason."""
        return next(
            (row for row in self.rows if (row.measured.experiment, row.measured.variant) == (experiment, variant)), None
        )

    def absence(self, experiment: str, variant: str) -> str:
        """Return why there is no row."""
        return self.header.absence(experiment, variant)

    def examined_figures(self) -> tuple[Figure, ...]:
        """Return the declarations of the figures that examinations found; those of absent tools are left out."""
        absent = {name for one in self.header.examinations if one.absent for name in one.figures}
        return tuple(figure for figure in found(self.header.figures) if figure.name not in absent)

    def targets(self) -> list[str]:
        """Return the names of the targets that have figures."""
        return list(dict.fromkeys(one.target for one in self.header.examinations if one.target and not one.absent))

    def resources(self) -> dict[str, list[Figure]]:
        """Return the declarations of what files use on each target that was examined, by the target's name."""
        declared = {figure.name: figure for figure in self.header.figures}
        resources: dict[str, list[Figure]] = {}
        for one in self.header.examinations:
            figures = [declared[name] for name in one.figures if name in declared and declared[name].resource]
            if one.target and figures and not one.absent:
                resources.setdefault(one.target, []).extend(figures)
        return resources

    def figure(self, row: Row, name: str) -> float | None:
        """Return a figure of a row, as `header.figures` declares it; None for one that the row does not have."""
        if name == "median_s":
            return row.timing.median_s
        if name in ("parameters", "macs"):
            built = next(one for one in self.header.built if one.id == row.measured.experiment)
            value: int = getattr(built.info, name)
            return value
        return row.measured.figure(name)

    def remarks(self, row: Row) -> str:
        """Return the note of a row, and why figures are missing that belong to no target: of these, many miss some."""
        targets = {one.name for one in self.header.examinations if one.target}
        reasons = row.measured.unexamined.items()
        missing = (f"no figures of {name}: {reason}" for name, reason in reasons if name not in targets)
        return "; ".join(filter(None, [row.measured.note, *missing]))

    def baseline(self, built: Built) -> Built | None:
        """Return the baseline of the same dataset, model and seed."""
        return self.sibling(built, "baseline")

    def sibling(self, built: Built, recipe: str) -> Built | None:
        """Return the experiment of another recipe with the same dataset, model and seed."""
        wanted = (built.dataset, built.model, built.seed, recipe)
        return next((b for b in self.header.built if (b.dataset, b.model, b.seed, b.recipe) == wanted), None)
