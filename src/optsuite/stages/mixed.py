"""Mixed precision: a .tflite file whose layers have weights of 4 or 8 bits, chosen by measurement."""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass, replace
from functools import partial

import msgspec
import numpy as np

from optsuite import litert, tflite
from optsuite.litert import LiteRTRunner
from optsuite.results.layer_bits import LayerBits
from optsuite.spec.artifact import LAYERS, TFLITE, Artifact
from optsuite.spec.data import Split
from optsuite.spec.metric import Metric
from optsuite.spec.task import Task
from optsuite.stages.quantize import OfFloat32File, Quantize, quantized
from optsuite.tflite import Kernel
from optsuite.units import Fraction

_EIGHT = Quantize(recipe="dynamic_wi8_afp32")
_FOUR = "dynamic_wi4_afp32"


@dataclass(frozen=True, kw_only=True)
class Mixed(OfFloat32File):
    """Give the weights of each layer 4 or 8 bits, by what that costs on the validation split.

    First each layer alone is tried at 4 bits, with all others at 8. Then one layer after the other is given 4 bits, in
    the order of the accuracy lost by it alone per byte saved, and keeps them if the file loses at most `budget` in all.
    What is lost is always against the file with 8 bits in every layer.

    Attributes:
        budget: The accuracy on the validation split that the file may lose, a fraction, or a difference of the metric.

    """

    budget: Fraction = 0.002

    def quantize(self, content: bytes, task: Task) -> Artifact:
        kernels = tflite.kernels(quantized(content, _EIGHT))
        layers = _chosen(content, kernels, self.budget, task.dataset.metric, task.splits["validation"])
        four = {kernel.scope for kernel, one in zip(kernels, layers, strict=True) if one.bits == 4}
        return {TFLITE: _with_four_bits(content, four), LAYERS: msgspec.json.encode(layers)}


def _chosen(
    content: bytes, kernels: Collection[Kernel], budget: float, metric: Metric, validation: Split
) -> list[LayerBits]:
    """Choose the bits of each kernel of a float32 file."""
    accuracy = partial(_accuracy, content, metric, validation)
    of_eight = accuracy(())
    alone: dict[str, float] = {}
    for kernel in kernels:
        made = tflite.kernels(_with_four_bits(content, {kernel.scope}))
        if any(one.scope == kernel.scope and one.dtype == "int4" for one in made):
            alone[kernel.scope] = of_eight - accuracy({kernel.scope})
    saved = {kernel.scope: kernel.values.size // 2 for kernel in kernels}
    chosen: set[str] = set()
    # What gains accuracy comes first, the largest of it foremost.
    for scope in sorted(alone, key=lambda scope: (max(0.0, alone[scope]) / saved[scope], -saved[scope])):
        if of_eight - accuracy({*chosen, scope}) <= budget + 1e-9:
            chosen.add(scope)
    return [
        LayerBits(
            layer=kernel.name,
            weights=kernel.values.size,
            bits=4 if kernel.scope in chosen else 8,
            lost=alone.get(kernel.scope),
            saved_bytes=saved[kernel.scope] if kernel.scope in alone else 0,
        )
        for kernel in kernels
    ]


def _with_four_bits(content: bytes, scopes: Collection[str]) -> bytes:
    """Return the file with weights of 4 bits where an operator's output has one of these names, and 8 elsewhere."""
    return quantized(content, replace(_EIGHT, layers={f"^{re.escape(scope)};$": _FOUR for scope in scopes}))


def _accuracy(content: bytes, metric: Metric, split: Split, scopes: Collection[str]) -> float:
    """The accuracy on a split of the file with weights of 4 bits in some layers, or the mean of another metric."""
    outputs = litert.outputs(LiteRTRunner(_with_four_bits(content, scopes)), split.x)
    metric.check(outputs.shape[1:], split.y)
    return float(np.mean(metric.scores(outputs, split.y), dtype=float))
