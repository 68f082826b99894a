"""Training by a function of the user's: what it is given, and the check that it uses it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from optsuite.errors import OptsuiteError
from optsuite.spec.names import function_name
from optsuite.spec.task import Task


@dataclass(frozen=True, kw_only=True)
class FitData:
    """The data that the user's function trains with.

    Attributes:
        x_train: Training inputs, float32 (n, *input_shape).
        y_train: What the loss takes as their targets, (n, ...): labels, but where a stage has others.
        x_validation: Validation inputs, float32 (m, *input_shape).
        y_validation: What the loss takes as their targets, (m, ...).
        metrics: What `model.compile` takes as `metrics`, for the training curves.
        class_weights: The weight of each label in the loss, for `model.fit(class_weight=...)`; empty without weights.

    """

    x_train: np.ndarray = field(repr=False)
    y_train: np.ndarray = field(repr=False)
    x_validation: np.ndarray = field(repr=False)
    y_validation: np.ndarray = field(repr=False)
    metrics: Sequence[Any] = ()
    class_weights: Mapping[int, float] = field(default_factory=dict)


def fit(model: Any, task: Task, data: FitData, steps: int, *, loss: Any, callbacks: Sequence[Any]) -> None:
    """Let the user's function of a task train a model in place, for `steps` optimiser steps at most.

    Raises:
        OptsuiteError: The function did not use the callbacks or the loss, or took fewer steps.

    """
    if task.own_fit is None:
        raise OptsuiteError("expected a task with a function that fits, got none")
    watch, watched_loss = _watch(steps), _watched(loss)
    name = function_name(task.own_fit.fit)
    no_callbacks = OptsuiteError(
        f"{name}: expected the function to pass its argument `callbacks` to model.fit; no callback was called"
    )
    try:
        task.own_fit.fit(model, data, seed=task.seed, callbacks=[*callbacks, watch], loss=watched_loss)
    except Exception as error:
        if watched_loss.called and not watch.began:  # pruning fails in the midst of a step without its callback
            raise no_callbacks from error
        raise
    if not watch.began:
        raise no_callbacks
    if not watched_loss.called:
        raise OptsuiteError(
            f"{name}: expected the function to compile the model with its argument `loss`; the loss was not called"
        )
    if watch.steps < steps:
        raise OptsuiteError(
            f"{name}: expected at least {steps} optimiser steps, as fit_steps says, got {watch.steps}; stages such as "
            "pruning are spread over them, so a callback must not stop early"
        )
    task.history = watch.history


def _watch(limit: int) -> Any:
    """A callback that counts steps, collects the training curves, and ends the training after `limit` steps."""
    from optsuite.keras import keras

    class Watch(keras.callbacks.Callback):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.began = False
            self.steps = 0
            self.history: dict[str, list[float]] = {}
            self._last = -1

        def on_train_begin(self, logs: Any = None) -> None:
            self.began = True

        def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
            self._last = -1

        def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
            self.steps += batch - self._last  # several, where one execution takes several steps
            self._last = batch
            if self.steps >= limit:
                self.model.stop_training = True

        def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
            for name in ("loss", "accuracy", "val_accuracy"):
                if name in (logs or {}):
                    self.history.setdefault(name, []).append(float(logs[name]))

    return Watch()


def _watched(loss: Any) -> Any:
    """The loss, which remembers whether it was called."""
    from optsuite.keras import keras

    class Watched(keras.losses.Loss):  # type: ignore[misc]
        called = False

        def call(self, y_true: Any, y_pred: Any) -> Any:
            self.called = True
            return loss.call(y_true, y_pred) if isinstance(loss, keras.losses.Loss) else loss(y_true, y_pred)

    return Watched(name="loss")
