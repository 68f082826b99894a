"""What a model is judged by: a score for each input, the larger the better; the metric is their mean."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, NoReturn

if TYPE_CHECKING:
    import numpy as np

WORST = (2 - 2**-23) * 2.0**127
"""The largest float32, the error of an answer that is no number: that of one that is as wrong as can be."""


class Metric(ABC):
    """Subclasses are frozen dataclasses of settings; one of your own is as good as these.

    `classes` says whether an input has a label, the model a number a class, and a score is 0 or 1.
    """

    classes: ClassVar[bool] = False

    @property
    @abstractmethod
    def name(self) -> str:
        """As it is shown."""

    @abstractmethod
    def check(self, shape: tuple[int, ...], y: np.ndarray) -> None:
        """OptsuiteError where answers of that shape, one input's, can't be scored against targets `y` (n,)."""

    @abstractmethod
    def scores(self, outputs: np.ndarray, y: np.ndarray) -> np.ndarray:
        """For answers float32 (n, ...) to inputs whose targets are `y` (n,): bool where 0 or 1, else float32, (n,)."""

    @abstractmethod
    def loss(self, *, probabilities: bool) -> Any:
        """The Keras loss to train by, for a model that answers with probabilities or not."""

    def curves(self) -> list[Any]:
        """The Keras metric to record after each epoch, named "accuracy"; none by default."""
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
            _refuse(
                f"expected one number per class from the model, at least {classes} for labels {y.min()} to {y.max()}, "
                f"got outputs of shape {shape}"
            )

    def scores(self, outputs: np.ndarray, y: np.ndarray) -> np.ndarray:
        """An answer that is not all finite is wrong."""
        import numpy as np  # the plugin comes by here in everybody's tests, and costs them nothing

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
            _refuse(f"expected one number per input for {self.name}, got outputs of shape {shape}")

    def scores(self, outputs: np.ndarray, y: np.ndarray) -> np.ndarray:
        import numpy as np

        errors = np.abs(outputs.reshape(len(y)) - y)
        scores: np.ndarray = -np.nan_to_num(errors, nan=WORST, posinf=WORST).astype(np.float32)
        return scores

    def loss(self, *, probabilities: bool) -> Any:
        from optsuite.keras import keras

        return keras.losses.MeanAbsoluteError()


def _refuse(why: str) -> NoReturn:
    from optsuite.errors import OptsuiteError  # which has metrics in its vocabulary

    raise OptsuiteError(why)


ACCURACY = TopK()
