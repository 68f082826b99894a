"""A run as it is read from its JSON."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import zip_longest
from typing import TYPE_CHECKING, Any

from optsuite.results.built import Built
from optsuite.results.figures import Figure, found
from optsuite.results.header import Header
from optsuite.results.measured import Measured
from optsuite.results.timing import Timing

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, kw_only=True)
class Row:
    """One measured variant and its timing."""

    measured: Measured
    timing: Timing


@dataclass(frozen=True, kw_only=True)
class Run:
    """Everything that one `pytest benchmarks/` recorded; `optsuite.results.read` reads it.

    Attributes:
        header: The selection, the machine, the records of the built models, and the reasons of absent rows.
        date: When it ran, in UTC as ISO 8601; an empty string where the file does not say.
        machine: The CPU and the architecture.
        instruction_sets: The instruction sets of the CPU that matter for vectors.
        frequency: The clock of the CPU, in words.
        commit: The first twelve digits of the commit, with "+" where files had been changed.
        rows: The measured variants, in the order in which they were measured.

    """

    header: Header
    date: str
    machine: str
    instruction_sets: tuple[str, ...]
    frequency: str
    commit: str
    rows: tuple[Row, ...]

    def to_frame(self) -> pd.DataFrame:
        """Return one line per measured variant, and one column per figure.

        Absent rows are not in it; `header.absences` has their reasons.

        Returns:
            The names `experiment`, `dataset`, `model`, `recipe`, `seed` and `variant`; `accuracy` and
            `validation_accuracy` as fractions; `bytes` and `gzip_bytes`; `parameters` and `macs`; the times of one call
            in seconds (`median_s`, `mean_s`, `p90_s`, `p99_s`, `min_s`, `max_s`) and the number of `rounds`; the time
            of a pass over the test set (`total_time_s`); how LiteRT runs the file (`load_s`, `first_invoke_s`,
            `heap_bytes`, `delegate`; missing for `keras`); each figure that an examination declares, under its name,
            such as `tflm_arena_bytes`; and `note`. A missing number is NaN.

        """
        import pandas as pd

        built = {one.id: one for one in self.header.built}
        return pd.DataFrame([self._line(row, built[row.measured.experiment]) for row in self.rows])

    def _line(self, row: Row, built: Built) -> dict[str, Any]:
        """The line of `to_frame` for a row."""
        measured, timing, execution = row.measured, row.timing, row.measured.execution
        return {
            **_names(built),
            "variant": measured.variant,
            "accuracy": measured.test.accuracy,
            "validation_accuracy": measured.validation.accuracy,
            "bytes": measured.bytes,
            "gzip_bytes": measured.gzip_bytes,
            "parameters": built.info.parameters,
            "macs": built.info.macs,
            "median_s": timing.median_s,
            "mean_s": timing.mean_s,
            "p90_s": timing.percentile_s(90),
            "p99_s": timing.percentile_s(99),
            "min_s": timing.min_s,
            "max_s": timing.max_s,
            "rounds": timing.rounds,
            "total_time_s": measured.total_time_s,
            "load_s": execution.load_s if execution else None,
            "first_invoke_s": execution.first_invoke_s if execution else None,
            "heap_bytes": execution.heap_bytes if execution else None,
            "delegate": execution.delegate if execution else None,
            **{figure.name: measured.figures.get(figure.name) for figure in found(self.header.figures)},
            "note": self.remarks(row),
        }

    def curves(self) -> pd.DataFrame:
        """Return the training curves: one line per epoch of each stage of each experiment.

        Returns:
            The names `experiment`, `dataset`, `model`, `recipe` and `seed`; the `stage`; the `epoch`, from 1 in each
            stage; the training `loss`; the training `accuracy` and the `validation_accuracy`, as fractions.

        """
        import pandas as pd

        return pd.DataFrame(
            [
                (*_names(built).values(), stage.stage, epoch, *values)
                for built in self.header.built
                for stage in built.info.stages
                # A training need not record accuracies: regression has none.
                for epoch, values in enumerate(zip_longest(stage.loss, stage.accuracy, stage.val_accuracy), 1)
            ],
            columns=[*_NAMES, "stage", "epoch", "loss", "accuracy", "validation_accuracy"],
        )

    def rounds(self) -> pd.DataFrame:
        """Return the time of each timed call.

        Returns:
            `experiment` and `variant`; the number of the `round`, from 1, in the order of the calls; its `time_s`, in
            seconds.

        """
        import pandas as pd

        return pd.DataFrame(
            [
                (row.measured.experiment, row.measured.variant, place, time_s)
                for row in self.rows
                for place, time_s in enumerate(row.timing.rounds_s, 1)
            ],
            columns=["experiment", "variant", "round", "time_s"],
        )

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


_NAMES = ("experiment", "dataset", "model", "recipe", "seed")


def _names(built: Built) -> dict[str, Any]:
    return dict(zip(_NAMES, (built.id, built.dataset, built.model, built.recipe, built.seed), strict=True))
