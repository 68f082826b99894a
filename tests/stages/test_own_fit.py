"""Training by a function of the user's: it is used by every stage, and checked to use what it is given."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import pytest

from optsuite.errors import OptsuiteError
from optsuite.spec.artifact import INFO, LOGITS, Artifact, pack_arrays
from optsuite.spec.data import Dataset, Split
from optsuite.spec.model import OwnFit, Schedule
from optsuite.spec.task import Task
from optsuite.stages import finish
from optsuite.stages.cluster import Cluster
from optsuite.stages.distill import Distill
from optsuite.stages.finish import model_info
from optsuite.stages.prune import Prune
from optsuite.stages.qat import QAT
from optsuite.stages.train import Train

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]  # TensorFlow's and Keras's own

RNG = np.random.default_rng(0)
LABELS = RNG.integers(0, 3, 1_200).astype(np.int32)
POINTS = (RNG.normal(0, 0.5, (1_200, 8)) + np.eye(8)[LABELS]).astype(np.float32)
SPLITS = {
    name: Split(x=POINTS[part], y=LABELS[part])
    for name, part in {
        "train": slice(0, 1_000),
        "validation": slice(1_000, 1_100),
        "test": slice(1_100, 1_200),
    }.items()
}


def _load(name: str) -> Split:
    return SPLITS[name]


DATA = Dataset(name="points", input_shape=(8,), load=_load, fingerprint="1")


def build() -> Any:
    """A small network."""
    from optsuite.keras import keras

    layers = keras.layers
    return keras.Sequential([layers.Input((8,)), layers.Dense(24, activation="relu"), layers.Dense(3)])


def by_sgd(model: Any, data: Any, *, seed: int, callbacks: Any, loss: Any) -> None:
    """Train in two phases, by another optimiser than a schedule's: 2 x 3 x 20 steps."""
    from optsuite.keras import keras

    for rate in (0.1, 0.01):
        model.compile(optimizer=keras.optimizers.SGD(rate, momentum=0.9), loss=loss, metrics=list(data.metrics))
        model.fit(
            data.x_train,
            data.y_train,
            validation_data=(data.x_validation, data.y_validation),
            batch_size=50,
            epochs=3,
            callbacks=callbacks,
            verbose=0,
        )


def without_callbacks(model: Any, data: Any, *, seed: int, callbacks: Any, loss: Any) -> None:
    """Leave the callbacks out."""
    by_sgd(model, data, seed=seed, callbacks=[], loss=loss)


def by_another_loss(model: Any, data: Any, *, seed: int, callbacks: Any, loss: Any) -> None:
    """Train for something else."""
    by_sgd(model, data, seed=seed, callbacks=callbacks, loss="mse")


def _task(fit: Callable[..., None] = by_sgd, steps: int = 120, **changes: Any) -> Task:
    return Task(dataset=DATA, splits=SPLITS, seed=0, own_fit=OwnFit(fit=fit, steps=steps), **changes)


@pytest.fixture(scope="module")
def trained() -> Artifact:
    """The network, trained by the function."""
    from optsuite import keras

    keras.reset(0)
    return finish.apply(Train(build=build), _task())


def test_it_trains(trained: Artifact) -> None:
    """To a model that knows the task, with its curves in the record."""
    (stage,) = model_info(trained).stages
    assert len(stage.loss) == len(stage.val_accuracy) == 6
    assert stage.val_accuracy[-1] > 0.6


def test_a_training_that_diverges() -> None:
    """Its loss is no number: it was stored, and the record could not be read again."""
    from optsuite import keras

    keras.reset(0)
    schedule = Schedule(epochs=2, batch=50, peak_lr=1e38, warmup=0.0)
    with pytest.raises(
        OptsuiteError, match=r"the training diverged: expected a finite loss, got (nan|inf) in epoch \d"
    ):
        finish.apply(Train(build=build), Task(dataset=DATA, splits=SPLITS, seed=0, schedule=schedule))


def test_it_may_evaluate_when_it_likes() -> None:
    """A curve that has not one value per epoch is none."""
    from optsuite import keras

    keras.reset(0)

    def now_and_then(model: Any, data: Any, *, seed: int, callbacks: Any, loss: Any) -> None:
        model.compile(optimizer="sgd", loss=loss, metrics=["accuracy"])
        validation = data.x_validation, data.y_validation
        model.fit(
            *(data.x_train, data.y_train),
            validation_data=validation,
            validation_freq=2,
            epochs=5,
            callbacks=callbacks,
            verbose=0,
        )

    (stage,) = model_info(finish.apply(Train(build=build), _task(now_and_then, 150))).stages
    assert (len(stage.loss), len(stage.accuracy), stage.val_accuracy) == (5, 5, ())


@pytest.mark.parametrize("stage", [Prune(sparsity=0.5), Cluster(clusters=4), QAT()])
def test_every_stage_fine_tunes_with_it(stage: Any, trained: Artifact) -> None:
    """Pruning reaches its sparsity, as it knows how many steps there are."""
    info = model_info(finish.apply(stage, _task(parent=trained)))
    record = info.stages[-1]
    assert len(record.loss) == 6
    for layer in info.stages[-1].weights:
        invariant = record.invariants.get(layer.name)
        if invariant and invariant.sparsity:
            assert layer.zeros >= 0.5 * layer.size - 1
        if invariant and invariant.clusters:
            assert layer.unique <= 4


def test_it_gets_the_class_weights() -> None:
    """A schedule applies them by itself; they were lost on a function."""
    given = []

    def look(model: Any, data: Any, **options: Any) -> None:
        given.append(data.class_weights)
        by_sgd(model, data, **options)

    finish.apply(Train(build=build), replace(_task(look), dataset=replace(DATA, class_weights={1: 5.0})))
    assert given == [{1: 5.0}]


def test_distillation_gives_it_its_loss(trained: Artifact) -> None:
    """The teacher's answers travel with the labels, of the images as they are."""
    logits = np.stack([8 * np.eye(3, dtype=np.float32)[SPLITS["train"].y]] * 2)
    answers = pack_arrays(shifts=np.zeros((2, 1_000, 2), int), logits=logits)
    teacher = {LOGITS: answers, INFO: trained[INFO]}
    record = model_info(finish.apply(Distill(teacher="large"), _task(parent=trained, teacher=teacher))).stages[-1]
    assert record.loss[-1] < record.loss[0]
    assert record.val_accuracy[-1] > 0.6


@pytest.mark.parametrize(
    ("fit", "steps", "message"),
    [
        (without_callbacks, 120, "without_callbacks: expected the function to pass its argument `callbacks`"),
        (by_another_loss, 120, "by_another_loss: expected the function to compile the model with its argument `loss`"),
        (by_sgd, 500, "by_sgd: expected at least 500 optimiser steps, as fit_steps says, got 120"),
        (partial(by_sgd), 500, r"partial\(<function by_sgd at .*\): expected at least 500 optimiser steps"),
    ],
)
def test_it_must_use_what_it_is_given(fit: Callable[..., None], steps: int, message: str, trained: Artifact) -> None:
    """Else pruning would not prune, and distillation not distil, without a word."""
    with pytest.raises(OptsuiteError, match=message):
        Prune(sparsity=0.5).apply(build(), _task(fit, steps, parent=trained))


def test_a_profile_limits_its_steps(trained: Artifact) -> None:
    """The smoke profile takes no longer than it does with a schedule."""
    record = model_info(finish.apply(Prune(sparsity=0.5), _task(parent=trained, max_steps=30))).stages[-1]
    assert 0 < len(record.loss) < 6
    (kernel, *_) = record.weights
    assert kernel.zeros >= 0.5 * kernel.size - 1


def test_the_limit_is_at_most_what_it_takes(trained: Artifact) -> None:
    """A limit of more steps than it takes changes nothing."""
    record = model_info(finish.apply(QAT(), replace(_task(parent=trained), max_steps=10_000))).stages[-1]
    assert len(record.loss) == 6
