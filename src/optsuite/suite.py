"""One run: what is selected, and the record of what was found."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import cached_property
from typing import TextIO

import msgspec

import optsuite
from optsuite import build, execution, experiments, flatbuffer, invariants, machine, vet
from optsuite.ab import side_by_side
from optsuite.artifacts import Artifacts, OpenBuilders, Pair
from optsuite.compare import compare
from optsuite.config import Config
from optsuite.convert import TFLITE
from optsuite.experiments import Selection
from optsuite.measure import LiteRTRunner, Runner, answers, record, run_pass
from optsuite.pairs import Side
from optsuite.records import Absence, Built, Execution, Header, LayerWeights, Measured, ModelInfo
from optsuite.results import SCHEMA
from optsuite.spec import Artifact, Experiment, OptsuiteError, Split, UnavailableError, Variant
from optsuite.store import Store
from optsuite.variants import KERAS, VARIANTS
from optsuite.verdict import Judgement


class Suite:
    """A selection on a store. `say` tells the user one line; `base` is the earlier run that it is judged against."""

    def __init__(
        self,
        selection: Selection,
        store: Store,
        config: Config,
        say: Callable[[str], object],
        base: Side | None = None,
    ) -> None:
        self.selection = selection
        self.artifacts = Artifacts(selection.profile, store, say)
        self._base = base
        self._store = store
        self._config = config
        self._absences: dict[tuple[str, str], str] = {}
        self._by_id = {experiment.id: experiment for experiment in selection.experiments}
        self._splits: dict[str, Split] = {}
        self._built: dict[str, Built] = {}
        self._measured: dict[tuple[str, str], Measured] = {}
        self._load = machine.load()
        self._wanted: list[Pair] = []
        self._crashing: set[str] = set()
        """The keys of files that take the process along."""
        self._build_s = 0.0
        self._ready_at: float | None = None
        """When building was done and measuring began."""

    def experiment(self, id: str) -> Experiment:
        """The selected experiment of that id."""
        return self._by_id[id]

    def variant(self, name: str) -> Variant:
        """The variant of that name."""
        return VARIANTS[name]

    @cached_property
    def monitor(self) -> machine.Monitor:
        """What watches the machine, from the first use on."""
        return machine.Monitor(self._load)

    def prepare(self, rows: Iterable[Pair], open_builders: OpenBuilders, stream: TextIO) -> None:
        """Build what `rows` and their references (own Keras model, baseline) need and the store has not."""
        start = time.monotonic()
        self._wanted = list(rows)
        self.artifacts.build(self._wanted, open_builders, stream)
        keys = {self.artifacts.key(*pair) for pair in self._wanted if pair[1].convert is not None}
        self._crashing = vet.refused(self._store, filter(None, keys))
        self._ready_at = time.monotonic()
        self._build_s = self._ready_at - start

    def tflite(self, experiment: Experiment, variant: Variant) -> bytes:
        """The .tflite file."""
        with self._noting(experiment, variant):
            if self.artifacts.key(experiment, variant) in self._crashing:
                raise OptsuiteError("LiteRT crashes on this file")
            return self.artifacts.get(experiment, variant)[TFLITE]

    def runner(self, experiment: Experiment, variant: Variant) -> Runner:
        """The variant, ready to be asked, on one thread.

        Imports TensorFlow for the Keras model only; UnavailableError where it is not installed.
        """
        with self._noting(experiment, variant):
            if variant.convert is not None:
                return LiteRTRunner(self.tflite(experiment, variant))
            if build.builder_versions() is None:
                raise UnavailableError("TensorFlow is not installed")
            from optsuite.keras import KerasRunner

            artifact = self.artifacts.get(experiment, variant)
            return KerasRunner(artifact[build.MODEL], trust=build.may_run_code(artifact, trust=experiment.model.trust))

    def built(self, experiment: Experiment) -> Built:
        """The experiment's Keras model, as the build knows it; its baseline goes into the record with it."""
        if experiment.id not in self._built:
            if experiment.recipe.stages:
                self.built(experiments.baseline(experiment))
            artifact = self.artifacts.get(experiment, KERAS)
            info, outputs = self._info(artifact), build.unpack_arrays(artifact[build.OUTPUTS])
            self._built[experiment.id] = Built(
                id=experiment.id,
                dataset=experiment.dataset.name,
                model=experiment.model.name,
                kind=experiment.recipe.name,
                seed=experiment.seed,
                budget=self._config.recipe_budget(experiment, self.selection.profile),
                info=info,
                test=answers(experiment.dataset.metric, outputs["test"], self._split("test")),
                validation=answers(experiment.dataset.metric, outputs["validation"], self._split("validation")),
            )
        return self._built[experiment.id]

    def _info(self, artifact: Artifact) -> ModelInfo:
        try:
            info = build.model_info(artifact)
        except msgspec.ValidationError as error:
            raise OptsuiteError(
                f"built by another version of optsuite ({error}); build again, and copy the folder"
            ) from error
        if other := [name for name, sha256 in info.data_sha256.items() if self._split(name).sha256 != sha256]:
            raise OptsuiteError(
                f"the {' and the '.join(other)} split is not the one that the model was built with; accepted is data "
                "that comes the same, in the same order, each time; a new fingerprint is for what has changed"
            )
        return info

    def measured(self, experiment: Experiment, variant: Variant, runner: Runner) -> Measured:
        """Ask the variant about every test and validation image, once a run."""
        pair = experiment.id, variant.name
        if pair not in self._measured:
            with self._noting(experiment, variant):
                self._measured[pair] = self._measure(experiment, variant, runner)
        return self._measured[pair]

    def _measure(self, experiment: Experiment, variant: Variant, runner: Runner) -> Measured:
        built = self.built(experiment)
        content, weights, ran, notes = self._shipped(experiment, variant, built)
        test_pass = run_pass(runner, self._split("test").x)
        if variant.convert is None:
            validation_pass = None
            outputs = build.unpack_arrays(self.artifacts.get(experiment, variant)[build.OUTPUTS])
        else:
            validation_pass = run_pass(runner, self._split("validation").x)
            outputs = {"test": test_pass.outputs, "validation": validation_pass.outputs}
        splits = {name: self._split(name) for name in outputs}
        return record(
            content,
            experiment.dataset.metric,
            splits,
            outputs,
            notes,
            experiment=experiment.id,
            variant=variant.name,
            key=self.artifacts.key(experiment, variant) or "",
            budget=self._config.variant_budget(experiment, variant, self.selection.profile),
            total_time_s=test_pass.total_time_s,
            validation_time_s=validation_pass.total_time_s if validation_pass else None,
            execution=ran,
            weights=weights,
        )

    def _shipped(
        self, experiment: Experiment, variant: Variant, built: Built
    ) -> tuple[bytes, tuple[LayerWeights, ...], Execution | None, tuple[str, ...]]:
        """The file, its kernels under their layers' names, how it is run, and what is unexpected about it."""
        if variant.convert is None:
            return self.artifacts.get(experiment, variant)[build.MODEL], built.info.layers, None, ()
        content = self.tflite(experiment, variant)
        contents = flatbuffer.read(content)
        ran = execution.observe(content, contents)
        weights = invariants.named_after(built.info.layers, contents.weights)
        return content, weights, ran, (variant.convert.note(contents), ran.note)

    def _split(self, name: str) -> Split:
        """The data that the profile allows: all experiments are of one dataset."""
        if name not in self._splits:
            self._splits[name] = self.selection.profile.split(self.selection.experiments[0].dataset, name)
        return self._splits[name]

    @contextmanager
    def _noting(self, experiment: Experiment, variant: Variant) -> Iterator[None]:
        """Note, by an error's last line, why a row that was asked for is not there."""
        try:
            yield
        except OptsuiteError as error:
            self._absences[experiment.id, variant.name] = str(error).strip().splitlines()[-1]
            raise

    def judged_with(self, experiment: Experiment, variant: Variant) -> list[Experiment]:
        """The seeds of the experiment that the earlier run has, too: they are judged together."""
        rows = self._base.rows if self._base else {}
        return [
            one
            for one in self.selection.experiments
            if replace(one, seed=experiment.seed) == experiment and (one.id, variant.name) in rows
        ]

    def judgements(self, machine: str) -> list[Judgement]:
        """Judge all rows, measured if they were not yet, against the earlier run's.

        What was left out by a test's name (-k), or can't be had on this machine, is not missing; OptsuiteError without
        an earlier run.
        """
        if self._base is None:
            raise OptsuiteError("no earlier run to judge against; --optsuite-baseline=RUN.json names one")
        selected = {(experiment.id, variant.name) for experiment, variant in self.selection.rows()}
        wanted = {(one.id, variant.name): (one, variant) for one, variant in self._wanted}
        left_out = selected - set(wanted)
        for row in selected & (set(wanted) - set(self._measured)):
            try:
                self.measured(*wanted[row], self.runner(*wanted[row]))
            except UnavailableError:
                left_out.add(row)
            except OptsuiteError:
                continue  # it is noted why, and the row is missing
        base = replace(self._base, rows={row: one for row, one in self._base.rows.items() if row not in left_out})
        new = Side.now(self.header(), machine, self._measured.values())
        return compare(base, new, self._config.tolerances, side_by_side(self._store))

    def times(self) -> str:
        """How long building and measuring took, for people; empty before they began."""
        if self._ready_at is None:
            return ""
        return f"building took {self._build_s:.0f} s, measuring {self._measure_s():.0f} s"

    def _measure_s(self) -> float:
        return 0.0 if self._ready_at is None else time.monotonic() - self._ready_at

    def header(self) -> Header:
        """What goes into the JSON beside the benchmarks."""
        selected = self.selection
        metric, test = selected.experiments[0].dataset.metric, self._split("test")
        declared = {
            (experiment.id, variant.name): reason
            for experiment in selected.experiments
            for variant in selected.variants
            if (reason := experiments.absence(experiment, variant))
        }
        refused = {(id, variant.name): why for id, why in selected.refused.items() for variant in selected.variants}
        return Header(
            schema=SCHEMA,
            version=optsuite.__version__,
            profile=selected.profile.name,
            asked=selected.asked,
            experiments=(*(experiment.id for experiment in selected.experiments), *selected.refused),
            variants=tuple(variant.name for variant in selected.variants),
            environment=self.monitor.environment,
            build_s=self._build_s,
            measure_s=self._measure_s(),
            watches=tuple(self.monitor.watches),
            labels=tuple(test.y.tolist()) if metric.classes else (),
            built=tuple(self._built.values()),
            absences=tuple(
                Absence(experiment=pair[0], variant=pair[1], reason=reason)
                for pair, reason in (declared | refused | self._absences).items()
            ),
            metric=metric.name,
            data_sha256=test.sha256,
        )
