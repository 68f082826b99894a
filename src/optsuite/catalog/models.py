"""The built-in models: architectures, each with the schedules that suit it."""

from __future__ import annotations

from typing import Any

from optsuite.catalog.recipes import PIPELINES
from optsuite.spec.model import Model, Schedule
from optsuite.spec.names import by_name


def build_conv() -> Any:
    """Two convolutions and a dense layer: 34,826 parameters."""
    from optsuite.keras import keras

    layers = keras.layers
    return keras.Sequential(
        [
            layers.Input((28, 28, 1)),
            layers.Conv2D(32, 3, activation="relu"),
            layers.MaxPooling2D(),
            layers.Conv2D(64, 3, activation="relu"),
            layers.MaxPooling2D(),
            layers.Flatten(),
            layers.Dropout(0.5),
            layers.Dense(10),
        ]
    )


def build_dscnn() -> Any:
    """A depthwise-separable network, as keyword spotting on microcontrollers uses: 1,506 parameters."""
    from optsuite.keras import keras

    layers = keras.layers

    def normalised() -> list[Any]:
        # Keras's default momentum of 0.99 needs hundreds of steps to settle; a fine-tuning may not have them.
        return [layers.BatchNormalization(momentum=0.9), layers.ReLU()]

    stack = [layers.Input((28, 28, 1)), layers.Conv2D(8, 3, strides=2, padding="same", use_bias=False), *normalised()]
    for filters, strides in ((16, 2), (16, 1), (12, 1)):
        stack += [
            layers.DepthwiseConv2D(3, strides=strides, padding="same", use_bias=False),
            *normalised(),
            layers.Conv2D(filters, 1, use_bias=False),
            *normalised(),
        ]
    return keras.Sequential([*stack, layers.GlobalAveragePooling2D(), layers.Dense(10)])


def build_tutorial() -> Any:
    """The network of the TensorFlow Model Optimization tutorials: 20,410 parameters."""
    from optsuite.keras import keras

    layers = keras.layers
    return keras.Sequential(
        [
            layers.Input((28, 28, 1)),
            layers.Conv2D(12, 3, activation="relu"),
            layers.MaxPooling2D(),
            layers.Flatten(),
            layers.Dense(10),
        ]
    )


# What each setting gave, and what was tried in its place: docs/explanation/tried.md.
MODELS = by_name(
    Model(
        name="conv",
        input_shape=(28, 28, 1),
        build=build_conv,
        recipes=("baseline", "qat", "qat-4", "prune-0.8", "cluster-8"),
        # It fits its training images to 99.5 %: turning them is worth more here than on the smaller two.
        train=Schedule(epochs=14, peak_lr=5e-3, batch=256, turn_degrees=7.0, shift_pixels=1),
        finetune=Schedule(epochs=2, peak_lr=1e-3, turn_degrees=7.0, shift_pixels=1),
        # As long as the training: to recover from 80 % zeros is to learn most of it anew.
        stages={"prune": Schedule(epochs=14, peak_lr=8e-3, batch=256, turn_degrees=7.0, l1=0.3, shift_pixels=1)},
    ),
    Model(
        name="dscnn",
        input_shape=(28, 28, 1),
        build=build_dscnn,
        # Small enough that a high rate and many epochs are both needed and cheap; it never overfits.
        train=Schedule(epochs=30, peak_lr=1e-2, shift_pixels=1),
        finetune=Schedule(epochs=5, peak_lr=3e-3, shift_pixels=1),
        # 80 % of 768 prunable weights leave 154: the rest has to be learnt anew.
        recipes=("baseline", "qat", "qat-4", "prune-0.8", "cluster-8", "kd"),
        stages={
            "prune": Schedule(epochs=15, peak_lr=1e-2, shift_pixels=1),
            "distill": Schedule(epochs=20, peak_lr=1e-2, shift_pixels=1),
        },
    ),
    Model(
        name="tutorial",
        input_shape=(28, 28, 1),
        build=build_tutorial,
        # Of its 108 convolution weights pruning leaves 22: unless few are large before, the wrong filters die.
        recipes=(*PIPELINES, "qat-4"),
        train=Schedule(epochs=20, peak_lr=1.2e-2, batch=256, l1=0.15, shift_pixels=1),
        finetune=Schedule(epochs=3, peak_lr=1e-3, shift_pixels=1),
        stages={"prune": Schedule(epochs=12, peak_lr=1e-2, batch=256, l1=0.15, shift_pixels=1)},
    ),
)
