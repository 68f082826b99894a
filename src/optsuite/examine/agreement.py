"""How the answers of another runtime, or of kernels for another CPU, differ from those of LiteRT on this machine."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np

from optsuite import cpu
from optsuite.examine.accuracy import scored
from optsuite.examine.examination import Examination, ExaminationTask
from optsuite.litert import LiteRTRunner, answers, or_end
from optsuite.results.examined import Findings
from optsuite.results.figures import Figure

IMAGES = 1_000
"""How many test images are asked: what emulates a device, or is written to be read, is slow."""


@dataclass(frozen=True, kw_only=True)
class Agreement(Examination[Findings], ABC):
    """The accuracy of a file elsewhere, on the first 1,000 test images, and how its answers differ from LiteRT's here.

    Outputs are compared in output steps where they are integers, and as numbers where they are floats.
    """

    needs = ("test",)
    slow: ClassVar[bool] = True
    packages: ClassVar[tuple[str, ...]] = ("ai-edge-litert", "numpy")

    @property
    @abstractmethod
    def prefix(self) -> str:
        """What the names of the figures begin with."""

    @property
    @abstractmethod
    def where(self) -> str:
        """Where the file is run, in words."""

    @property
    def figures(self) -> tuple[Figure, ...]:
        def figure(name: str, label: str, unit: str = "", better: Literal["higher", "lower"] = "lower") -> Figure:
            return Figure(name=f"{self.prefix}_{name}", label=f"{label} ({self.where})", unit=unit, better=better)

        return (
            figure("accuracy", "accuracy of the first 1,000 images", better="higher"),
            figure("changed", "answers that differ from LiteRT's"),
            figure("steps", "largest difference from LiteRT's", unit="output steps"),
            figure("difference", "largest difference from LiteRT's, as a number"),
        )

    def tools(self) -> Mapping[str, str]:
        return {**super().tools(), "cpu": cpu.features()}

    def run(self, task: ExaminationTask) -> Findings:
        test = task.splits["test"].first(IMAGES)
        with or_end():
            LiteRTRunner(task.content).invoke()  # not the one that is asked: a model may have a state
        runner = LiteRTRunner(task.content)
        given = runner.prepare(test.x)
        here = answers(runner, given)
        there = self.answers_there(task.content, given, here)
        compared = (here.argmax(axis=-1), there.argmax(axis=-1)) if task.metric.classes else (here, there)
        changed = (compared[0] != compared[1]).reshape(len(given), -1).any(axis=-1)
        largest = float(np.abs(here.astype(float) - there.astype(float)).max())
        found: dict[str, int | float] = {
            "accuracy": scored(task.metric, runner.interpret(there), test).accuracy,
            "changed": int(changed.sum()),
        }
        if np.issubdtype(here.dtype, np.integer):
            found["steps"] = int(largest)
        elif math.isfinite(largest):  # a damaged network may answer with what is no number
            found["difference"] = largest
        return Findings(figures={f"{self.prefix}_{name}": value for name, value in found.items()})

    @abstractmethod
    def answers_there(self, content: bytes, given: np.ndarray, here: np.ndarray) -> np.ndarray:
        """Return the raw answers of a file, of the shape and dtype of `here`, those of LiteRT on this machine.

        Args:
            content: The content of the .tflite file.
            given: Inputs in the form that the file takes, (n, *shape); each is asked alone.
            here: What LiteRT answers, (n, *shape of the output).

        Raises:
            OptsuiteError, UnavailableError: As for `run`.

        """
