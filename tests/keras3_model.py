"""Writes a trained Keras 3 model of every layer that is translated: `python keras3_model.py OUT.keras DATA.npz`.

With a third argument the one that is there is spoilt.
"""

from __future__ import annotations

import sys
from typing import Any

import keras
import numpy as np
from keras import layers


def every_layer() -> Any:
    """Images of 28 x 28 x 1 in, ten logits out."""
    keras.utils.set_random_seed(0)
    inputs = keras.Input((28, 28, 1))
    x = layers.Rescaling(2.0, offset=-1.0)(inputs)
    x = layers.ZeroPadding2D(2)(x)
    x = layers.Cropping2D(((1, 1), (1, 1)))(x)
    x = layers.Conv2D(8, 3, strides=2, padding="same", activation="relu", kernel_regularizer="l2")(x)
    x = layers.GaussianNoise(0.1)(x)
    x = layers.DepthwiseConv2D(3, padding="same", use_bias=False)(x)
    x = layers.BatchNormalization(epsilon=2e-3)(x)
    left = layers.ReLU(6.0)(x)
    right = layers.SpatialDropout2D(0.1)(layers.LeakyReLU(negative_slope=0.2)(x))
    x = layers.Add()([left, right]) + left
    x = layers.Concatenate()([layers.Maximum()([x, left]), layers.Minimum()([x, right])])
    x = layers.Average()([x, layers.Activation("tanh")(x)])
    x = layers.Subtract()([x, layers.Multiply()([x, x])])
    x = layers.UpSampling2D(2)(layers.MaxPooling2D(2)(layers.AveragePooling2D(2, padding="same")(x)))
    x = layers.Add()([layers.GlobalAveragePooling2D(keepdims=True)(x), layers.GlobalMaxPooling2D(keepdims=True)(x), x])
    x = layers.Permute((1, 3, 2))(x)
    x = layers.Reshape((-1, 8))(layers.Conv2D(8, 1)(x))
    x = layers.Cropping1D(1)(layers.ZeroPadding1D(2)(x))
    x = layers.ELU(0.5)(layers.Conv1D(12, 3, padding="causal")(x))
    x = layers.UpSampling1D(2)(layers.MaxPooling1D(2)(layers.AveragePooling1D(2)(x)))
    x = layers.SpatialDropout1D(0.1)(x)
    x = layers.Concatenate()([layers.GlobalAveragePooling1D()(x), layers.GlobalMaxPooling1D()(x), layers.Flatten()(x)])
    x = layers.GaussianDropout(0.1)(layers.Dropout(0.1)(x))
    return keras.Model(inputs, layers.Softmax()(layers.Dense(10)(x)))


def shaken(model: Any) -> Any:
    """The model with no weight as it begins: not even those of BatchNorm."""
    rng = np.random.default_rng(0)
    model.set_weights([np.abs(rng.normal(0.3, 0.1, weight.shape)) for weight in model.get_weights()])
    return model


if __name__ == "__main__":
    if sys.argv[3:]:
        model = keras.saving.load_model(sys.argv[1])
        *others, kernel, bias = model.get_weights()
        model.set_weights([*others, np.random.default_rng(0).normal(size=kernel.shape), bias])
    else:
        model = every_layer()
        data = np.load(sys.argv[2])
        model.compile(keras.optimizers.Adam(1e-2), "sparse_categorical_crossentropy")
        model.fit(data["x_train"] / 255, data["y_train"], batch_size=64, epochs=2, verbose=0)
    model.save(sys.argv[1])
