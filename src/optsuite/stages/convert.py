"""The conversion of a Keras model to a .tflite file."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from optsuite.spec.artifact import TFLITE, Artifact
from optsuite.spec.data import Split
from optsuite.spec.stage import Conversion
from optsuite.spec.task import Task


@dataclass(frozen=True, kw_only=True)
class Convert(Conversion):
    """Convert a Keras model to a .tflite file of these number formats.

    Attributes:
        weights: The format of the weights.
        activations: The format of the activations; "int8" and "int16" are calibrated.
        io: The format of the inputs and outputs, where the activations are integers.
        calibration_images: How many training images, drawn by the seed, integer activations are calibrated on.

    """

    weights: Literal["float32", "float16", "int8"] = "float32"
    activations: Literal["float32", "int8", "int16"] = "float32"
    io: Literal["float32", "int8", "uint8", "int16"] = "float32"
    calibration_images: int = 300

    def run(self, task: Task) -> Artifact:
        calibration = draw(task.splits["train"], self.calibration_images, task.seed)
        return {TFLITE: to_tflite(task.parent_model(), self, calibration)}


def draw(split: Split, count: int, seed: int) -> np.ndarray:
    """Return `count` inputs of the split, or all if it has fewer, drawn by the seed without repetition."""
    rng = np.random.default_rng(seed)
    return split.x[rng.choice(len(split.x), size=min(count, len(split.x)), replace=False)]


def to_tflite(model: Any, formats: Convert, calibration: np.ndarray) -> bytes:
    """Return a .tflite file for batch 1; `calibration` is float32 (n, *input_shape)."""
    from optsuite.keras import tf

    # A fixed batch of one lets the converter fold what computes shapes; a dynamic one would ship in every file.
    signature = tf.TensorSpec((1, *model.input_shape[1:]), tf.float32)
    function = tf.function(lambda x: model(x, training=False)).get_concrete_function(signature)
    # The converter saves what it is given as a SavedModel first. All of a Keras model, with a trace of every layer,
    # takes five to ten times as long as the variables that the function needs, and makes the same file.
    holder = tf.Module()
    holder.variables_ = model.variables
    converter = tf.lite.TFLiteConverter.from_concrete_functions([function], holder)
    if formats.weights != "float32":
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
    if formats.weights == "float16":
        converter.target_spec.supported_types = [tf.float16]
    if formats.activations != "float32":
        ops = tf.lite.OpsSet
        converter.target_spec.supported_ops = [
            ops.TFLITE_BUILTINS_INT8
            if formats.activations == "int8"
            else ops.EXPERIMENTAL_TFLITE_BUILTINS_ACTIVATIONS_INT16_WEIGHTS_INT8
        ]
        converter.representative_dataset = lambda: ([image[np.newaxis]] for image in calibration)
        converter.inference_input_type = converter.inference_output_type = tf.as_dtype(formats.io)
    content: bytes = converter.convert()
    return content
