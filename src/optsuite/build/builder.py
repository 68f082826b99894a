"""The builder: makes the artifacts of a run's experiments, unless the store has them."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import PurePath
from typing import TextIO

import msgspec

from optsuite.build import running
from optsuite.build.examiner import StoredFile
from optsuite.build.graph import rehearsals, step_of, trial
from optsuite.build.model_step import ModelStep
from optsuite.build.running import BUILDING, TRYING, OpenWorkers
from optsuite.catalog.selection import Selection, baseline
from optsuite.catalog.variants import KERAS
from optsuite.errors import OptsuiteError, UnavailableError
from optsuite.spec.artifact import ABSENT, REHEARSED, TFLITE, Artifact
from optsuite.spec.experiment import Candidate, Experiment
from optsuite.spec.model import Size
from optsuite.spec.variant import Variant
from optsuite.stages.packages import builder_versions
from optsuite.store.store import Store


class Builder:
    """Builds and finds the artifacts of a selection in a store. `log` is called with each line for the user."""

    def __init__(self, selection: Selection, store: Store, log: Callable[[str], object]) -> None:
        self._catalog = selection.catalog
        self._profile = selection.profile
        self._store = store
        self._log = log
        self._requested = selection.requested.recipes
        self._failures: dict[str, str] = {}
        self.unfit: dict[str, str] = {}
        """The id of an experiment whose recipe can't transform its model -> why, when `rehearse` found it out."""
        self._sizes: dict[tuple[str, str], Size] = {}
        self._begun: list[ModelStep] = []
        self._steps: dict[tuple[str, str], ModelStep] = {}
        """Fixed once: a file of the user's that is edited while the run goes on changes none of its keys."""

    def begin(self, rows: Iterable[Candidate]) -> None:
        """Remember the code of the user's rows, which was imported just now: loading data may take minutes."""
        if self._catalog.user_defined is None or builder_versions() is None:
            return
        self._begun = [step_of(*row, self._profile, self._catalog) for row in rows]
        for step in self._begun:
            _ = step.key

    def _check_begun(self) -> None:
        """Refuse to go on with the settings of a file as it was, and the functions of the file as it is."""
        for step in self._begun:
            step.check_unchanged()

    def steps(self, rows: Iterable[Candidate]) -> list[ModelStep]:
        """Return the steps that `build` would do, or find done; OptsuiteError without TensorFlow."""
        if builder_versions() is None:
            raise OptsuiteError(
                "TensorFlow is not installed, so nothing can be built here; to plan a build: "
                "pip install 'optsuite[build]'"
            )
        return [step for _, step in self._needed(rows)]

    def rehearse(self, rows: Sequence[Candidate], open_workers: OpenWorkers, stream: TextIO) -> None:
        """Find out, before anything is trained, how large models are, and whether recipes can transform them.

        Of optsuite's own models and recipes on its own data this is known.

        Raises:
            OptsuiteError: A model can't be made, or does not fit the data; or a recipe that was requested by name can't
                transform one.

        """
        user = self._catalog.user_defined
        if user is None or builder_versions() is None:
            return
        of_user = {
            one.id: one
            for one, _ in rows
            if one.model.name in user.models or one.recipe.name in user.recipes or one.dataset.name in user.datasets
        }
        trials = [trial(one, self._profile) for one in of_user.values()]
        steps = {id: rehearsals(one, self._profile) for id, one in of_user.items()}
        every = [*trials, *(one for some in steps.values() for one in some)]
        failures = running.run(every, self._store, TRYING, open_workers, stream, self._log)
        for tried in trials:
            if tried.key in failures:
                reason = failures[tried.key].removeprefix(f"{tried.label}: ")
                raise OptsuiteError(f"model {tried.model} can't be used: {reason}")
            if artifact := self._store.get(tried.key):
                self._sizes[tried.dataset.name, tried.model] = msgspec.json.decode(artifact[REHEARSED], type=Size)
        for id, rehearsed in steps.items():
            reasons = [
                artifact[ABSENT].decode() for one in rehearsed if ABSENT in (artifact := self._store.get(one.key) or {})
            ]
            if not reasons:
                continue
            if of_user[id].recipe.name in self._requested:
                raise OptsuiteError(f"{id} can't be built: {reasons[0]}")
            self.unfit[id] = reasons[0]
            self._log(f"absent: {id}: {reasons[0]}")

    def build(self, rows: Iterable[Candidate], open_workers: OpenWorkers, stream: TextIO) -> None:
        """Build what is missing in the store: `rows`, their Keras models and their baselines.

        Raises:
            OptsuiteError: As `rehearse` raises it, or a file of the user's was edited since `begin`.

        """
        if builder_versions() is None:
            self._log(f"TensorFlow is not installed: taking the newest artifacts that {self._store.root} knows of")
            return
        rows = list(rows)
        self._check_begun()
        self.rehearse(rows, open_workers, stream)
        self._check_begun()
        needed = self._needed(rows)
        steps = [step for _, step in needed]
        name = partial(self._update_index, needed)
        self._failures |= running.run(steps, self._store, BUILDING, open_workers, stream, self._log, name)

    def _needed(self, rows: Iterable[Candidate]) -> Collection[tuple[Candidate, ModelStep]]:
        """Return the rows and their references, each once, with the step that makes it."""
        needed: dict[tuple[str, str], tuple[Candidate, ModelStep]] = {}
        for experiment, variant in rows:
            if experiment.id in self.unfit:
                continue
            for candidate in (
                Candidate(baseline(experiment), KERAS),
                Candidate(experiment, KERAS),
                Candidate(experiment, variant),
            ):
                step = self._step(candidate.experiment, candidate.variant)
                needed[candidate.experiment.id, candidate.variant.name] = candidate, step
        return needed.values()

    def _update_index(self, needed: Iterable[tuple[Candidate, ModelStep]], failures: Mapping[str, str]) -> None:
        """Point the index to the newest artifacts, and remove the files of a model that was since built anew.

        Otherwise a machine without TensorFlow could measure a file of one build and judge it by the answers of another.
        """
        built = [(candidate, step) for candidate, step in needed if step.key not in failures]
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

    def _step(self, experiment: Experiment, variant: Variant) -> ModelStep:
        row = experiment.id, variant.name
        if row not in self._steps:
            self._steps[row] = step_of(experiment, variant, self._profile, self._catalog, self._sizes)
        return self._steps[row]

    def _index_name(self, experiment: Experiment, variant: Variant) -> PurePath:
        return PurePath(self._profile.name, experiment.dataset.name, experiment.name, variant.name)

    def key(self, experiment: Experiment, variant: Variant) -> str | None:
        """The artifact's key, or None where neither TensorFlow nor the index knows it."""
        if builder_versions() is None:
            return self._store.newest(self._index_name(experiment, variant))
        return self._step(experiment, variant).key

    def file(self, experiment: Experiment, variant: Variant) -> StoredFile | None:
        """Return the .tflite file of a row, to be examined; None where it is not in the store."""
        key = self.key(experiment, variant)
        artifact = None if key is None else self._store.get(key)
        if key is None or artifact is None or TFLITE not in artifact:
            return None
        return self._file(experiment, variant, key, hashlib.sha256(artifact[TFLITE]).hexdigest())

    def files(self, rows: Iterable[Candidate]) -> list[StoredFile]:
        """Return the .tflite files of the rows that are in the store, each once."""
        files = [self.file(*row) for row in rows if row.variant.convert is not None]
        return list({file.index_name: file for file in files if file}.values())

    def later_files(self, rows: Iterable[Candidate]) -> list[StoredFile]:
        """Return the .tflite files of the rows that are not built yet, each once; their hashes are empty."""
        later = {
            step.key: self._file(*candidate, step.key, "")
            for candidate, step in self._needed(rows)
            if candidate.variant.convert is not None
        }
        return [file for key, file in later.items() if self._store.get(key) is None]

    def _file(self, experiment: Experiment, variant: Variant, key: str, sha256: str) -> StoredFile:
        return StoredFile(
            model=experiment.model.name,
            dataset=experiment.dataset,
            seed=experiment.seed,
            actions=(experiment.recipe.name, variant.name),
            index_name=self._index_name(experiment, variant),
            key=key,
            sha256=sha256,
        )

    def get(self, experiment: Experiment, variant: Variant) -> Artifact:
        """Return the artifact of a row.

        Raises:
            UnavailableError: There is nothing to make of the model in this form; the message says why.
            OptsuiteError: It could not be built, or is not in the store.

        """
        if experiment.id in self.unfit:
            raise UnavailableError(self.unfit[experiment.id])
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
        if ABSENT in artifact:
            raise UnavailableError(artifact[ABSENT].decode("utf-8", "replace"))
        return artifact
