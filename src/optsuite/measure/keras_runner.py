"""A Keras model that can be timed as a .tflite file is."""

from __future__ import annotations

import numpy as np

from optsuite.keras import load, tf


class KerasRunner:
    """A Keras model as `measure.Runner`: batch 1, through a compiled function."""

    def __init__(self, content: bytes, *, trust: bool = False) -> None:
        model = load(content, trust=trust)
        shape = (1, *model.input_shape[1:])
        self._call = tf.function(
            lambda x: model(x, training=False), input_signature=[tf.TensorSpec(shape, tf.float32)]
        ).get_concrete_function()
        self.set(np.zeros(shape, np.float32))
        self.invoke()

    def prepare(self, x: np.ndarray) -> np.ndarray:
        return x

    def set(self, x: np.ndarray) -> None:
        self._input = tf.constant(x)

    def invoke(self) -> None:
        self._output = self._call(self._input)

    def get(self) -> np.ndarray:
        answer: np.ndarray = self._output.numpy()
        return answer

    def interpret(self, raw: np.ndarray) -> np.ndarray:
        return raw
