"""What the stages promised of each layer, and whether it is kept."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping

from optsuite.results.kernels import LayerWeights
from optsuite.results.model import StageRecord
from optsuite.spec.invariant import Invariant


def in_force(stages: Iterable[StageRecord]) -> dict[str, Invariant]:
    """What is owed after these stages: layer -> invariant. A stage keeps what it preserves, and adds its own."""
    invariants: dict[str, Invariant] = {}
    for stage in stages:
        invariants = {layer: invariant.kept(stage.preserve) for layer, invariant in invariants.items()}
        for layer in stage.layers:
            invariants[layer] = invariants.get(layer, Invariant()).and_also(stage.invariant)
    return invariants


def violations(invariants: Mapping[str, Invariant], weights: Iterable[LayerWeights], *, per_channel: bool) -> list[str]:
    """One sentence for each promise that is not kept, with the layer, the promised and the found.

    In a .tflite file values are counted `per_channel`. A layer that is all zero is broken, whatever was promised.
    """
    found = {layer.name: layer for layer in weights}
    faults = [f"{name}: promised, but not found" for name in invariants if name not in found]
    for name, layer in found.items():
        invariant = invariants.get(name, Invariant())
        values, where = (layer.channel_unique, " an output channel") if per_channel else (layer.unique, "")
        if layer.zeros == layer.size:
            faults.append(f"{name}: all {layer.size} weights are zero")
        if invariant.sparsity is not None and layer.zeros < (least := math.floor(invariant.sparsity * layer.size)):
            faults.append(f"{name}: promised at least {least} zeros of {layer.size}, found {layer.zeros}")
        if invariant.clusters is not None and values > invariant.clusters:
            faults.append(f"{name}: promised at most {invariant.clusters} values{where}, found {values}")
    return faults
