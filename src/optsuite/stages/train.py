"""The first stage of a model that is trained here, and the checks that each first stage makes."""

from __future__ import annotations

import json
from abc import abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from optsuite.errors import OptsuiteError
from optsuite.spec.stage import Stage
from optsuite.spec.task import Task
from optsuite.stages.fit import fit


class FirstStage(Stage):
    """The first stage of a recipe, which makes its model of nothing."""

    @abstractmethod
    def new(self, task: Task) -> Any:
        """Return the model, not trained here, and checked; OptsuiteError for a model that stages can't work on."""


@dataclass(frozen=True, kw_only=True)
class Train(FirstStage):
    """Train the model that `build` returns."""

    build: Callable[[], Any]

    def new(self, task: Task) -> Any:
        model = self.build()
        check(model, task)
        return model

    def apply(self, model: Any, task: Task) -> Any:
        from optsuite.keras import macs

        model = self.new(task)
        task.limit(macs(model))
        fit(model, task)
        return model


_KERNELS = ("Conv1D", "Conv2D", "DepthwiseConv2D", "Dense")
_NO_KERNEL = ("BatchNormalization", "LayerNormalization")
"""Layers that have weights, but none that count as a kernel."""


def check(model: Any, task: Task) -> None:
    """Check a new or loaded model.

    Raises:
        OptsuiteError: The model does not fit the data, or has a layer that stages can't work on; the message names it.

    """
    from optsuite.keras import check_config

    _check_form(model)
    _check_data(model, task)
    for layer in model.layers:
        _check_layer(layer)
    if not task.trust:  # else the next stage would find out, after all the training
        check_config(json.loads(model.to_json()))


def _check_form(model: Any) -> None:
    """Raise OptsuiteError for what is no built Keras 2 model of one input and one output."""
    from optsuite.keras import keras

    if not isinstance(model, keras.Model) or not model.built:
        raise OptsuiteError(
            "expected a model of Keras 2, from `optsuite.keras`, that knows the shape of its input, got "
            f"{type(model).__module__}.{type(model).__name__}"
        )
    if len(model.inputs) != 1 or len(model.outputs) != 1:
        raise OptsuiteError(
            f"expected a model of one input and one output, got {len(model.inputs)} and {len(model.outputs)}"
        )


def _check_data(model: Any, task: Task) -> None:
    """Raise OptsuiteError for data that the model can't take, or whose labels it can't answer."""
    dataset, splits = task.dataset, task.splits
    for name, split in splits.items():
        if tuple(model.input_shape[1:]) != split.x.shape[1:]:
            raise OptsuiteError(
                f"the model takes inputs of {model.input_shape[1:]}, the {name} split has {split.x.shape[1:]}"
            )
    dataset.metric.check(tuple(model.output_shape[1:]), np.concatenate([split.y for split in splits.values()]))
    if unknown := dataset.class_weights.keys() - set(range(model.output_shape[1])):
        last = model.output_shape[1] - 1
        raise OptsuiteError(f"expected class_weights for labels, 0 to {last}, got {', '.join(map(repr, unknown))}")


def _check_layer(layer: Any) -> None:
    """Raise OptsuiteError for a layer that stages can't work on."""
    from optsuite.keras import keras

    kind = type(layer).__name__
    if isinstance(layer, keras.Model):
        raise OptsuiteError(f"layer {layer.name}: expected a layer, got a nested model")
    if len(layer.inbound_nodes) > 1:
        raise OptsuiteError(f"layer {layer.name}: expected to be used once, got {len(layer.inbound_nodes)} times")
    if layer.weights and kind not in (*_KERNELS, *_NO_KERNEL):
        known = ", ".join((*_KERNELS, *_NO_KERNEL))
        raise OptsuiteError(f"layer {layer.name}: expected layers with weights to be {known}, got {kind}")
    if kind == "DepthwiseConv2D" and layer.depth_multiplier != 1:
        raise OptsuiteError(f"layer {layer.name}: expected a depth multiplier of 1, got {layer.depth_multiplier}")
