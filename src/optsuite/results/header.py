"""The record of a run: what was selected, where it ran, and what is missing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Annotated

from msgspec import Meta

from optsuite.results.built import Built
from optsuite.results.figures import Figure
from optsuite.units import Count, Duration, Number, Positive, Seconds


@dataclass(frozen=True, kw_only=True)
class Absence:
    """A variant of an experiment that is absent, and why."""

    experiment: str
    variant: str
    reason: str


@dataclass(frozen=True, kw_only=True)
class Environment:
    """The machine and the software, beyond pytest-benchmark's `machine_info`.

    Attributes:
        cores: How many cores the process may use.
        governor: Linux's policy for the clock; None where it can't be read.
        load: The average number of runnable processes in the minute before the run; None where it can't be read.
        threads: How many threads a model has.
        versions: The versions of the packages that measure.
        peak_macs_per_s: The fastest matrix product on one thread, in MACs per second, by precision.

    """

    cores: Positive
    governor: str | None
    load: Annotated[float, Meta(ge=0)] | None
    threads: Positive
    versions: Mapping[str, str]
    peak_macs_per_s: Mapping[str, Annotated[float, Meta(gt=0)]]


@dataclass(frozen=True, kw_only=True)
class ReferenceTimes:
    """The medians of the reference model around a row that was timed.

    Where the machine was slower than is typical, the row waited until it was not, or had waited long enough.

    Attributes:
        experiment: The id of the experiment.
        variant: The name of the variant.
        start_s: When the row began, in seconds since the run began to watch.
        waited_s: How long the row waited, in seconds.
        before_row_s: The median before the row waited, in seconds.
        before_timing_s: The median right before the row's rounds, in seconds.
        after_timing_s: The median right after them, in seconds.

    """

    experiment: str
    variant: str
    start_s: Seconds
    waited_s: Seconds
    before_row_s: Duration
    before_timing_s: Duration
    after_timing_s: Duration


@dataclass(frozen=True, kw_only=True)
class Trainings:
    """A row (MODEL_RECIPE and variant) that was trained with several seeds: one value of each figure per seed."""

    experiment: str
    variant: str
    seeds: tuple[Count, ...]
    accuracy: tuple[float, ...]
    gzip_bytes: tuple[Count, ...]
    figures: Mapping[str, tuple[Number, ...]] = field(default_factory=dict)

    def values(self, figure: str) -> tuple[Number, ...]:
        """Return the values of a figure, one per seed; none where it is not known."""
        return self.gzip_bytes if figure == "gzip_bytes" else self.figures.get(figure, ())


@dataclass(frozen=True, kw_only=True)
class Requested:
    """The names that the user requested; an empty tuple where the default was taken."""

    datasets: tuple[str, ...]
    matrix: str
    models: tuple[str, ...]
    recipes: tuple[str, ...]
    variants: tuple[str, ...]
    seeds: tuple[Count, ...]
    targets: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class DatasetInfo:
    """The test split of a dataset, and what answers to it are judged by.

    Attributes:
        name: The name of the dataset.
        labels: The labels of the test images; none where the metric is not one of classes.
        metric: The name of the metric, which is called accuracy everywhere else.
        sha256: The SHA-256 of the test split, as hex; empty where it is not known.

    """

    name: str
    labels: tuple[Count, ...] = field(repr=False)
    metric: str = "accuracy"
    sha256: str = ""


@dataclass(frozen=True, kw_only=True)
class CatalogNames:
    """All names that there were to choose from, in the order of reports.

    `pipelines` are the recipes of the table of pipelines, in its order.
    """

    models: tuple[str, ...]
    recipes: tuple[str, ...]
    variants: tuple[str, ...]
    pipelines: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Examined:
    """An examination of a run.

    Attributes:
        name: Its name.
        figures: The names of its figures.
        tools: Its tools, and their versions.
        target: The target that its figures are of; an empty string where they are of none.
        absent: Why this machine could not do it; an empty string where it could.

    """

    name: str
    figures: tuple[str, ...]
    tools: Mapping[str, str]
    target: str = ""
    absent: str = ""


@dataclass(frozen=True, kw_only=True)
class Header:
    """The record of a run beside its benchmarks.

    Attributes:
        schema: The version of the schema of this JSON.
        version: The version of optsuite.
        profile: The name of the profile.
        requested: What the user requested.
        catalog: What there was to choose from.
        figures: The declarations of the figures of a row.
        experiments: The ids of the selected experiments, in the order of reports.
        variants: The names of the selected variants, in the order of reports.
        environment: The machine and the software.
        build_s: How long building took, in seconds.
        measure_s: How long measuring took, in seconds.
        examine_s: How long examining the files took, in seconds.
        examinations: The examinations of the files.
        reference_times: The times of the reference model around each timed row.
        datasets: The test data of each dataset.
        built: The Keras models, those of references included.
        absences: Why variants of experiments are absent.
        trainings: Rows of which more seeds are known than were measured here (`optsuite spread --add-to`).

    """

    schema: int
    version: str
    profile: str
    requested: Requested
    catalog: CatalogNames
    figures: tuple[Figure, ...]
    experiments: tuple[str, ...]
    variants: tuple[str, ...]
    environment: Environment
    build_s: Seconds
    measure_s: Seconds
    reference_times: tuple[ReferenceTimes, ...]
    datasets: Annotated[tuple[DatasetInfo, ...], Meta(min_length=1)]
    built: tuple[Built, ...]
    absences: tuple[Absence, ...]
    trainings: tuple[Trainings, ...] = field(default=(), repr=False)
    examine_s: Seconds = 0.0
    examinations: tuple[Examined, ...] = ()

    @property
    def comparability(self) -> dict[str, str]:
        """The properties that two runs must share to be compared; one that a run does not have is empty."""
        data = self.datasets
        return {
            "profile": self.profile,
            "dataset": ", ".join(one.name for one in data),
            "metric": ", ".join(one.metric for one in data),
            "test split": ", ".join(one.sha256[:12] for one in data),
        }

    @property
    def data(self) -> DatasetInfo:
        """The test data of a run of one dataset (see `Run.by_dataset`)."""
        (data,) = self.datasets
        return data

    def of(self, dataset: DatasetInfo) -> Header:
        """Return what the header has of one of several datasets."""

        def has(experiment: str) -> bool:
            return experiment.startswith(f"{dataset.name}/")

        return replace(
            self,
            datasets=(dataset,),
            experiments=tuple(filter(has, self.experiments)),
            built=tuple(one for one in self.built if has(one.id)),
            absences=tuple(one for one in self.absences if has(one.experiment)),
            reference_times=tuple(one for one in self.reference_times if has(one.experiment)),
            trainings=tuple(one for one in self.trainings if has(one.experiment)),
        )

    def examined(self, figure: str) -> Examined:
        """Return the examination that finds a figure; one without a name where none does."""
        found = (one for one in self.examinations if figure in one.figures)
        return next(found, Examined(name="", figures=(), tools={}))

    def tools(self, figure: str) -> str:
        """Return the tools that found a figure, in words; an empty string where they are not known."""
        return ", ".join(f"{name} {version}" for name, version in self.examined(figure).tools.items())

    def absence(self, experiment: str, variant: str) -> str:
        """Return why there is no such row."""
        for one in self.absences:
            if (one.experiment, one.variant) == (experiment, variant):
                return one.reason
        requested = experiment in self.experiments and variant in self.variants
        return "not measured in this run" if requested else "not selected in this run"
