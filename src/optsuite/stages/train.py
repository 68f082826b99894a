"""The first stage of a model that is trained here, and the checks that each first stage makes."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from optsuite.errors import OptsuiteError
from optsuite.spec.stage import Stage
from optsuite.spec.task import Task
from optsuite.stages.fit import fit


@dataclass(frozen=True, kw_only=True)
class Train(Stage):
    """Train what `build` returns."""

    build: Callable[[], Any]

    def apply(self, model: Any, task: Task) -> Any:
        model = self.build()
        check(model, task)
        fit(model, task)
        return model


_KERNELS = ("Conv1D", "Conv2D", "DepthwiseConv2D", "Dense")


_NO_KERNEL = ("BatchNormalization", "LayerNormalization")
"""Layers that have weights, but none that count as a kernel."""


def check(model: Any, task: Task) -> None:
    """OptsuiteError, naming the layer, for a new or loaded model that does not fit the data, or can't be worked on."""
    from optsuite.keras import check_config, keras

    if not isinstance(model, keras.Model) or not model.built:
        raise OptsuiteError(
            f"it is {type(model).__module__}.{type(model).__name__}; accepted is a model of Keras 2, from "
            "`optsuite.keras`, that knows the shape of its input"
        )
    if len(model.inputs) != 1 or len(model.outputs) != 1:
        raise OptsuiteError(
            f"it has {len(model.inputs)} inputs and {len(model.outputs)} outputs; accepted is one of each"
        )
    dataset, splits = task.dataset, {name: task.splits[name] for name in ("train", "validation", "test")}
    for name, split in splits.items():
        if tuple(model.input_shape[1:]) != split.x.shape[1:]:
            raise OptsuiteError(f"it takes inputs of {model.input_shape[1:]}, the {name} split has {split.x.shape[1:]}")
    dataset.metric.check(tuple(model.output_shape[1:]), np.concatenate([split.y for split in splits.values()]))
    if unknown := dataset.class_weights.keys() - set(range(model.output_shape[1])):
        last = model.output_shape[1] - 1
        raise OptsuiteError(f"class_weights for {', '.join(map(repr, unknown))}; accepted are labels, 0 to {last}")
    for layer in model.layers:
        kind = type(layer).__name__
        if isinstance(layer, keras.Model):
            raise OptsuiteError(f"layer {layer.name} is a model in a model; accepted are layers alone")
        if len(layer.inbound_nodes) > 1:
            raise OptsuiteError(f"layer {layer.name} is used {len(layer.inbound_nodes)} times; accepted is once")
        if layer.weights and kind not in (*_KERNELS, *_NO_KERNEL):
            accepted = ", ".join((*_KERNELS, *_NO_KERNEL))
            raise OptsuiteError(f"layer {layer.name}, {kind}, has weights; accepted of these are {accepted}")
        if kind == "DepthwiseConv2D" and layer.depth_multiplier != 1:
            raise OptsuiteError(f"layer {layer.name} has a depth multiplier of {layer.depth_multiplier}; accepted is 1")
    if not task.trust:  # as the next stage would, after all the training
        check_config(json.loads(model.to_json()))
