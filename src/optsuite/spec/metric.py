"""Metrics: a score for each input, the larger the better; a model is judged by their mean."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from optsuite.errors import OptsuiteError

WORST = (2 - 2**-23) * 2.0**127
"""The largest float32, the error of an answer that is no number: that of one that is as wrong as can be."""


class Metric(ABC):
    """What a model is judged by. Subclasses are frozen dataclasses of settings.

    Attributes:
        classes: Whether inputs have labels, the model answers with one number per class, and scores are 0 or 1.

    """

    classes: ClassVar[bool] = False

    @property
    @abstractmethod
    def name(self) -> str:
        """The name in reports."""

    @abstractmethod
    def check(self, shape: tuple[int, ...], y: np.ndarray) -> None:
        """Check that answers can be scored.

        Args:
            shape: The shape of the answer to one input.
            y: Targets (n,).

        Raises:
            OptsuiteError: Answers of that shape can't be scored against these targets.

        """

    @abstractmethod
    def scores(self, outputs: np.ndarray, y: np.ndarray) -> np.ndarray:
        """Score answers, the larger the better.

        Args:
            outputs: Answers, float32 (n, ...).
            y: Targets (n,).

        Returns:
            Scores (n,): bool where they are 0 or 1, else float32.

        """

    @abstractmethod
    def loss(self, *, probabilities: bool) -> Any:
        """Return the Keras loss to train by, for a model that answers with probabilities or with logits."""

    def curves(self) -> list[Any]:
        """Return the Keras metric to record after each epoch, which is named "accuracy"; none by default."""
        return []


@dataclass(frozen=True, kw_only=True)
class TopK(Metric):
    """The share of the inputs whose label is among the `k` largest outputs (the first, among equals)."""

    k: int = 1
    classes = True

    @property
    def name(self) -> str:
        return "accuracy" if self.k == 1 else f"top-{self.k} accuracy"

    def check(self, shape: tuple[int, ...], y: np.ndarray) -> None:
        classes = max(2, self.k, int(y.max()) + 1)
        if len(shape) != 1 or shape[0] < classes:
            raise OptsuiteError(
                f"expected one number per class from the model, at least {classes} for labels {y.min()} to {y.max()}, "
                f"got outputs of shape {shape}{'; labels count from 0' if y.min() > 0 else ''}"
            )

    def scores(self, outputs: np.ndarray, y: np.ndarray) -> np.ndarray:
        """Score True where the label is among the k largest outputs; an answer that is not finite is wrong."""
        best = np.argsort(-outputs, axis=-1, kind="stable")[:, : self.k]
        right: np.ndarray = (best == y[:, np.newaxis]).any(axis=-1) & np.isfinite(outputs).all(axis=-1)
        return right

    def loss(self, *, probabilities: bool) -> Any:
        from optsuite.keras import keras

        return keras.losses.SparseCategoricalCrossentropy(from_logits=not probabilities)

    def curves(self) -> list[Any]:
        from optsuite.keras import keras

        return ["accuracy"] if self.k == 1 else [keras.metrics.SparseTopKCategoricalAccuracy(self.k, name="accuracy")]


@dataclass(frozen=True, kw_only=True)
class MeanAbsoluteError(Metric):
    """Minus the mean absolute error of one number for each input: regression. The sign makes larger better."""

    @property
    def name(self) -> str:
        return "negative mean absolute error"

    def check(self, shape: tuple[int, ...], y: np.ndarray) -> None:
        if shape != (1,):
            raise OptsuiteError(f"expected one number per input for {self.name}, got outputs of shape {shape}")

    def scores(self, outputs: np.ndarray, y: np.ndarray) -> np.ndarray:
        errors = np.abs(outputs.reshape(len(y)) - y)
        scores: np.ndarray = -np.nan_to_num(errors, nan=WORST, posinf=WORST).astype(np.float32)
        return scores

    def loss(self, *, probabilities: bool) -> Any:
        from optsuite.keras import keras

        return keras.losses.MeanAbsoluteError()


ACCURACY = TopK()
