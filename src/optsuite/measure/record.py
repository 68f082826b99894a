"""The record of one run: what was built and measured, and why the rest is absent."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import optsuite
from optsuite.catalog.selection import Selection, absence
from optsuite.errors import OptsuiteError
from optsuite.measure.monitor import Monitor
from optsuite.results.built import Built
from optsuite.results.header import Absence, DatasetInfo, Examined, Header
from optsuite.results.measured import Measured
from optsuite.results.reader import SCHEMA
from optsuite.spec.data import Split
from optsuite.spec.experiment import Experiment
from optsuite.spec.metric import Metric
from optsuite.spec.variant import Variant


def dataset_info(name: str, metric: Metric, test: Split) -> DatasetInfo:
    """Return the record of a dataset's test split."""
    labels = tuple(test.y.tolist()) if metric.classes else ()
    return DatasetInfo(name=name, labels=labels, metric=metric.name, sha256=test.sha256)


class Record:
    """The record of a run in progress.

    Attributes:
        built: The Keras models, by the id of the experiment; references that were not selected are among them.
        measured: The measured variants, by the id of the experiment and the name of the variant.
        unfit: The ids of experiments whose recipe can't transform their model, and why.

    """

    def __init__(self, selection: Selection) -> None:
        self._selection = selection
        self._absences: dict[tuple[str, str], str] = {}
        self.built: dict[str, Built] = {}
        self.measured: dict[tuple[str, str], Measured] = {}
        self.unfit: Mapping[str, str] = {}

    @contextmanager
    def noting(self, experiment: Experiment, variant: Variant) -> Iterator[None]:
        """Note, by the last line of an OptsuiteError, why a row that was requested is absent."""
        try:
            yield
        except OptsuiteError as error:
            self._absences[experiment.id, variant.name] = str(error).strip().splitlines()[-1]
            raise

    def header(
        self,
        monitor: Monitor,
        datasets: tuple[DatasetInfo, ...],
        examinations: tuple[Examined, ...],
        *,
        build_s: float,
        examine_s: float,
        measure_s: float,
    ) -> Header:
        """Return what goes into the JSON beside the benchmarks.

        Args:
            monitor: What watched the machine.
            datasets: The test data of each dataset.
            examinations: The examinations of the files.
            build_s: How long building took, in seconds.
            examine_s: How long examining took, in seconds.
            measure_s: How long measuring took, in seconds.

        """
        selected = self._selection
        return Header(
            schema=SCHEMA,
            version=optsuite.__version__,
            profile=selected.profile.name,
            requested=selected.requested,
            catalog=selected.catalog.names(),
            figures=selected.figures(),
            experiments=(*(experiment.id for experiment in selected.experiments), *selected.unsupported),
            variants=tuple(variant.name for variant in selected.variants),
            environment=monitor.environment,
            build_s=build_s,
            examine_s=examine_s,
            examinations=examinations,
            measure_s=measure_s,
            reference_times=tuple(monitor.reference_times),
            datasets=datasets,
            built=tuple(self.built.values()),
            absences=tuple(
                Absence(experiment=experiment, variant=variant, reason=reason)
                for (experiment, variant), reason in self._all_absences().items()
            ),
        )

    def _all_absences(self) -> dict[tuple[str, str], str]:
        """Return all absences: unsupported variants, experiments that do not fit, and failures."""
        selected = self._selection
        declared = {
            (experiment.id, variant.name): reason
            for experiment in selected.experiments
            for variant in selected.variants
            if (reason := absence(experiment, variant))
        }
        whole = {**selected.unsupported, **self.unfit}
        return (
            declared
            | self._absences
            | {(id, variant.name): reason for id, reason in whole.items() for variant in selected.variants}
        )
