"""The fitting that all stages share: schedule, batches, loss."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from optsuite.errors import OptsuiteError
from optsuite.spec.model import Schedule
from optsuite.spec.task import Task
from optsuite.stages import own_fit
from optsuite.stages.images import check_images, moved, shifter
from optsuite.stages.own_fit import FitData

# Calls of the training function that one trip through Python makes: saves up to 30 % on the smallest networks.
_STEPS_PER_EXECUTION = 32


@dataclass(frozen=True, kw_only=True)
class Copies:
    """A fixed set of shifted copies of the training images, of which each image takes one by chance each epoch.

    `shifts` is int (copies, n, 2), in pixels; `targets` float32 (copies, n, ...).
    """

    shifts: np.ndarray
    targets: np.ndarray


def schedule_of(task: Task) -> Schedule:
    """The schedule of a task that trains; OptsuiteError for a task without one."""
    if task.schedule is None:
        raise OptsuiteError("expected a schedule for a stage that trains, got none")
    return task.schedule


def steps_per_epoch(task: Task) -> int:
    """Whole batches in the training split, or fewer where the profile limits the steps of a stage.

    A last, smaller batch is left to the next shuffle.
    """
    schedule = schedule_of(task)
    steps = len(task.splits["train"].x) // schedule.batch
    if task.max_steps is not None:
        steps = min(steps, task.max_steps // schedule.epochs)
    return max(1, steps)


def total_steps(task: Task) -> int:
    """Optimiser steps of the whole stage."""
    if task.own_fit:
        return task.own_fit.steps if task.max_steps is None else min(task.own_fit.steps, task.max_steps)
    return steps_per_epoch(task) * schedule_of(task).epochs


def fit(
    model: Any,
    task: Task,
    *,
    loss: Any = None,
    labels: Callable[[np.ndarray], np.ndarray] = lambda y: y,
    accuracy: Any = None,
    copies: Copies | None = None,
    callbacks: Sequence[Any] = (),
) -> None:
    """Compile and fit `model` on the training split by the task's schedule, and record the curves.

    Where the task has a function of the user's, that does it.

    By default the loss and what is recorded are those of the data's metric, and each image is moved anew in each epoch;
    `copies` replaces both moves and targets by a fixed set. `labels` brings the validation targets into the form that
    `loss` takes.
    """
    from optsuite.keras import batch_size, keras, kernels, tf

    split, validation = task.splits["train"], task.splits["validation"]
    schedule = None if task.own_fit else schedule_of(task)
    if schedule and (schedule.shift_pixels or schedule.turn_degrees):
        check_images(split.x)
    metric = task.dataset.metric
    loss = loss or metric.loss(probabilities=metric.classes and task.probabilities(model))
    metrics = [accuracy] if accuracy else metric.curves()
    if schedule is None:
        data = FitData(
            x_train=split.x,
            y_train=split.y if copies is None else copies.targets[0],  # of the clean images
            x_validation=validation.x,
            y_validation=labels(validation.y),
            metrics=metrics,
            class_weights=task.dataset.class_weights,
        )
        own_fit.fit(model, task, data, total_steps(task), loss=loss, callbacks=callbacks)
        return
    if schedule.l1:
        for _, kernel in kernels(model):
            model.add_loss(lambda kernel=kernel: schedule.l1 * tf.reduce_mean(tf.abs(kernel)))
    model.compile(
        optimizer=keras.optimizers.Adam(_cosine(schedule, total_steps(task))),
        loss=loss,
        metrics=metrics,
        # Where an epoch has fewer, tracing the loop over them would take longer than it saves.
        steps_per_execution=_STEPS_PER_EXECUTION if steps_per_epoch(task) >= _STEPS_PER_EXECUTION else 1,
    )
    batches = _batches(split.x, split.y, schedule, task.seed, copies, task.dataset.class_weights)
    # The training function is traced twice where the first call makes variables, and that takes seconds.
    answers = tf.TensorSpec(model.output.shape, model.output.dtype)
    model.optimizer.build(model.trainable_variables)
    model.compiled_loss.build(answers)
    model.compiled_metrics.build(answers, batches.element_spec[1])
    task.history = model.fit(
        batches,
        epochs=schedule.epochs,
        steps_per_epoch=steps_per_epoch(task),
        validation_data=(validation.x, labels(validation.y)),
        validation_batch_size=batch_size(validation.x, len(validation.x) // 5),
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


def _batches(
    x: np.ndarray,
    y: np.ndarray,
    schedule: Schedule,
    seed: int,
    copies: Copies | None,
    class_weights: Mapping[int, float],
) -> Any:
    """An endless tf.data.Dataset of (images, targets), whole batches, the same for the same seed.

    With class weights, of (images, targets, weights).

    The pipeline draws batches of indices, then gathers and shifts all images of a batch at once. This takes little time
    compared with a training step, even of the smallest network.
    """
    from optsuite.keras import tf

    count = len(x)
    pixels = schedule.shift_pixels if copies is None else int(abs(copies.shifts).max())
    targets = tf.constant(y if copies is None else copies.targets)
    moves = None if copies is None else tf.constant(copies.shifts)
    turned = bool(schedule.turn_degrees) and copies is None
    images = tf.constant(x) if turned or not pixels else None
    shifted = shifter(x, pixels) if pixels and not turned else None
    weights = tf.constant([class_weights.get(label, 1.0) for label in y.tolist()]) if class_weights else None

    def moved_batch(step: Any, rows: Any) -> tuple[Any, Any]:
        def draw(columns: int, low: int, high: int) -> Any:
            return tf.random.stateless_uniform([tf.size(rows), columns], [seed, step], low, high, rows.dtype)

        if moves is None:
            shifts, target = draw(2, -pixels, pixels + 1), tf.gather(targets, rows)
        else:
            which = tf.concat([draw(1, 0, moves.shape[0]), rows[:, tf.newaxis]], axis=1)
            shifts, target = tf.gather_nd(moves, which), tf.gather_nd(targets, which)
        if shifted:
            return shifted(rows, shifts), target
        if not turned:
            return tf.gather(images, rows), target
        turns = tf.random.stateless_uniform(
            [tf.size(rows)], [step, seed], -schedule.turn_degrees, schedule.turn_degrees
        )
        return moved(tf.gather(images, rows), shifts, turns), target

    def batch(step: Any, rows: Any) -> tuple[Any, ...]:
        found = moved_batch(step, rows)
        return found if weights is None else (*found, tf.gather(weights, rows))

    order = tf.data.Dataset.range(count).shuffle(count, seed=seed, reshuffle_each_iteration=True)
    # Nothing is fetched ahead: that would take a second thread, which is another process's core.
    batches = order.batch(min(schedule.batch, count), drop_remainder=True).repeat().enumerate().map(batch)
    options = tf.data.Options()
    # There is nothing to tune, and beside another process the end of a fit waits for the thread that tunes: 2 s after
    # 20 s.
    options.autotune.enabled = False
    return batches.with_options(options)
