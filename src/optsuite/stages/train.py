"""The first stage, training from nothing, and the fitting that all stages share.

Every model descends from this stage, so that a change here is a change to all of them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from optsuite.spec import OptsuiteError, Schedule, Stage

if TYPE_CHECKING:
    from optsuite.build import Task

# Calls of the training function that one trip through Python makes: saves up to 30 % on the smallest networks.
_STEPS_PER_EXECUTION = 32


@dataclass(frozen=True, kw_only=True)
class Train(Stage):
    """Train what `build` returns."""

    build: Callable[[], Any]

    def apply(self, model: Any, task: Task) -> Any:
        model = self.build()
        fit(model, task)
        return model


@dataclass(frozen=True, kw_only=True)
class Copies:
    """A fixed set of shifted copies of the training images, of which each image takes one by chance each epoch.

    `shifts` is int (copies, n, 2), in pixels, none beyond `pixels`; `targets` float32 (copies, n, ...).
    """

    pixels: int
    shifts: np.ndarray
    targets: np.ndarray


def schedule_of(task: Task) -> Schedule:
    """The schedule of a step that trains."""
    if task.step.schedule is None:
        raise OptsuiteError(f"{task.step.label}: a stage needs a schedule")
    return task.step.schedule


def steps_per_epoch(task: Task) -> int:
    """Whole batches in the training split; a last, smaller one is left to the next shuffle."""
    return max(1, len(task.split("train").x) // schedule_of(task).batch)


def total_steps(task: Task) -> int:
    """Optimiser steps of the whole stage."""
    return steps_per_epoch(task) * task.step.profile.epochs(schedule_of(task))


def fit(
    model: Any,
    task: Task,
    *,
    loss: Any = None,
    labels: Callable[[np.ndarray], np.ndarray] = lambda y: y,
    accuracy: Any = "accuracy",
    copies: Copies | None = None,
    callbacks: Sequence[Any] = (),
) -> None:
    """Compile and fit `model` on the training split by the step's schedule, and record the curves.

    By default the loss is cross-entropy on logits and each image is shifted anew in each epoch; `copies` replaces
    both shifts and targets by a fixed set. `labels` brings the validation labels into the form that `loss` takes.
    `callbacks` are called each batch.
    """
    from optsuite.keras import keras

    schedule, split, validation = schedule_of(task), task.split("train"), task.split("validation")
    epochs = task.step.profile.epochs(schedule)
    model.compile(
        optimizer=keras.optimizers.Adam(_cosine(schedule, total_steps(task))),
        loss=loss or keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=[accuracy],
        steps_per_execution=1 if callbacks else min(_STEPS_PER_EXECUTION, steps_per_epoch(task)),
    )
    task.history = model.fit(
        _batches(split.x, split.y, schedule, task.step.seed, copies),
        epochs=epochs,
        steps_per_epoch=steps_per_epoch(task),
        validation_data=(validation.x, labels(validation.y)),
        validation_batch_size=len(validation.x) // 5 or 1,
        callbacks=list(callbacks),
        verbose=0,
    ).history


def _cosine(schedule: Schedule, steps: int) -> Any:
    from optsuite.keras import keras

    warmup = int(schedule.warmup * steps)
    return keras.optimizers.schedules.CosineDecay(
        initial_learning_rate=0.0 if warmup else schedule.peak_lr,
        decay_steps=max(1, steps - warmup),
        warmup_target=schedule.peak_lr if warmup else None,
        warmup_steps=warmup,
    )


def shifted(padded: Any, pixels: int, shifts: Any) -> Any:
    """Undo the border of `pixels` on images (n, h, w, c), each moved by its own `shifts` (int (n, 2), in pixels)."""
    from optsuite.keras import tf

    def cut(images: Any, axis: int) -> Any:
        size = padded.shape[axis] - 2 * pixels
        offsets = shifts[:, axis - 1, tf.newaxis] + (pixels + tf.range(size))
        return tf.gather(images, offsets, axis=axis, batch_dims=1)

    return cut(cut(padded, axis=1), axis=2)


def pad(x: np.ndarray, pixels: int) -> np.ndarray:
    """Images (n, h, w, c) with a black border, ready for `shifted`."""
    return np.pad(x, ((0, 0), (pixels, pixels), (pixels, pixels), (0, 0)))


def _batches(x: np.ndarray, y: np.ndarray, schedule: Schedule, seed: int, copies: Copies | None) -> Any:
    """An endless tf.data.Dataset of (images, targets), whole batches, the same for the same seed.

    Works on batches of indices: a gather and a cut a batch cost little beside a step of even the smallest network.
    """
    from optsuite.keras import tf

    count, pixels = len(x), schedule.shift_pixels if copies is None else copies.pixels
    images = tf.constant(pad(x, pixels))
    targets = tf.constant(y if copies is None else copies.targets)
    moves = None if copies is None else tf.constant(copies.shifts)

    def batch(step: Any, rows: Any) -> tuple[Any, Any]:
        def draw(columns: int, low: int, high: int) -> Any:
            return tf.random.stateless_uniform([tf.size(rows), columns], [seed, step], low, high, rows.dtype)

        if moves is None:
            shifts, wanted = draw(2, -pixels, pixels + 1), tf.gather(targets, rows)
        else:
            which = tf.concat([draw(1, 0, moves.shape[0]), rows[:, tf.newaxis]], axis=1)
            shifts, wanted = tf.gather_nd(moves, which), tf.gather_nd(targets, which)
        return shifted(tf.gather(images, rows), pixels, tf.cast(shifts, tf.int32)), wanted

    order = tf.data.Dataset.range(count).shuffle(count, seed=seed, reshuffle_each_iteration=True)
    return order.batch(min(schedule.batch, count), drop_remainder=True).repeat().enumerate().map(batch).prefetch(2)
