"""A MobileNetV2-style network, width 0.35, on 96 x 96 colour images: larger than a toy, and nothing to download.

    pytest --pyargs optsuite.benchmarks --optsuite-catalog examples/mobilenet_catalog.py

Inverted residuals with linear bottlenecks (Sandler et al. 2018, arXiv:1801.04381). The images are MNIST's digits, three
times as large, in a colour on a ground of another, somewhere in the frame.
"""

import numpy as np

from optsuite.catalog import QAT, Dataset, Model, Prune, Recipe, Schedule, Split
from optsuite.catalog.datasets import load_mnist

SIZE = 96
IMAGES = {"train": 6_000, "validation": 1_000, "test": 1_000}


def load(split):
    """The digits of a split in colour, the same each time."""
    digits = load_mnist(split).first(IMAGES[split])
    rng = np.random.default_rng(len(digits.y))
    large = digits.x.repeat(3, axis=1).repeat(3, axis=2)
    room = SIZE - large.shape[1]
    images = np.empty((len(large), SIZE, SIZE, 3), np.float32)
    for image, digit in zip(images, large, strict=True):
        ground, ink = rng.uniform(0, 0.5, 3), rng.uniform(0.5, 1, 3)
        top, left = rng.integers(0, room + 1, 2)
        shade = np.zeros((SIZE, SIZE, 1), np.float32)
        shade[top : top + len(digit), left : left + len(digit)] = digit
        image[:] = ground + shade * (ink - ground)
    return Split(x=images, y=digits.y)


DATASETS = [Dataset(name="coloured_digits", input_shape=(96, 96, 3), load=load, fingerprint=f"1 {IMAGES}")]

WIDTH = 0.35
# Expansion, channels, repeats, stride of the first.
BLOCKS = [(1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1), (6, 160, 3, 2), (6, 320, 1, 1)]


def channels(count):
    """Of the width, as a multiple of 8, and not less than nine tenths of what it should be."""
    wanted = count * WIDTH
    rounded = max(8, int(wanted + 4) // 8 * 8)
    return rounded + 8 if rounded < 0.9 * wanted else rounded


def build():
    """423,018 parameters, 10.7 million multiply-accumulates."""
    from optsuite.keras import keras

    layers = keras.layers

    def normalised(x, active=True):
        # Keras's default momentum of 0.99 needs hundreds of steps to settle.
        x = layers.BatchNormalization(momentum=0.9)(x)
        return layers.ReLU(6.0)(x) if active else x

    def residual(x, expansion, filters, stride):
        start = x
        if expansion > 1:
            x = normalised(layers.Conv2D(x.shape[-1] * expansion, 1, use_bias=False)(x))
        x = normalised(layers.DepthwiseConv2D(3, strides=stride, padding="same", use_bias=False)(x))
        x = normalised(layers.Conv2D(filters, 1, use_bias=False)(x), active=False)
        return layers.Add()([start, x]) if stride == 1 and start.shape[-1] == filters else x

    inputs = keras.Input((SIZE, SIZE, 3))
    x = normalised(layers.Conv2D(channels(32), 3, strides=2, padding="same", use_bias=False)(inputs))
    for expansion, count, repeats, stride in BLOCKS:
        for repeat in range(repeats):
            x = residual(x, expansion, channels(count), stride if repeat == 0 else 1)
    x = normalised(layers.Conv2D(1280, 1, use_bias=False)(x))
    return keras.Model(inputs, layers.Dense(10)(layers.GlobalAveragePooling2D()(x)))


MODELS = [
    Model(
        name="mobilenet",
        input_shape=(96, 96, 3),
        build=build,
        train=Schedule(epochs=12, peak_lr=5e-3, batch=32),
        finetune=Schedule(epochs=2, peak_lr=1e-3, batch=32),
        recipes=("baseline", "qat", "prune-0.8"),
    )
]

RECIPES = [Recipe(name="prune-0.5_pqat", stages=(Prune(sparsity=0.5), QAT(preserve=("sparsity",))), budget=0.01)]
