"""The actions of build steps: stages make a model from a model, conversions make files from a model."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any, ClassVar

from optsuite.spec.artifact import Artifact
from optsuite.spec.invariant import InvariantName
from optsuite.spec.task import Task


class Action:
    """What one build step does. Subclasses are frozen dataclasses of settings, one module each."""

    packages: ClassVar[tuple[str, ...]] = ()
    """The packages whose version takes part in the result, besides those that every step uses."""

    @property
    def name(self) -> str:
        """The name of the module that the action is in, without its packages."""
        return type(self).__module__.rpartition(".")[2]


class Conversion(Action, ABC):
    """Makes files from a model, or from another conversion's files: a .tflite file, or what the model answers."""

    may_not_run: ClassVar[bool] = False
    """Whether LiteRT may lack kernels for the file. If it does not run the file, the row is absent; no test fails."""
    sort: ClassVar[str] = "model"
    """The sort of step: how long steps of another sort take says nothing of it."""

    def start(self) -> Conversion | None:
        """Return the conversion whose files this one starts from; None where it starts from the model."""
        return None

    @abstractmethod
    def run(self, task: Task) -> Artifact:
        """Return the files: a pure function of these settings and of what the task holds.

        The files may be the reason alone, under the name `ABSENT`, why there is nothing to make of this model.
        """


@dataclass(frozen=True, kw_only=True)
class Teacher:
    """The model that a stage learns from, by name, and the conversion that gets its answers."""

    model: str
    answers: Conversion


class Stage(Action, ABC):
    """Makes a model from a model: one transformation of a trained model."""

    guarantees: ClassVar[tuple[InvariantName, ...]] = ()
    """The invariants that are in force after the stage, for the layers of `Task.invariants`."""
    preserve: tuple[InvariantName, ...] = ()
    """The invariants that were in force before the stage, and still are after it."""

    @property
    def label(self) -> str:
        """The stage as people read it in a plan."""
        return f"{self.name} keeping {' and '.join(self.preserve)}" if self.preserve else self.name

    @property
    def quantized_bits(self) -> int | None:
        """The fewest bits that fake-quantisation gives any weights from here on; None for a stage without it."""
        return None

    def wrap(self, model: Any, task: Task) -> Any:
        """Return the model as the stage fits it, with wrappers; by default as it is.

        Before anything is trained this is tried on a new model, to know whether the stage can transform it.

        Raises:
            OptsuiteError: It can't, and why.

        """
        return model

    @abstractmethod
    def apply(self, model: Any, task: Task) -> Any:
        """Transform a model, and fit it.

        Args:
            model: The parent's Keras model, loaded for this call, which may be changed; None for a first stage.
            task: The data, the schedule and the seed; `optsuite.stages.fit.fit(model, task)` trains by them.

        Returns:
            The transformed Keras model without wrappers.

        """

    def teacher_of(self) -> Teacher | None:
        """The teacher, for a stage that has one."""
        return None
