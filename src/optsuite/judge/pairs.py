"""The two sides of a comparison, and the rows that they have in common."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

from optsuite.errors import OptsuiteError
from optsuite.judge.training_spread import Rows, trained_anew, trainings
from optsuite.judge.verdict import Criterion, Judgement, Verdict
from optsuite.results.built import Built
from optsuite.results.figures import Figure
from optsuite.results.header import Header, Trainings
from optsuite.results.measured import Measured
from optsuite.results.run import Run


@dataclass(frozen=True, kw_only=True)
class ComparedRun:
    """A run as a comparison takes it."""

    header: Header
    machine: str
    rows: Mapping[tuple[str, str], Measured]
    built: Mapping[str, Built]

    @classmethod
    def of(cls, run: Run) -> ComparedRun:
        """Return a run with all its rows."""
        return cls.now(run.header, run.machine, [row.measured for row in run.rows])

    @classmethod
    def now(cls, header: Header, machine: str, rows: Iterable[Measured]) -> ComparedRun:
        """Return a run that is not written yet."""
        found = {(row.experiment, row.variant): row for row in rows}
        return cls(header=header, machine=machine, rows=found, built={one.id: one for one in header.built})

    @cached_property
    def trainings(self) -> Rows:
        """The trainings that the run knows of each row."""
        return trainings(self.header.trainings, self.rows.values(), self.built)


def as_files(reference: Run, experiment: str, variant: str, new: Run) -> Run:
    """Return a reference run in which one row stands for each file of `new`, under the file's name.

    The two are then compared as two conversions of one model: answer by answer, and without the invariants of the
    row's recipe, as the layers of a file from elsewhere have other names.

    Args:
        reference: The run that has the row.
        experiment: The id of the row's experiment.
        variant: The row's variant.
        new: A run that `optsuite measure` made.

    Raises:
        OptsuiteError: The reference run has no such row, or `new` is of models that were built.

    """
    row = reference.row(experiment, variant)
    if row is None:
        raise OptsuiteError(f"{experiment} {variant}: {reference.absence(experiment, variant)}")
    if built := next((one for one in new.header.built if one.test is not None), None):
        raise OptsuiteError(f"expected files that `optsuite measure` measured, got {built.id}, which was built")
    rows = tuple(
        replace(row, measured=replace(row.measured, experiment=one.measured.experiment, variant=one.measured.variant))
        for one in new.rows
    )
    header = replace(reference.header, experiments=new.header.experiments, built=new.header.built, trainings=())
    return replace(reference, header=header, rows=rows)


@dataclass(frozen=True, kw_only=True)
class RowPair:
    """A variant of an experiment (MODEL_RECIPE) in both runs, over all seeds that both have.

    Attributes:
        experiment: The experiment without its seed.
        variant: The name of the variant.
        before: The records of the reference run, one per seed.
        after: The records of the new run, one per seed.
        built: The records of the reference run's Keras models, one per seed.
        anew: Why the two were trained anew although no code differs; empty where they were not.
        trainings: The trainings of the row that the reference run knows.
        spread: The trainings that show how much trainings differ; None where none are known.

    """

    experiment: str
    variant: str
    before: Sequence[Measured]
    after: Sequence[Measured]
    built: Sequence[Built]
    anew: str
    trainings: Trainings
    spread: Trainings | None

    @property
    def identical(self) -> bool:
        """Whether all files are the same to the byte."""
        return all(old.sha256 == new.sha256 for old, new in zip(self.before, self.after, strict=True))

    @property
    def answers_the_same(self) -> bool:
        """Whether the files are the same and answer the same: another runtime may not."""
        return self.identical and all(old.test == new.test for old, new in zip(self.before, self.after, strict=True))

    @property
    def redrawn(self) -> str:
        """Why the files are those of other trainings; empty where they are the same files, or of the same training."""
        return "" if self.identical else self.anew

    def judge(self, metric: Criterion, verdict: Verdict, detail: str, **figures: float | None) -> Judgement:
        """Return a verdict on this pair."""
        return Judgement(
            experiment=self.experiment, variant=self.variant, metric=metric, verdict=verdict, detail=detail, **figures
        )


def has(rows: Iterable[Measured], figure: Figure) -> bool:
    """Whether any of the rows has the figure."""
    return any(row.figure(figure.name) is not None for row in rows)


def matched(reference: ComparedRun, new: ComparedRun, spread: Rows) -> list[RowPair]:
    """The rows of both, all seeds of one together; `spread` has the trainings that show how much trainings differ."""
    found: dict[tuple[str, str], RowPair] = {}
    for row, before in reference.rows.items():
        after = new.rows.get(row)
        if after is None:
            continue
        experiment, variant = row
        built = reference.built[experiment]
        place = built.model_recipe, variant
        anew = trained_anew(built.info, new.built[experiment].info)
        if place in found:
            pair = found[place]
            found[place] = replace(
                pair,
                before=[*pair.before, before],
                after=[*pair.after, after],
                built=[*pair.built, built],
                anew=pair.anew or anew,
            )
        else:
            found[place] = RowPair(
                experiment=built.model_recipe,
                variant=variant,
                before=[before],
                after=[after],
                built=[built],
                anew=anew,
                trainings=reference.trainings[place],
                spread=spread.get(place),
            )
    return list(found.values())
