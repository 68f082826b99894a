"""A Keras 3 model built again in Keras 2, which TFMOT needs."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any

from optsuite.errors import OptsuiteError
from optsuite.keras_config import SAME_IN_BOTH

OPERATIONS = ("Add", "Subtract", "Multiply", "Maximum", "Minimum")
"""Operations between two tensors (`x + y`) that Keras 2 has a layer for."""
_RENAMED = {("LeakyReLU", "negative_slope"): "alpha"}


def untranslated(layer: str, kind: str) -> OptsuiteError:
    return OptsuiteError(
        f"layer {layer}, {kind}, can't be translated from Keras 3; expected one of {', '.join(SAME_IN_BOTH)}"
    )


def translated(original: Any) -> Any:
    """A Keras 3 model, Sequential or functional, of one input and one output, in Keras 2 with the same weights.

    Raises OptsuiteError that names the layer that it can't be done for.
    """
    import keras as keras3

    from optsuite.keras import keras

    graph = original._functional if isinstance(original, keras3.Sequential) else original
    if not hasattr(graph, "_nodes_by_depth") or len(graph.inputs) != 1 or len(graph.outputs) != 1:
        raise OptsuiteError(
            f"model {original.name} of {type(original).__name__} can't be translated from Keras 3; expected a "
            "Sequential or functional model of one input and one output"
        )
    (source,) = graph.inputs
    if None in source.shape[1:]:
        raise OptsuiteError(f"model {original.name}: expected a known input shape, got {source.shape}")
    inputs = keras.Input(source.shape[1:], dtype="float32", name=source.name)
    known = {id(source): inputs}
    layers: dict[int, Any] = {}

    def value(argument: Any) -> Any:
        if isinstance(argument, list | tuple):
            return [value(one) for one in argument]
        return known[id(argument)] if isinstance(argument, keras3.KerasTensor) else argument

    # Keras 3 has no public way to walk a graph; this one is what its own clone_model uses.
    for depth in sorted(graph._nodes_by_depth, reverse=True):
        for node in graph._nodes_by_depth[depth]:
            operation = node.operation
            if isinstance(operation, keras3.layers.InputLayer):
                continue
            if id(operation) not in layers:
                layers[id(operation)] = _layer(operation, node.arguments.args)
            if given := _given(operation, node.arguments.kwargs):
                raise OptsuiteError(f"layer {operation.name}: expected a call with inputs alone, got {given}")
            arguments = value(node.arguments.args)
            if not isinstance(operation, keras3.layers.Layer):
                arguments = [arguments]  # x + y is a layer of a list
            known[id(node.output_tensors[0])] = layers[id(operation)](*arguments)
    model = keras.Model(inputs, known[id(graph.outputs[0])], name=original.name)
    for operation in graph.operations:
        if isinstance(operation, keras3.layers.Layer) and id(operation) in layers:
            layers[id(operation)].set_weights(operation.get_weights())
    return model


def _given(operation: Any, arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Return the keyword arguments of a call that are not the default."""
    defaults = inspect.signature(operation.call).parameters
    return {name: one for name, one in arguments.items() if name not in defaults or one != defaults[name].default}


def _layer(operation: Any, arguments: tuple[Any, ...]) -> Any:
    """A new Keras 2 layer for a layer, or an operation between two tensors, of Keras 3."""
    import keras as keras3

    from optsuite.keras import keras

    kind = type(operation).__name__
    of_keras = type(operation).__module__.startswith("keras.")
    if not isinstance(operation, keras3.layers.Layer):
        if kind in OPERATIONS and all(isinstance(one, keras3.KerasTensor) for one in arguments):
            return getattr(keras.layers, kind)(name=operation.name)
        raise OptsuiteError(
            f"operation {operation.name}, {kind}, can't be translated from Keras 3; expected between tensors one of "
            f"{', '.join(OPERATIONS)}; else use a layer"
        )
    if kind not in SAME_IN_BOTH or not of_keras:
        raise untranslated(operation.name, kind)
    if operation.dtype_policy.name != "float32":
        raise OptsuiteError(f"layer {operation.name}: expected dtype float32, got {operation.dtype_policy.name}")
    layer_type = getattr(keras.layers, kind)
    known = {name for cls in layer_type.__mro__ for name in inspect.signature(cls.__init__).parameters}
    settings = {}
    for name, setting in operation.get_config().items():
        name = _RENAMED.get((kind, name), name)
        # What a new layer begins with is not needed: it gets the trained weights.
        if name in known and name != "dtype" and not name.endswith("_initializer"):
            settings[name] = setting
        if isinstance(setting, dict) and name.endswith(("_regularizer", "_constraint")):
            inner = {part: setting[part] for part in ("class_name", "config")}
            family = keras.regularizers if name.endswith("_regularizer") else keras.constraints
            settings[name] = family.get(inner)
    try:
        return layer_type(**settings)
    except (TypeError, ValueError) as error:  # such as a user-defined activation
        raise OptsuiteError(f"layer {operation.name}, {kind}, can't be translated from Keras 3: {error}") from error
