"""One run: what is selected is built, then examined, then measured."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from functools import cached_property, partial
from typing import TextIO

from optsuite.build.builder import Builder
from optsuite.build.durations import Durations
from optsuite.build.examiner import Examiner, StoredFile
from optsuite.build.plan import Plan, plan_build
from optsuite.build.running import OpenWorkers
from optsuite.catalog.selection import Selection, baseline
from optsuite.catalog.variants import KERAS
from optsuite.config import Config
from optsuite.errors import OptsuiteError, UnavailableError
from optsuite.examine import accuracy
from optsuite.examine.size import gzip_bytes
from optsuite.litert import LiteRTRunner, Runner, total_time_s
from optsuite.measure import host, rows, startup
from optsuite.measure.monitor import Monitor
from optsuite.measure.record import Record, dataset_info
from optsuite.measure.rows import FileFindings
from optsuite.results.built import Built
from optsuite.results.checks import checked_built, checked_measured
from optsuite.results.header import Header
from optsuite.results.kernels import named_after
from optsuite.results.measured import Measured
from optsuite.spec.artifact import MODEL, OUTPUTS, TFLITE, may_run_code, unpack_arrays
from optsuite.spec.data import Dataset, Split
from optsuite.spec.experiment import Candidate, Experiment
from optsuite.spec.variant import Variant
from optsuite.stages.packages import builder_versions
from optsuite.store.store import Store


class Suite:
    """A selection on a store.

    Attributes:
        selection: The experiments and variants to measure.
        store: Where artifacts are kept.
        artifacts: The builder of the artifacts.
        record: The record of the run in progress.
        requested: The rows that `prepare` was called for.

    """

    def __init__(self, selection: Selection, store: Store, config: Config, log: Callable[[str], object]) -> None:
        """Begin a run; `log` is called with each line for the user."""
        self.selection = selection
        self.store = store
        self.artifacts = Builder(selection, store, log)
        self.record = Record(selection)
        self.requested: list[Candidate] = []
        self._config = config
        self._log = log
        self._by_id = {experiment.id: experiment for experiment in selection.experiments}
        self._splits: dict[tuple[str, str], Split] = {}
        self._examiner = Examiner(selection.examinations(), selection.profile, self.split, store, log)
        self._found: dict[tuple[str, str], tuple[StoredFile, FileFindings]] = {}
        self._load = host.load()
        self._build_s = self._examine_s = 0.0
        self._ready_at: float | None = None
        """When building was done and measuring began, by `time.monotonic`."""

    def experiment(self, id: str) -> Experiment:
        """Return the selected experiment of that id."""
        return self._by_id[id]

    def variant(self, name: str) -> Variant:
        """Return the variant of that name."""
        return self.selection.catalog.variants[name]

    @cached_property
    def monitor(self) -> Monitor:
        """The monitor of the machine."""
        return Monitor(self._load)

    def prepare(self, rows: Iterable[Candidate], open_workers: OpenWorkers, stream: TextIO) -> None:
        """Build what the store lacks: `rows`, their Keras models and their baselines; then examine the files."""
        start = time.monotonic()
        self.requested = list(rows)
        self.artifacts.begin(self.requested)
        self._check_data()
        for reason, names in self._absent_targets().items():
            self._log(f"no figures of {', '.join(names)}: {reason}")
        self._examiner.begin({row.experiment.dataset.name: row.experiment.dataset for row in self.requested}.values())
        self.artifacts.build(self.requested, open_workers, stream)
        self.record.unfit = self.artifacts.unfit
        built_at = time.monotonic()
        self._examiner.examine(self.artifacts.files(self.requested), open_workers, stream)
        self._ready_at = time.monotonic()
        self._build_s, self._examine_s = built_at - start, self._ready_at - built_at

    def _check_data(self) -> None:
        """Load what is judged on: data that can't be used is one error, before anything is built."""
        for dataset in self.selection.datasets:
            for name in ("validation", "test"):
                self.split(dataset, name)

    def _absent_targets(self) -> dict[str, list[str]]:
        """Return why targets can't be examined on this machine -> their names."""
        found: dict[str, list[str]] = {}
        for one in self._examiner.records(self.selection.targets):
            if one.absent and one.target and one.target not in found.get(one.absent, []):
                found.setdefault(one.absent, []).append(one.target)
        return found

    def plan(self, rows: Sequence[Candidate], open_workers: OpenWorkers, stream: TextIO) -> Plan:
        """Return what `prepare` would do, and how long it may take; OptsuiteError without TensorFlow."""
        self._check_data()
        self.artifacts.rehearse(rows, open_workers, stream)
        return plan_build(
            self.artifacts.steps(rows),
            self._examiner.steps(self.artifacts.files(rows)),
            self._examiner.steps(self.artifacts.later_files(rows)),
            self.store,
            Durations(self.store.times),
        )

    def tflite(self, experiment: Experiment, variant: Variant) -> bytes:
        """Return the .tflite file; OptsuiteError where it could not be built or examined: it may crash LiteRT."""
        with self.record.noting(experiment, variant):
            self._examined(experiment, variant)
            return self.artifacts.get(experiment, variant)[TFLITE]

    def runner(self, experiment: Experiment, variant: Variant) -> Runner:
        """Return the variant, ready to run on one thread.

        Imports TensorFlow for the Keras model only; UnavailableError where it is not installed.
        """
        with self.record.noting(experiment, variant):
            if variant.convert is not None:
                return LiteRTRunner(self.tflite(experiment, variant))
            if builder_versions() is None:
                raise UnavailableError("TensorFlow is not installed")
            from optsuite.measure.keras_runner import KerasRunner

            artifact = self.artifacts.get(experiment, variant)
            return KerasRunner(artifact[MODEL], trust=may_run_code(artifact, trust=experiment.model.trust))

    def built(self, experiment: Experiment) -> Built:
        """Return the record of the experiment's Keras model; its baseline is recorded with it."""
        if experiment.id not in self.record.built:
            if experiment.recipe.stages:
                self.built(baseline(experiment))
            self.record.built[experiment.id] = checked_built(self._built(experiment))
        return self.record.built[experiment.id]

    def _built(self, experiment: Experiment) -> Built:
        artifact = self.artifacts.get(experiment, KERAS)
        data, metric = experiment.dataset, experiment.dataset.metric
        info, outputs = rows.model_info(artifact, partial(self.split, data)), unpack_arrays(artifact[OUTPUTS])
        return Built(
            id=experiment.id,
            dataset=data.name,
            model=experiment.model.name,
            recipe=experiment.recipe.name,
            seed=experiment.seed,
            budget=self._config.recipe_budget(experiment, self.selection.profile),
            info=info,
            test=accuracy.scored(metric, outputs["test"], self.split(data, "test")),
            validation=accuracy.scored(metric, outputs["validation"], self.split(data, "validation")),
        )

    def measured(self, experiment: Experiment, variant: Variant, runner: Runner) -> Measured:
        """Return the record of the variant; its answers are computed once per run."""
        pair = experiment.id, variant.name
        if pair not in self.record.measured:
            with self.record.noting(experiment, variant):
                measure = self._measured_keras if variant.convert is None else self._measured_file
                labels = len(self.split(experiment.dataset, "test").y) * experiment.dataset.metric.classes
                self.record.measured[pair] = checked_measured(measure(experiment, variant, runner), labels)
        return self.record.measured[pair]

    def _measured_keras(self, experiment: Experiment, variant: Variant, runner: Runner) -> Measured:
        """The Keras model: its answers are known from the build, one pass is timed."""
        built, artifact = self.built(experiment), self.artifacts.get(experiment, variant)
        splits = {name: self.split(experiment.dataset, name) for name in ("test", "validation")}
        return rows.of_keras(
            artifact[MODEL],
            accuracy.answered(experiment.dataset.metric, splits, unpack_arrays(artifact[OUTPUTS])),
            gzip_bytes(artifact[MODEL]),
            experiment=experiment.id,
            variant=variant.name,
            key=self.artifacts.key(experiment, variant) or "",
            budget=self._config.variant_budget(experiment, variant, self.selection.profile),
            total_time_s=total_time_s(runner, splits["test"].x),
            weights=built.info.layers,
        )

    def _measured_file(self, experiment: Experiment, variant: Variant, runner: Runner) -> Measured:
        """A .tflite file: what is a function of its bytes was found out before, its times are measured."""
        content, (file, found) = self.tflite(experiment, variant), self._examined(experiment, variant)
        weights = named_after(self.built(experiment).info.layers, found.contents.weights)
        return rows.of_file(
            found,
            startup.observe(content),
            experiment=experiment.id,
            variant=variant.name,
            file=file,
            budget=self._config.variant_budget(experiment, variant, self.selection.profile),
            total_time_s=total_time_s(runner, self.split(experiment.dataset, "test").x),
            weights=weights,
            bits=rows.layer_bits(self.artifacts.get(experiment, variant), weights),
            note=rows.format_note(Candidate(experiment, variant).conversion, found.contents),
        )

    def _examined(self, experiment: Experiment, variant: Variant) -> tuple[StoredFile, FileFindings]:
        """Return a file and what examinations found of it; OptsuiteError, as `rows.findings` raises it."""
        pair = experiment.id, variant.name
        if pair not in self._found:
            file = self.artifacts.file(experiment, variant)
            if file is None:
                self.artifacts.get(experiment, variant)  # says why
                raise OptsuiteError(f"{experiment.id} {variant.name} has no .tflite file")
            self._found[pair] = file, rows.findings(self._examiner, file, Candidate(experiment, variant).conversion)
        return self._found[pair]

    def split(self, dataset: Dataset, name: str) -> Split:
        """Return as much of a split as the profile allows; it is loaded once."""
        place = dataset.name, name
        if place not in self._splits:
            self._splits[place] = self.selection.profile.split(dataset, name)
        return self._splits[place]

    def times(self) -> str:
        """Return how long the run took, in words; an empty string before it began."""
        if self._ready_at is None:
            return ""
        before = f"building took {self._build_s:.0f} s, examining {self._examine_s:.0f} s"
        return f"{before}, measuring {self._measure_s():.0f} s"

    def _measure_s(self) -> float:
        return 0.0 if self._ready_at is None else time.monotonic() - self._ready_at

    def header(self) -> Header:
        """Return what goes into the JSON beside the benchmarks."""
        datasets = (dataset_info(one.name, one.metric, self.split(one, "test")) for one in self.selection.datasets)
        return self.record.header(
            self.monitor,
            tuple(datasets),
            self._examiner.records(self.selection.targets),
            build_s=self._build_s,
            examine_s=self._examine_s,
            measure_s=self._measure_s(),
        )
