"""Knowledge distillation: a small model learns to answer as a larger, trained one does."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from optsuite.errors import OptsuiteError
from optsuite.spec.artifact import INFO, LOGITS, Artifact, pack_arrays, unpack_arrays
from optsuite.spec.settings import check_setting, is_integer
from optsuite.spec.stage import Conversion, Stage, Teacher
from optsuite.spec.task import Task
from optsuite.stages.fit import Copies, fit
from optsuite.stages.images import check_images, moved

_LEAST = 1e-7
"""Smaller probabilities are raised to this before their logarithm is taken."""


@dataclass(frozen=True, kw_only=True)
class TeacherLogits(Conversion):
    """Get the teacher's answers to the clean training images and to copies of them that are shifted by the seed.

    The artifact holds `shifts`, int (copies, n, 2) in pixels; `logits`, float32 (copies, n, classes); and the teacher's
    record.

    Attributes:
        copies: The number of copies, the clean one included.
        pixels: The most that a copy is shifted, in pixels.

    """

    copies: int
    pixels: int

    def run(self, task: Task) -> Artifact:
        from optsuite import keras

        images = task.splits["train"].x
        if self.pixels:
            check_images(images)
        rng = np.random.default_rng(task.seed)
        shifts = rng.integers(-self.pixels, self.pixels + 1, (self.copies, len(images), 2))
        shifts[0] = 0
        if task.parent is None:
            raise OptsuiteError("expected the artifact of a teacher, got none")
        teacher = task.parent_model()
        inputs = [moved(images, moves).numpy() if self.pixels else images for moves in shifts]
        answers = np.stack([keras.outputs(teacher, one) for one in inputs])
        logits = np.log(np.maximum(answers, _LEAST)) if task.probabilities(teacher) else answers
        return {LOGITS: pack_arrays(shifts=shifts, logits=logits), INFO: task.parent[INFO]}


@dataclass(frozen=True, kw_only=True)
class Distill(Stage):
    """Go on training with the teacher's softened answers beside the labels (Hinton et al. 2015, arXiv:1503.02531).

    loss = weight x T^2 x KL(teacher / T || student / T) + (1 - weight) x cross-entropy, at temperature T.

    Attributes:
        teacher: The name of the model to learn from; its baseline with the same seed is the teacher.
        temperature: T: what the answers are divided by before softmax.
        weight: The share of the teacher's answers in the loss, a fraction.
        copies: How many copies of each training image the teacher answers, the clean one included.
        pixels: The most that a copy is shifted, in pixels.

    Raises:
        OptsuiteError: A setting is out of its range.

    """

    teacher: str
    # What the teacher thinks of the wrong classes, which a higher temperature brings out, is more than a network of
    # 1,506 parameters can hold beside the right one.
    temperature: float = 1.0
    weight: float = 0.7
    copies: int = 5
    pixels: int = 1

    def __post_init__(self) -> None:
        """Refuse what would fail after the teacher was trained."""
        check_setting("Distill", "temperature", self.temperature, "over 0", lambda value: value > 0)
        check_setting("Distill", "weight", self.weight, "from 0 to 1", lambda value: 0 <= value <= 1)
        check_setting("Distill", "copies", self.copies, "an integer of at least 1", lambda value: is_integer(value, 1))
        check_setting("Distill", "pixels", self.pixels, "an integer of at least 0", lambda value: is_integer(value, 0))

    def teacher_of(self) -> Teacher:
        return Teacher(model=self.teacher, answers=TeacherLogits(copies=self.copies, pixels=self.pixels))

    def apply(self, model: Any, task: Task) -> Any:
        from optsuite.keras import keras, tf

        if task.teacher is None:
            raise OptsuiteError("expected the artifact with the teacher's answers, got none")
        known = unpack_arrays(task.teacher[LOGITS])
        labels = task.splits["train"].y.astype(np.float32)
        classes = known["logits"].shape[-1]
        probabilities = task.probabilities(model)

        # Keras hands a loss one target, so the label and the teacher's logits travel in one row.
        def packed(y: np.ndarray, logits: np.ndarray) -> np.ndarray:
            return np.concatenate([y[..., np.newaxis].astype(np.float32), logits], axis=-1)

        def loss(target: Any, student: Any) -> Any:
            if probabilities:
                student = tf.math.log(tf.maximum(student, _LEAST))
            soft = tf.nn.softmax(target[:, 1:] / self.temperature)
            divergence = keras.losses.kl_divergence(soft, tf.nn.softmax(student / self.temperature))
            hard = keras.losses.sparse_categorical_crossentropy(target[:, 0], student, from_logits=True)
            return self.weight * self.temperature**2 * divergence + (1 - self.weight) * hard

        def accuracy(target: Any, student: Any) -> Any:
            return keras.metrics.sparse_categorical_accuracy(target[:, :1], student)

        targets = np.stack([packed(labels, logits) for logits in known["logits"]])
        fit(
            model,
            task,
            loss=loss,
            labels=lambda y: packed(y, np.zeros((len(y), classes), np.float32)),
            accuracy=accuracy,
            copies=Copies(shifts=known["shifts"], targets=targets),
        )
        return model
