"""The first stage, training from nothing, and the fitting that all stages share.

Every model descends from this stage, so that a change here is a change to all of them.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
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
        check(model, task)
        fit(model, task)
        return model


_KERNELS = ("Conv1D", "Conv2D", "DepthwiseConv2D", "Dense")
_NO_KERNEL = ("BatchNormalization", "LayerNormalization")
"""Layers that have weights, but none that count as a kernel."""


def check(model: Any, task: Task) -> None:
    """OptsuiteError, naming the layer, for a new or loaded model that does not fit the data, or can't be worked on."""
    from optsuite.keras import check_config, keras

    if not isinstance(model, keras.Model) or not model.built:
        raise OptsuiteError(
            f"it is {type(model).__module__}.{type(model).__name__}; accepted is a model of Keras 2, from "
            "`optsuite.keras`, that knows the shape of its input"
        )
    if len(model.inputs) != 1 or len(model.outputs) != 1:
        raise OptsuiteError(
            f"it has {len(model.inputs)} inputs and {len(model.outputs)} outputs; accepted is one of each"
        )
    dataset, splits = task.step.dataset, {name: task.split(name) for name in ("train", "validation", "test")}
    for name, split in splits.items():
        if tuple(model.input_shape[1:]) != split.x.shape[1:]:
            raise OptsuiteError(f"it takes inputs of {model.input_shape[1:]}, the {name} split has {split.x.shape[1:]}")
    dataset.metric.check(tuple(model.output_shape[1:]), np.concatenate([split.y for split in splits.values()]))
    if unknown := dataset.class_weights.keys() - set(range(model.output_shape[1])):
        last = model.output_shape[1] - 1
        raise OptsuiteError(f"class_weights for {', '.join(map(repr, unknown))}; accepted are labels, 0 to {last}")
    for layer in model.layers:
        kind = type(layer).__name__
        if isinstance(layer, keras.Model):
            raise OptsuiteError(f"layer {layer.name} is a model in a model; accepted are layers alone")
        if len(layer.inbound_nodes) > 1:
            raise OptsuiteError(f"layer {layer.name} is used {len(layer.inbound_nodes)} times; accepted is once")
        if layer.weights and kind not in (*_KERNELS, *_NO_KERNEL):
            accepted = ", ".join((*_KERNELS, *_NO_KERNEL))
            raise OptsuiteError(f"layer {layer.name}, {kind}, has weights; accepted of these are {accepted}")
        if kind == "DepthwiseConv2D" and layer.depth_multiplier != 1:
            raise OptsuiteError(f"layer {layer.name} has a depth multiplier of {layer.depth_multiplier}; accepted is 1")
    if not task.step.trust:  # as the next stage would, after all the training
        check_config(json.loads(model.to_json()))


@dataclass(frozen=True, kw_only=True)
class Copies:
    """A fixed set of shifted copies of the training images, of which each image takes one by chance each epoch.

    `shifts` is int (copies, n, 2), in pixels; `targets` float32 (copies, n, ...).
    """

    shifts: np.ndarray
    targets: np.ndarray


def schedule_of(task: Task) -> Schedule:
    """The schedule of a step that trains."""
    if task.step.schedule is None:
        raise OptsuiteError(f"{task.step.label}: a stage needs a schedule")
    return task.step.schedule


def steps_per_epoch(task: Task) -> int:
    """Whole batches in the training split, or as many as the profile allows.

    A last, smaller batch is left to the next shuffle.
    """
    schedule, profile = schedule_of(task), task.step.profile
    steps = len(task.split("train").x) // schedule.batch
    if profile.max_steps is not None:
        steps = min(steps, profile.max_steps // profile.epochs(schedule))
    return max(1, steps)


def total_steps(task: Task) -> int:
    """Optimiser steps of the whole stage."""
    return steps_per_epoch(task) * task.step.profile.epochs(schedule_of(task))


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
    """Compile and fit `model` on the training split by the step's schedule, and record the curves.

    By default the loss and what is recorded are those of the data's metric, and each image is moved anew in each epoch;
    `copies` replaces both moves and targets by a fixed set. `labels` brings the validation targets into the form that
    `loss` takes.
    """
    from optsuite.keras import batch_size, keras, kernels, tf

    schedule, split, validation = schedule_of(task), task.split("train"), task.split("validation")
    if schedule.shift_pixels or schedule.turn_degrees:
        check_images(split.x)
    epochs, metric = task.step.profile.epochs(schedule), task.step.dataset.metric
    if schedule.l1:
        for _, kernel in kernels(model):
            model.add_loss(lambda kernel=kernel: schedule.l1 * tf.reduce_mean(tf.abs(kernel)))
    model.compile(
        optimizer=keras.optimizers.Adam(_cosine(schedule, total_steps(task))),
        loss=loss or metric.loss(probabilities=metric.classes and task.probabilities(model)),
        metrics=[accuracy] if accuracy else metric.curves(),
        # Where an epoch has fewer, tracing the loop over them would take longer than it saves.
        steps_per_execution=_STEPS_PER_EXECUTION if steps_per_epoch(task) >= _STEPS_PER_EXECUTION else 1,
    )
    batches = _batches(split.x, split.y, schedule, task.step.seed, copies, task.step.dataset.class_weights)
    # The training function is traced twice where the first call makes variables, and that takes seconds.
    answers = tf.TensorSpec(model.output.shape, model.output.dtype)
    model.optimizer.build(model.trainable_variables)
    model.compiled_loss.build(answers)
    model.compiled_metrics.build(answers, batches.element_spec[1])
    task.history = model.fit(
        batches,
        epochs=epochs,
        steps_per_epoch=steps_per_epoch(task),
        validation_data=(validation.x, labels(validation.y)),
        validation_batch_size=batch_size(validation.x, len(validation.x) // 5),
        callbacks=list(callbacks),
        verbose=0,
    ).history


def check_images(x: np.ndarray) -> None:
    """OptsuiteError for inputs that can't be shifted or turned."""
    if x.ndim != 4:
        raise OptsuiteError(
            f"the stage shifts or turns images: expected inputs of (height, width, channels), got {x.shape[1:]}"
        )


def _cosine(schedule: Schedule, steps: int) -> Any:
    from optsuite.keras import keras

    warmup = int(schedule.warmup * steps)
    return keras.optimizers.schedules.CosineDecay(
        initial_learning_rate=0.0 if warmup else schedule.peak_lr,
        decay_steps=max(1, steps - warmup),
        warmup_target=schedule.peak_lr if warmup else None,
        warmup_steps=warmup,
    )


def moved(images: Any, shifts: Any, degrees: Any = 0.0) -> Any:
    """Images (n, h, w, c), each moved by its own `shifts` (n, 2) in pixels and turned by its `degrees` (n,) or one.

    Black moves in. A whole shift without a turn copies pixels; all else interpolates between four.
    """
    from optsuite.keras import tf

    centre = [(size - 1) / 2 for size in images.shape[1:3]]
    dy, dx = tf.unstack(tf.cast(shifts, tf.float32), axis=1)
    angle = tf.broadcast_to(tf.cast(degrees, tf.float32) * (np.pi / 180), tf.shape(dy))
    cos, sin, zero = tf.cos(angle), tf.sin(angle), tf.zeros_like(angle)
    # Where each pixel comes from: x' = a0 x + a1 y + a2, y' = b0 x + b1 y + b2, in the order that the operation takes.
    across = [cos, -sin, centre[1] - cos * centre[1] + sin * centre[0] + dx]
    down = [sin, cos, centre[0] - sin * centre[1] - cos * centre[0] + dy]
    return tf.raw_ops.ImageProjectiveTransformV3(
        images=images,
        transforms=tf.stack([*across, *down, zero, zero], axis=1),
        output_shape=images.shape[1:3],
        fill_value=0.0,
        interpolation="BILINEAR",
        fill_mode="CONSTANT",
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

    Works on batches of indices: a gather and a move a batch cost little beside a step of even the smallest network.
    """
    from optsuite.keras import tf

    count = len(x)
    pixels = schedule.shift_pixels if copies is None else int(abs(copies.shifts).max())
    targets = tf.constant(y if copies is None else copies.targets)
    moves = None if copies is None else tf.constant(copies.shifts)
    turned = bool(schedule.turn_degrees) and copies is None
    images = tf.constant(x) if turned or not pixels else None
    shifted = _shifter(x, pixels) if pixels and not turned else None
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


def _shifter(x: np.ndarray, pixels: int) -> Callable[[Any, Any], Any]:
    """What takes the images of `rows` (n,) out of `x`, each moved by its own `shifts` (n, 2), whole, of up to `pixels`.

    The same as `moved` without a turn, at half the cost: one gather.
    """
    from optsuite.keras import tf

    _, height, width, channels = x.shape
    tall, wide = height + 2 * pixels, width + 2 * pixels
    padded = tf.constant(np.pad(x, [(0, 0), (pixels, pixels), (pixels, pixels), (0, 0)]).reshape(-1, channels))
    window = np.arange(height)[:, np.newaxis] * wide + np.arange(width)

    def shifted(rows: Any, shifts: Any) -> Any:
        top, left = tf.unstack(tf.cast(shifts, rows.dtype) + pixels, axis=1)
        corners = (rows * tall + top) * wide + left
        return tf.gather(padded, corners[:, tf.newaxis, tf.newaxis] + window)

    return shifted
