"""The steps that make models and files: stages and conversions."""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from importlib.metadata import version
from typing import Any

from optsuite.build import sources
from optsuite.build.keys import canonical
from optsuite.build.step import Step
from optsuite.spec.artifact import Artifact
from optsuite.spec.data import Split
from optsuite.spec.model import OwnFit, Schedule
from optsuite.spec.stage import Conversion, Stage
from optsuite.spec.task import Task
from optsuite.stages import finish
from optsuite.stages.packages import builder_versions


@dataclass(frozen=True, kw_only=True)
class ModelStep(Step):
    """A step that makes a model from a model, or a file from a model.

    Attributes:
        action: What the step does.
        schedule: How to train, or the user's function that does it; None for a step that trains nothing.
        trust: Whether the model may have layers that run any code; not part of the key.

    """

    action: Stage | Conversion
    schedule: Schedule | OwnFit | None = None
    trust: bool = False

    @functools.cached_property
    def parts(self) -> Mapping[str, Any]:
        code: list[Any] = [ModelStep, type(self.action)]
        settings = {
            "action": canonical(self.action, code),
            "schedule": canonical(self.schedule, code),
            "dataset": canonical(self.dataset, code),
        }
        return {
            **settings,
            "limits": [self.profile.train_images, self.profile.eval_images, self.profile.max_steps],
            "epochs": self._epochs,
            "seed": self.seed,
            "inputs": [step.key for step in self.inputs],
            "code": sources.of(*code),
            "packages": {**(builder_versions() or {}), **{name: version(name) for name in self.action.packages}},
        }

    @property
    def weight(self) -> int:
        return 1 if self.schedule is None else 1 + 8 * (self._epochs or 1)

    @property
    def _epochs(self) -> int | None:
        return self.profile.epochs(self.schedule) if isinstance(self.schedule, Schedule) else None

    @staticmethod
    def prepare() -> None:
        """Import TensorFlow."""
        from optsuite import keras

        keras.arithmetic_fingerprint()

    def run(self, inputs: Sequence[Artifact], splits: Mapping[str, Split]) -> Artifact:
        from optsuite import keras

        # Loading the data may draw random numbers, so it comes before the step's own seed.
        loaded = {name: splits.get(name) or self.split(name) for name in self.needs}
        schedule = self.schedule
        task = Task(
            dataset=self.dataset,
            splits=loaded,
            seed=self.seed,
            schedule=replace(schedule, epochs=self.profile.epochs(schedule))
            if isinstance(schedule, Schedule)
            else None,
            own_fit=schedule if isinstance(schedule, OwnFit) else None,
            max_steps=self.profile.max_steps,
            trust=self.trust,
            parent=inputs[0] if inputs else None,
            teacher=inputs[1] if len(inputs) > 1 else None,
        )
        keras.reset(self.seed)
        if isinstance(self.action, Stage):
            return finish.apply(self.action, task)
        return self.action.run(task)
