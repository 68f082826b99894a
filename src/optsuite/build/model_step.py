"""The steps that make models and files: stages and conversions."""

from __future__ import annotations

import functools
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from importlib.metadata import version
from typing import Any

from optsuite.build import sources
from optsuite.build.keys import canonical
from optsuite.build.step import Step
from optsuite.spec.artifact import Artifact
from optsuite.spec.data import Split
from optsuite.spec.model import OwnFit, Schedule, Size
from optsuite.spec.stage import Conversion, Stage
from optsuite.spec.task import ASSUMED_BATCH, Task
from optsuite.stages import finish
from optsuite.stages.packages import builder_versions

# Fitted to the build times of a reference run, on a CPU with AVX-512: 38 us an image and 96 ps a multiply-accumulate.
_CONVERSION_MACS = 5e9
"""Multiply-accumulates of training in the time of one conversion."""
_IMAGE_MACS = 4e5
"""What else an image of training takes, in multiply-accumulates."""
_TRAINING = 5
"""What else a training takes, in conversions."""
_USUAL = Size(macs=1_000_000, images=54_000)
"""The size of optsuite's own models, roughly."""


_data: dict[str, dict[str, Split]] = {}
"""In a worker: the splits of the dataset that its last step used. Each of the next ones would load them again."""


@dataclass(frozen=True, kw_only=True)
class ModelStep(Step):
    """A step that makes a model from a model, or a file from a model.

    Attributes:
        action: What the step does.
        schedule: How to train, or the user's function that does it; None for a step that trains nothing.
        trust: Whether the model may have layers that run any code; not part of the key.
        size: How large the model and its training split are, roughly; not part of the key.

    """

    action: Stage | Conversion
    schedule: Schedule | OwnFit | None = None
    trust: bool = False
    size: Size = _USUAL

    @functools.cached_property
    def parts(self) -> Mapping[str, Any]:
        profile, code = self.profile, list[Any]((ModelStep, type(self.action)))
        settings = {
            "action": canonical(self.action, code),
            "schedule": canonical(self.schedule, code),
            "dataset": canonical(self.dataset, code),
        }
        return {
            **settings,
            "limits": [profile.train_images, profile.eval_images, profile.max_steps, profile.max_macs],
            "epochs": self._epochs,
            "seed": self.seed,
            "inputs": [step.key for step in self.inputs],
            "code": sources.of(*code),
            "packages": {**(builder_versions() or {}), **{name: version(name) for name in self.action.packages}},
        }

    @property
    def sort(self) -> str:
        return self.action.sort if isinstance(self.action, Conversion) else "model"

    @property
    def work(self) -> float:
        schedule, profile = self.schedule, self.profile
        if schedule is None or not isinstance(self.action, Stage):
            return 1
        batch = schedule.batch if isinstance(schedule, Schedule) else ASSUMED_BATCH
        images = min(
            profile.epochs(schedule) * self.size.images if isinstance(schedule, Schedule) else schedule.steps * batch,
            (profile.max_steps or math.inf) * batch,
            (profile.max_macs or math.inf) / max(1, self.size.macs),
        )
        return _TRAINING + images * (_IMAGE_MACS + self.size.macs) / _CONVERSION_MACS

    @property
    def _epochs(self) -> int | None:
        return self.profile.epochs(self.schedule) if isinstance(self.schedule, Schedule) else None

    def _loaded(self, name: str) -> Split:
        place = json.dumps([self.parts["dataset"], self.parts["limits"]], sort_keys=True)
        if place not in _data:
            _data.clear()
        found = _data.setdefault(place, {})
        if name not in found:
            found[name] = self.split(name)
        return found[name]

    @staticmethod
    def prepare() -> None:
        """Import TensorFlow."""
        from optsuite import keras

        keras.arithmetic_fingerprint()

    def run(self, inputs: Sequence[Artifact], splits: Mapping[str, Split]) -> Artifact:
        from optsuite import keras

        # Loading the data may draw random numbers, so it comes before the step's own seed.
        loaded = {name: splits.get(name) or self._loaded(name) for name in self.needs}
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
            max_macs=self.profile.max_macs,
            trust=self.trust,
            parent=inputs[0] if inputs else None,
            teacher=inputs[1] if len(inputs) > 1 else None,
        )
        keras.reset(self.seed)
        if isinstance(self.action, Stage):
            return finish.apply(self.action, task)
        return self.action.run(task)
