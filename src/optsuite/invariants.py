"""What the stages promised of each layer, and whether it is kept."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from optsuite.records import LayerWeights, StageRecord
from optsuite.spec import OptsuiteError, Promise


def owed(stages: Iterable[StageRecord]) -> dict[str, Promise]:
    """What is owed after these stages: layer -> promise. A stage keeps what it preserves, and adds its own."""
    promises: dict[str, Promise] = {}
    for stage in stages:
        promises = {layer: promise.kept(stage.preserve) for layer, promise in promises.items()}
        for layer in stage.layers:
            promises[layer] = promises.get(layer, Promise()).and_also(stage.promise)
    return promises


def broken(promises: Mapping[str, Promise], weights: Iterable[LayerWeights], *, per_channel: bool) -> list[str]:
    """One sentence for each promise that is not kept, with the layer, the promised and the found.

    In a .tflite file values are counted `per_channel`. A layer that is all zero is broken, whatever was promised.
    """
    found = {layer.name: layer for layer in weights}
    faults = [f"{name}: promised, but not found" for name in promises if name not in found]
    for name, layer in found.items():
        promise = promises.get(name, Promise())
        values, where = (layer.channel_unique, " an output channel") if per_channel else (layer.unique, "")
        if layer.zeros == layer.size:
            faults.append(f"{name}: all {layer.size} weights are zero")
        if promise.sparsity is not None and layer.zeros < (least := math.floor(promise.sparsity * layer.size)):
            faults.append(f"{name}: promised at least {least} zeros of {layer.size}, found {layer.zeros}")
        if promise.clusters is not None and values > promise.clusters:
            faults.append(f"{name}: promised at most {promise.clusters} values{where}, found {values}")
    return faults


def named_after(layers: Sequence[LayerWeights], kernels: Iterable[LayerWeights]) -> tuple[LayerWeights, ...]:
    """The kernels of a .tflite file under the names of the Keras layers that they come from.

    The converter joins the names of the operators that it merged; a layer's own is among them, with TFMOT's prefix
    or without. OptsuiteError where that does not name one layer of the same size for every kernel.
    """
    sizes = {layer.name: layer.size for layer in layers}
    renamed = []
    for kernel in kernels:
        parts = {part.removeprefix("quant_") for part in re.split("[/;]", kernel.name)}
        candidates = [name for name, size in sizes.items() if name in parts and size == kernel.size]
        if len(candidates) != 1:
            raise OptsuiteError(f"kernel {kernel.name!r} of {kernel.size} weights: layers that fit: {candidates}")
        renamed.append(replace(kernel, name=candidates[0]))
    if missing := set(sizes) - {kernel.name for kernel in renamed}:
        raise OptsuiteError(f"no kernel in the file for {', '.join(sorted(missing))}")
    return tuple(renamed)
