"""One build step: what determines it (its key) and how it is done. Bytes in, bytes out, and nothing else."""

from __future__ import annotations

import functools
import hashlib
import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from importlib.metadata import version
from typing import Any

from optsuite.build import sources
from optsuite.build.keys import canonical
from optsuite.errors import OptsuiteError
from optsuite.spec.artifact import Artifact
from optsuite.spec.data import Dataset, Split
from optsuite.spec.experiment import Profile
from optsuite.spec.model import Schedule
from optsuite.spec.stage import Conversion, Stage
from optsuite.spec.task import Task
from optsuite.stages import finish
from optsuite.stages.packages import builder_versions


@dataclass(frozen=True, kw_only=True)
class Step:
    """A build step: an action, what it is trained with, and the steps whose results it starts from.

    Attributes:
        model: The name of the model; it is not part of the key.
        actions: The actions from the first step to this one, as people read them; not part of the key.
        action: What the step does.
        dataset: The data.
        profile: How much of the data is used, and how long the step may train.
        seed: The seed of the experiment.
        schedule: How to train; None for a step that trains nothing.
        inputs: The steps whose artifacts it starts from: the parent, and the teacher's answers.
        trust: Whether the model may have layers that run any code; not part of the key.

    """

    model: str
    actions: tuple[str, ...]
    action: Stage | Conversion
    dataset: Dataset
    profile: Profile
    seed: int
    schedule: Schedule | None = None
    inputs: tuple[Step, ...] = ()
    trust: bool = False

    @property
    def label(self) -> str:
        """The step as people read it, such as "conv s0: train > qat > int8"."""
        return f"{self.model} s{self.seed}: {' > '.join(self.actions)}"

    @functools.cached_property
    def parts(self) -> Mapping[str, Any]:
        """All that determines the result, as plain JSON; what is not in here rebuilds nothing."""
        code: list[Any] = [Step, type(self.action)]
        settings = {
            "action": canonical(self.action, code),
            "schedule": canonical(self.schedule, code),
            "dataset": canonical(self.dataset, code),
        }
        return {
            **settings,
            "limits": [self.profile.train_images, self.profile.eval_images, self.profile.max_steps],
            "epochs": self.schedule and self.profile.epochs(self.schedule),
            "seed": self.seed,
            "inputs": [step.key for step in self.inputs],
            "code": sources.of(*code),
            "packages": {**(builder_versions() or {}), **{name: version(name) for name in self.action.packages}},
        }

    @functools.cached_property
    def key(self) -> str:
        """SHA-256 of `parts`, as hex."""
        return hashlib.sha256(json.dumps(self.parts, sort_keys=True).encode()).hexdigest()

    def _tools(self) -> set[tuple[str, str]]:
        """The files and packages, with their hashes and versions, of the step and of all that it starts from."""
        mine = {*self.parts["code"].items(), *self.parts["packages"].items()}
        return mine.union(*(step._tools() for step in self.inputs))

    def _anew(self) -> Step:
        """The step without what it knows of its parts: they travel with it to other processes."""
        return replace(self, inputs=tuple(step._anew() for step in self.inputs))

    def check_unchanged(self) -> None:
        """Refuse to do in this process a step whose key was made elsewhere, from other code or settings.

        Raises:
            OptsuiteError: The key would be another here; the message names the files and packages that differ.

        """
        here = self._anew()
        if here.key != self.key:
            differ = sorted({name for name, _ in here._tools() ^ self._tools()}) or ["its settings"]
            raise OptsuiteError(
                f"{', '.join(differ)} changed since the run began, or differ in the process that builds: expected "
                "the code and packages that the run began with; start the run again"
            )

    def split(self, name: str) -> Split:
        """The data that the profile allows."""
        return self.profile.split(self.dataset, name)

    @property
    def weight(self) -> int:
        """Roughly how long it takes, in conversions."""
        return 1 if self.schedule is None else 1 + 8 * self.profile.epochs(self.schedule)


@dataclass(frozen=True, kw_only=True)
class Done:
    """A step's artifact, and the seconds that it took to do.

    `start_s` is what its process took to start, with the first step that it did.
    """

    artifact: Artifact
    seconds: float
    start_s: float | None = None


def import_tensorflow() -> None:
    """Do what takes long before the first step of a process."""
    from optsuite import keras

    keras.arithmetic_fingerprint()


def timed(step: Step, inputs: Sequence[Artifact], splits: Mapping[str, Split] | None = None) -> Done:
    """Do a step as `run` does, and time it without TensorFlow's import.

    Raises:
        OptsuiteError: The code is not that of the process which made the step's key, before or after.

    """
    import_tensorflow()
    step.check_unchanged()
    start = time.perf_counter()
    artifact = run(step, inputs, splits)
    seconds = time.perf_counter() - start
    step.check_unchanged()  # a module that the step imported late may have been edited in between
    return Done(artifact=artifact, seconds=seconds)


def run(step: Step, inputs: Sequence[Artifact], splits: Mapping[str, Split] | None = None) -> Artifact:
    """Do the step. The result depends on the arguments alone: not on the process, nor on what it did before.

    Args:
        step: What to do.
        inputs: The artifacts of the step's inputs.
        splits: The data that the profile allows, where it is at hand; else the dataset loads it.

    """
    from optsuite import keras

    # Loading the data may draw random numbers, so it comes before the step's own seed.
    loaded = {name: (splits or {}).get(name) or step.split(name) for name in ("train", "validation", "test")}
    task = Task(
        dataset=step.dataset,
        splits=loaded,
        seed=step.seed,
        schedule=step.schedule and replace(step.schedule, epochs=step.profile.epochs(step.schedule)),
        max_steps=step.profile.max_steps,
        trust=step.trust,
        parent=inputs[0] if inputs else None,
        teacher=inputs[1] if len(inputs) > 1 else None,
    )
    keras.reset(step.seed)
    if isinstance(step.action, Stage):
        return finish.apply(step.action, task)
    return step.action.run(task)
