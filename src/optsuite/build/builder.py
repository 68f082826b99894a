"""The builder: makes the artifacts of a run's experiments, unless the store has them."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterable
from dataclasses import replace
from pathlib import Path, PurePath
from typing import TextIO

from optsuite.build import progress, scheduler
from optsuite.build.durations import Durations
from optsuite.build.graph import step_of
from optsuite.build.plan import Plan, plan_build
from optsuite.build.scheduler import Event, Workers
from optsuite.build.step import Done, Step
from optsuite.catalog.selection import Selection, baseline
from optsuite.catalog.variants import KERAS
from optsuite.errors import OptsuiteError
from optsuite.spec.artifact import Artifact
from optsuite.spec.experiment import Candidate, Experiment
from optsuite.spec.variant import Variant
from optsuite.stages.packages import builder_versions
from optsuite.store.store import Store

OpenWorkers = Callable[[Collection[Step], Path], Workers]
"""Opens the workers for some steps; the path is that of the log of local processes."""


class Builder:
    """Builds and finds the artifacts of a selection in a store. `log` is called with each line for the user."""

    def __init__(self, selection: Selection, store: Store, log: Callable[[str], object]) -> None:
        self._catalog = selection.catalog
        self._profile = selection.profile
        self._store = store
        self._log = log
        self._failures: dict[str, str] = {}
        self._steps: dict[tuple[str, str], Step] = {}
        """Fixed once: a file of the user's that is edited while the run goes on changes none of its keys."""

    def plan(self, rows: Iterable[Candidate]) -> Plan:
        """Return what `build` would do, and how long it may take; OptsuiteError without TensorFlow."""
        if builder_versions() is None:
            raise OptsuiteError("TensorFlow is not installed: there is nothing to plan where nothing can be built")
        return plan_build((step for _, step in self._needed(rows)), self._store, Durations(self._store.times))

    def build(self, rows: Iterable[Candidate], open_workers: OpenWorkers, stream: TextIO) -> None:
        """Build what is missing in the store: `rows`, their Keras models and their baselines."""
        if builder_versions() is None:
            self._log(f"TensorFlow is not installed: taking the newest artifacts that {self._store.root} knows of")
            return
        needed = self._needed(rows)
        steps = [step for _, step in needed]
        if scheduler.missing(steps, self._store):
            with self._store.building():
                self._build(scheduler.missing(steps, self._store), open_workers, stream)
        self._update_index(needed)

    def _needed(self, rows: Iterable[Candidate]) -> Collection[tuple[Candidate, Step]]:
        """Return the rows and their references, each once, with the step that makes it."""
        needed: dict[tuple[str, str], tuple[Candidate, Step]] = {}
        for experiment, variant in rows:
            for candidate in (
                Candidate(baseline(experiment), KERAS),
                Candidate(experiment, KERAS),
                Candidate(experiment, variant),
            ):
                step = self._step(candidate.experiment, candidate.variant)
                needed[candidate.experiment.id, candidate.variant.name] = candidate, step
        return needed.values()

    def _update_index(self, needed: Iterable[tuple[Candidate, Step]]) -> None:
        """Let the index name the newest artifacts, and forget what descends from a model that was built anew.

        A machine that goes by the index would otherwise measure a file of one model against the answers of another.
        """
        built = [(candidate, step) for candidate, step in needed if step.key not in self._failures]
        for candidate, step in built:
            if candidate.variant is KERAS:
                self._forget_descendants(candidate.experiment, step.key)
        for candidate, step in built:
            self._store.point(self._index_name(*candidate), step.key)

    def _forget_descendants(self, experiment: Experiment, key: str) -> None:
        """Remove what was made of an experiment's model from the index, if its key was another one."""
        if self._store.newest(self._index_name(experiment, KERAS)) in (None, key):
            return
        recipes = [experiment.recipe] if experiment.recipe.stages else self._catalog.recipes.values()
        for recipe in recipes:
            self._store.forget(self._index_name(replace(experiment, recipe=recipe), KERAS).parent)

    def _build(self, todo: dict[str, Step], open_workers: OpenWorkers, stream: TextIO) -> None:
        start = time.monotonic()
        times = Durations(self._store.times)
        seconds = {key: times.of(step).seconds for key, step in todo.items()}
        workers = open_workers(todo.values(), self._store.log)
        self._log(f"building {len(todo)} steps, {workers.title}")
        with progress.building(seconds, stream) as show:

            def observe(event: Event, step: Step | None, done: Done | None) -> None:
                show(event, step, done)
                if step and done:
                    times.add(step, done)

            self._failures |= scheduler.run(todo, self._store, workers, observe, seconds)
        done = len(todo) - len(self._failures)
        self._log(f"built {done} of {len(todo)} steps in {time.monotonic() - start:.0f} s")

    def _step(self, experiment: Experiment, variant: Variant) -> Step:
        row = experiment.id, variant.name
        if row not in self._steps:
            self._steps[row] = step_of(experiment, variant, self._profile, self._catalog)
        return self._steps[row]

    def _index_name(self, experiment: Experiment, variant: Variant) -> PurePath:
        return PurePath(self._profile.name, experiment.dataset.name, experiment.id, variant.name)

    def key(self, experiment: Experiment, variant: Variant) -> str | None:
        """The artifact's key, or None where neither TensorFlow nor the index knows it."""
        if builder_versions() is None:
            return self._store.newest(self._index_name(experiment, variant))
        return self._step(experiment, variant).key

    def get(self, experiment: Experiment, variant: Variant) -> Artifact:
        key = self.key(experiment, variant)
        artifact = None if key is None else self._store.get(key)
        if artifact is None:
            reason = (
                f"could not be built: {self._failures[key]}"
                if key in self._failures
                else (
                    f"{experiment.id} {variant.name} ({self._profile.name}) is not in {self._store.root}; "
                    "run once where TensorFlow is installed, and copy the folder"
                )
            )
            raise OptsuiteError(reason)
        return artifact
