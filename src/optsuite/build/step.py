"""A step: what determines its result (its key), and how it is done. Bytes in, bytes out, and nothing else."""

from __future__ import annotations

import functools
import hashlib
import json
import time
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from optsuite.build import sources
from optsuite.errors import OptsuiteError
from optsuite.spec.artifact import Artifact
from optsuite.spec.data import Dataset, Split
from optsuite.spec.experiment import Profile


@dataclass(frozen=True, kw_only=True)
class Step(ABC):
    """One step: a pure function of its settings, its code, and the bytes that it is given.

    Attributes:
        model: The name of the model; it is not part of the key.
        seed: The seed of the experiment.
        actions: The actions from the first step to this one, as people read them; not part of the key.
        dataset: The data.
        profile: How much of the data is used.
        inputs: The steps whose artifacts it starts from.

    """

    model: str
    seed: int
    actions: tuple[str, ...]
    dataset: Dataset
    profile: Profile
    inputs: tuple[Step, ...] = ()

    @property
    def label(self) -> str:
        """The step as people read it, such as "conv s0: train > qat > int8"."""
        return f"{self.model} s{self.seed}: {' > '.join(self.actions)}"

    @functools.cached_property
    @abstractmethod
    def parts(self) -> Mapping[str, Any]:
        """All that determines the result, as plain JSON; what is not in here repeats no step."""

    @functools.cached_property
    def key(self) -> str:
        """SHA-256 of `parts`, as hex."""
        return hashlib.sha256(json.dumps(self.parts, sort_keys=True).encode()).hexdigest()

    @property
    def input_keys(self) -> tuple[str, ...]:
        """The keys of the artifacts that it starts from."""
        return tuple(step.key for step in self.inputs)

    @property
    def needs(self) -> tuple[str, ...]:
        """The names of the splits that the step may use."""
        return ("train", "validation", "test")

    @property
    def sort(self) -> str:
        """The sort of step: how long steps of another sort took says nothing of it."""
        return "model"

    @property
    def work(self) -> float:
        """Roughly how long the step takes, in conversions."""
        return 1

    @property
    def death(self) -> str:
        """Why the step failed, in words, where its process was killed twice."""
        return "the process that ran the step was killed twice; its last output is in build.log in the store's folder"

    def machine(self) -> Mapping[str, str]:
        """Return what a machine must have as this process has it, to be given the step; nothing by default."""
        return {}

    @staticmethod
    @abstractmethod
    def prepare() -> None:
        """Do what takes long before the first step of a process."""

    @abstractmethod
    def run(self, inputs: Sequence[Artifact], splits: Mapping[str, Split]) -> Artifact:
        """Do the step. The result depends on the arguments alone: not on the process, nor on what it did before.

        Args:
            inputs: The artifacts of `input_keys`.
            splits: The data that the profile allows, where it is at hand; what is missing is loaded.

        """

    def split(self, name: str) -> Split:
        """Load the data that the profile allows."""
        return self.profile.split(self.dataset, name)

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
            OptsuiteError: The key would be another here, or this process has loaded code that was edited since. The
                message names the files and packages that differ.

        """
        here = self._anew()
        outdated = sources.outdated(here._tools())
        if here.key != self.key:
            differ = sorted({name for name, _ in here._tools() ^ self._tools()}) or ["its settings"]
            raise OptsuiteError(
                f"{', '.join(differ)} changed since the run began, or differ in the process that builds: expected "
                "the code and packages that the run began with; start the run again"
            )
        if outdated:
            raise OptsuiteError(
                f"{', '.join(sorted(outdated))} changed since the process that builds imported it: expected a process "
                "with the code that the files have now; start the workers of the cluster again, and then the run"
            )


@dataclass(frozen=True, kw_only=True)
class Done:
    """A step's artifact, and the seconds that it took to do.

    `start_s` is what its process took to start, with the first step that it did.
    """

    artifact: Artifact
    seconds: float
    start_s: float | None = None


def timed(step: Step, inputs: Sequence[Artifact], splits: Mapping[str, Split] | None = None) -> Done:
    """Do a step, and time it without what `prepare` does.

    Raises:
        OptsuiteError: The code is not that of the process which made the step's key, before or after.

    """
    step.check_unchanged()  # at once: what was imported for the step is not older yet than its files
    step.prepare()
    start = time.perf_counter()
    artifact = step.run(inputs, splits or {})
    seconds = time.perf_counter() - start
    step.check_unchanged()  # a module that the step imported late may have been edited in between
    return Done(artifact=artifact, seconds=seconds)
