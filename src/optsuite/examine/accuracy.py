"""The answers of a file: which images it answers correctly, asked one at a time of LiteRT."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from optsuite import cpu, litert
from optsuite.examine.examination import Examination, ExaminationTask
from optsuite.litert import LiteRTRunner
from optsuite.results.answers import Answers
from optsuite.results.examined import Answered
from optsuite.spec.data import Split
from optsuite.spec.metric import Metric


@dataclass(frozen=True, kw_only=True)
class Accuracy(Examination[Answered]):
    """The scores of a file on the test and validation splits."""

    name: str = "accuracy"
    needs = ("test", "validation")
    packages = ("ai-edge-litert", "numpy")
    record = Answered

    def tools(self) -> Mapping[str, str]:
        # Kernels for other instruction sets add up in another order, and round otherwise.
        return {**super().tools(), "cpu": cpu.features()}

    def run(self, task: ExaminationTask) -> Answered:
        with litert.or_end():
            LiteRTRunner(task.content).invoke()  # not the one that is asked: a model may have a state
        runner = LiteRTRunner(task.content)
        return answered(
            task.metric, task.splits, {name: litert.outputs(runner, task.splits[name].x) for name in self.needs}
        )


def answered(metric: Metric, splits: Mapping[str, Split], outputs: Mapping[str, np.ndarray]) -> Answered:
    """Return the record of answers, float32 (n, classes), to the splits "test" and "validation".

    Raises:
        OptsuiteError: The answers do not fit the metric.

    """
    test = scored(metric, outputs["test"], splits["test"])
    return Answered(
        test=test,
        validation=scored(metric, outputs["validation"], splits["validation"]),
        mistakes=mistakes(outputs["test"], test) if metric.classes else (),
        note=not_finite(outputs["test"]),
    )


def scored(metric: Metric, outputs: np.ndarray, split: Split) -> Answers:
    """Return the scores of a model's outputs; OptsuiteError if they do not fit the metric."""
    metric.check(outputs.shape[1:], split.y)
    scores = metric.scores(outputs, split.y)
    return Answers.of(scores if metric.classes else scores.astype(np.float32))


def mistakes(outputs: np.ndarray, answers: Answers) -> tuple[int, ...]:
    """Return the label of the largest output for each input that was answered wrong, in their order."""
    return tuple(outputs.argmax(axis=-1)[~answers.correct()].tolist())


def not_finite(outputs: np.ndarray) -> str:
    """Return a note on outputs, float32 (n, classes), that are not finite; an empty string if all are."""
    count = int((~np.isfinite(outputs).all(axis=-1)).sum())
    return f"{count} of {len(outputs)} answers are not finite" if count else ""
