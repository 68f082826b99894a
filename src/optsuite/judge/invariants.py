"""The invariants that are in force for each layer after some stages, and the violations of them."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from optsuite.results.kernels import LayerWeights
from optsuite.results.model import StageRecord
from optsuite.spec.invariant import Invariant


@dataclass(frozen=True, kw_only=True)
class Violation:
    """An invariant that does not hold for a layer.

    Two violations are equal if the same was expected of the same layer, whatever was found.
    """

    layer: str
    expected: str
    found: str = field(compare=False)

    def __str__(self) -> str:
        return f"{self.layer}: expected {self.expected}, found {self.found}"


def in_force(stages: Iterable[StageRecord]) -> dict[str, Invariant]:
    """Return the invariants that are in force after these stages, by layer.

    A stage ends those that it does not preserve, and adds its own for the layers that it transformed.
    """
    invariants: dict[str, Invariant] = {}
    for stage in stages:
        invariants = {layer: invariant.preserved(stage.preserve) for layer, invariant in invariants.items()}
        for layer, invariant in stage.invariants.items():
            invariants[layer] = invariants.get(layer, Invariant()).joined(invariant)
    return invariants


def violations(
    invariants: Mapping[str, Invariant], weights: Iterable[LayerWeights], *, per_channel: bool
) -> list[Violation]:
    """Return the violations of invariants by the weights of a model or a file.

    Args:
        invariants: The invariants in force, by layer.
        weights: The statistics of the kernels; a kernel that is all zero is a violation, whatever is in force.
        per_channel: Whether distinct values are counted per output channel, as in a .tflite file.

    """
    kernels = {kernel.name: kernel for kernel in weights}
    found = [Violation(layer=layer, expected="a kernel", found="none") for layer in invariants if layer not in kernels]
    for layer, kernel in kernels.items():
        invariant = invariants.get(layer, Invariant())
        if kernel.zeros == kernel.size:
            found.append(Violation(layer=layer, expected="weights that are not zero", found=f"{kernel.size} zeros"))
        if invariant.sparsity is not None:
            least = math.floor(invariant.sparsity * kernel.size)
            if kernel.zeros < least:
                expected = f"at least {least} zeros of {kernel.size}"
                found.append(Violation(layer=layer, expected=expected, found=str(kernel.zeros)))
        if invariant.clusters is not None:
            values, where = (kernel.channel_unique, " per output channel") if per_channel else (kernel.unique, "")
            if values > invariant.clusters:
                expected = f"at most {invariant.clusters} distinct values{where}"
                found.append(Violation(layer=layer, expected=expected, found=str(values)))
    return found
