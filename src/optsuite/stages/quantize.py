"""The conversion of a float32 .tflite file by litert-quantizer: formats that TensorFlow's converter does not have."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from optsuite import tflite
from optsuite.errors import OptsuiteError, first_line
from optsuite.spec.artifact import ABSENT, TFLITE, Artifact
from optsuite.spec.stage import Conversion
from optsuite.spec.task import Task
from optsuite.stages.convert import Convert, draw


class QuantizerError(OptsuiteError):
    """litert-quantizer can't quantise a file as it should be."""


@dataclass(frozen=True, kw_only=True)
class OfFloat32File(Conversion):
    """A conversion of the model's float32 .tflite file by litert-quantizer, which needs no TensorFlow.

    What it can't quantise as it should is absent.
    """

    packages = ("litert-quantizer", "ai-edge-litert")
    may_not_run = True

    def start(self) -> Conversion:
        return Convert()

    def run(self, task: Task) -> Artifact:
        if task.parent is None:
            raise OptsuiteError("expected the artifact of a float32 .tflite file, got none")
        try:
            return self.quantize(task.parent[TFLITE], task)
        except QuantizerError as error:
            return {ABSENT: str(error).encode()}

    @abstractmethod
    def quantize(self, content: bytes, task: Task) -> Artifact:
        """Return the quantised file of a float32 one; QuantizerError where there is none."""


@dataclass(frozen=True, kw_only=True)
class Quantize(OfFloat32File):
    """Quantise the weights of the model's float32 .tflite file.

    A file in which nothing was quantised as `recipe` says, such as that of a model with fake-quantisation, is absent.

    Attributes:
        recipe: The name of a function of `litert_quantizer.recipe`, such as "dynamic_wi4_afp32".
        layers: Other recipes for some layers: regular expression -> name of the recipe. The expression is searched for
            in the name of a layer's output tensor; of several that match, the last counts.
        fallback: The name of the recipe for operators that those above can't take; empty to leave them in float32.
        algorithm: The algorithm that finds the scales, a member of `litert_quantizer.quantizer.AlgorithmName` such as
            "OCTAV"; empty for the recipe's own.
        calibration_images: How many training images, drawn by the seed, are used where calibration is needed.

    """

    recipe: str
    layers: Mapping[str, str] = field(default_factory=dict)
    fallback: str = ""
    algorithm: str = ""
    calibration_images: int = 300

    def quantize(self, content: bytes, task: Task) -> Artifact:
        calibration = draw(task.splits["train"], self.calibration_images, task.seed)
        return {TFLITE: quantized(content, self, calibration)}


def quantized(content: bytes, settings: Quantize, calibration: np.ndarray | None = None) -> bytes:
    """Return a quantised .tflite file.

    Args:
        content: A float32 .tflite file.
        settings: How to quantise it.
        calibration: float32 (n, *input_shape); None for a recipe that needs no calibration.

    Raises:
        QuantizerError: litert-quantizer can't quantise the file so, or quantised nothing.
        OptsuiteError: litert-quantizer has no such recipe or algorithm.

    """
    from litert_quantizer.quantizer import Quantizer

    if found := {kernel.dtype for kernel in tflite.kernels(content)} - {"float32"}:
        raise QuantizerError(f"expected kernels of float32, got {', '.join(sorted(found))}")
    rules = _rules(settings)
    quantizer = Quantizer(content, [*_at(_ALL, settings.fallback, settings.algorithm), *rules])
    try:
        ranges = None
        if quantizer.need_calibration:
            ranges = quantizer.calibrate(_calibration(content, calibration))
        result = quantizer.quantize(ranges, enable_progress_bar=False, enable_progress_report=False)
    except (ValueError, RuntimeError, NotImplementedError, KeyError, IndexError) as error:
        raise QuantizerError(f"litert-quantizer can't quantise this file: {first_line(error)}") from error
    made = bytes(result.quantized_model)
    expected = {f"int{rule['op_config']['weight_tensor_config']['num_bits']}" for rule in rules}
    if not expected & {kernel.dtype for kernel in tflite.kernels(made)}:
        raise QuantizerError(f"expected kernels of {' or '.join(sorted(expected))}, litert-quantizer made none of them")
    return made


_ALL = ""
"""A regular expression that is found in every name. Rules of one expression replace each other: this is not ".*"."""


def _rules(settings: Quantize) -> list[dict[str, Any]]:
    """The rules of litert-quantizer, of which the last counts that finds an operator's name, and can take it."""
    names = {".*": settings.recipe, **settings.layers}
    return [rule for pattern, name in names.items() for rule in _at(pattern, name, settings.algorithm)]


def _at(pattern: str, name: str, algorithm: str) -> list[dict[str, Any]]:
    """The rules of a recipe for what a regular expression finds; none where there is no recipe."""
    return [{**rule, "regex": pattern} for rule in _recipe(name, algorithm)] if name else []


def _recipe(name: str, algorithm: str) -> list[dict[str, Any]]:
    """The rules of a recipe of litert-quantizer."""
    from litert_quantizer import recipe
    from litert_quantizer.quantizer import AlgorithmName

    known = [one for one in dir(recipe) if one.startswith(("dynamic_wi", "weight_only_wi", "static_wi"))]
    if name not in known:
        raise OptsuiteError(f"unknown recipe {name!r} of litert-quantizer; expected one of {', '.join(known)}")
    if algorithm and algorithm not in AlgorithmName.__members__:
        raise OptsuiteError(f"unknown algorithm {algorithm!r}; expected one of {', '.join(AlgorithmName.__members__)}")
    rules: list[dict[str, Any]] = getattr(recipe, name)(
        **({"algorithm_key": AlgorithmName[algorithm]} if algorithm else {})
    )
    return rules


def _calibration(content: bytes, inputs: np.ndarray | None) -> dict[str, list[dict[str, np.ndarray]]]:
    """The inputs, float32 (n, *input_shape), as litert-quantizer takes them: by signature and input name."""
    from ai_edge_litert.interpreter import Interpreter

    if inputs is None:
        raise OptsuiteError("expected images for calibration, got none")
    signatures = Interpreter(model_content=content).get_signature_list()
    if len(signatures) != 1:
        raise QuantizerError(f"expected a file with one signature for calibration, got {len(signatures)}")
    ((signature, names),) = signatures.items()
    (name,) = names["inputs"]
    return {signature: [{name: one[np.newaxis]} for one in inputs]}
