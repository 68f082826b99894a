"""The first stage of a model that is already trained: a file of Keras 2, or of Keras 3, which TFMOT does not know.

The architecture of a Keras 3 file is built again in Keras 2, layer by layer, and the weights are copied.
"""

from __future__ import annotations

import inspect
import io
import json
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from optsuite.allowed import SAME_IN_BOTH
from optsuite.spec import File, OptsuiteError, Stage, first_line
from optsuite.stages.train import check

if TYPE_CHECKING:
    from optsuite.build import Task

_SYMBOLS = ("Add", "Subtract", "Multiply", "Maximum", "Minimum")
"""Operations between two tensors (`x + y`) that Keras 2 has a layer for."""
_RENAMED = {("LeakyReLU", "negative_slope"): "alpha"}
_TRIALS = 32
_TOLERANCE = 1e-4
"""Of the largest answer: both compute in float32, in another order."""


@dataclass(frozen=True, kw_only=True)
class Load(Stage):
    """Take the model out of its file, uncompiled."""

    packages = ("keras",)
    file: File

    def apply(self, model: Any, task: Task) -> Any:
        from optsuite.keras import keras

        path = Path(self.file.path)
        version, config = _described(path)
        if not task.step.trust:
            _check_trusted(path, version, config)
        if version.startswith("2."):
            try:
                model = keras.models.load_model(path, compile=False, safe_mode=not task.step.trust)
            except (TypeError, ValueError, OSError) as error:  # a layer of the user's own, say
                raise OptsuiteError(f"{path}: Keras 2 can't load it: {first_line(error)}") from error
        else:
            model, task.note = _translated_file(path, version, config)
        if File.of(path) != self.file:
            raise OptsuiteError(f"{path} was changed while it was read; start the run again")
        check(model, task)
        return model


def _check_trusted(path: Path, version: str, config: Any) -> None:
    """OptsuiteError for a file that could run any code when Keras loads it."""
    from optsuite.keras import check_config

    if path.is_dir():
        raise OptsuiteError(
            f"{path} is a SavedModel, which may run any code: expected a .keras or .h5 file; Model(trust=True) allows "
            "it for your own model"
        )
    if not version.startswith("2."):
        _check_translated(config)
    try:
        # Keras does not look at the settings of the compiler where it does not compile.
        check_config({**config, "compile_config": None})
    except OptsuiteError as error:
        raise OptsuiteError(f"{path}: {error}") from None


def _check_translated(config: Any) -> None:
    """OptsuiteError for the first layer of a Keras 3 model that can't be translated."""
    for layer in config.get("config", {}).get("layers", ()):
        if layer["class_name"] not in ("InputLayer", *_SYMBOLS, *SAME_IN_BOTH):
            raise _untranslated(layer["config"].get("name"), layer["class_name"])


def _described(path: Path) -> tuple[str, Any]:
    """The version of Keras that wrote the file, or the folder of a SavedModel, and a file's model as plain data."""
    import h5py

    accepted = "accepted are .keras and .h5 files, and SavedModels that Keras 2 saved"
    if path.is_dir():
        if not (path / "keras_metadata.pb").exists():
            raise OptsuiteError(f"{path} is no SavedModel of Keras 2; {accepted}")
        return "2.", {}
    content = path.read_bytes()
    try:
        if zipfile.is_zipfile(path):
            with zipfile.ZipFile(io.BytesIO(content)) as archive:
                version = str(json.loads(archive.read("metadata.json"))["keras_version"])
                return version, json.loads(archive.read("config.json"))
        with h5py.File(io.BytesIO(content), "r") as file:
            if "model_config" in file.attrs:
                return str(file.attrs["keras_version"]), json.loads(file.attrs["model_config"])
    except (OSError, KeyError, ValueError, zipfile.BadZipFile) as error:
        raise OptsuiteError(f"{path} is no Keras model ({error}); {accepted}") from error
    raise OptsuiteError(f"{path} has weights, but no model; {accepted}")


def _translated_file(path: Path, version: str, config: Any) -> tuple[Any, str]:
    """The model of a Keras 3 file in Keras 2, and how far the two are apart."""
    import keras as keras3

    from optsuite import keras

    try:
        original = keras3.saving.load_model(path, compile=False)
    except (TypeError, ValueError, OSError) as error:  # a layer of the user's own, or a function in a Lambda
        _check_translated(config)
        raise OptsuiteError(f"{path}: Keras {keras3.__version__} can't load it: {first_line(error)}") from error
    model = translated(original)
    x = np.random.default_rng(0).normal(size=(_TRIALS, *model.input_shape[1:])).astype(np.float32)
    expected = np.asarray(original(x, training=False))
    difference = float(np.abs(keras.outputs(model, x) - expected).max())
    if not difference <= _TOLERANCE * float(np.abs(expected).max()):
        raise OptsuiteError(f"{path}: in Keras 2 its answers differ by up to {difference:.2g} on {_TRIALS} inputs")
    apart = f"answers to {_TRIALS} random inputs differ by {difference:.2g} at most"
    return model, f"from Keras {version}, loaded by {keras3.__version__}; {apart}"


def _untranslated(layer: str, kind: str) -> OptsuiteError:
    return OptsuiteError(
        f"layer {layer}, {kind}, can't be translated from Keras 3; accepted: {', '.join(SAME_IN_BOTH)}"
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
            f"model {original.name} of {type(original).__name__} can't be translated from Keras 3; accepted are "
            "Sequential and functional models of one input and one output"
        )
    (source,) = graph.inputs
    if None in source.shape[1:]:
        raise OptsuiteError(f"model {original.name} takes inputs of {source.shape}; accepted is a shape that is known")
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
                raise OptsuiteError(f"layer {operation.name} is called with {given}; accepted are inputs alone")
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
    """Of the named arguments of a call those that are not the default."""
    usual = inspect.signature(operation.call).parameters
    return {name: one for name, one in arguments.items() if name not in usual or one != usual[name].default}


def _layer(operation: Any, arguments: tuple[Any, ...]) -> Any:
    """A new Keras 2 layer for a layer, or an operation between two tensors, of Keras 3."""
    import keras as keras3

    from optsuite.keras import keras

    kind = type(operation).__name__
    of_keras = type(operation).__module__.startswith("keras.")
    if not isinstance(operation, keras3.layers.Layer):
        if kind in _SYMBOLS and all(isinstance(one, keras3.KerasTensor) for one in arguments):
            return getattr(keras.layers, kind)(name=operation.name)
        raise OptsuiteError(
            f"operation {operation.name}, {kind}, can't be translated from Keras 3; accepted between two tensors: "
            f"{', '.join(_SYMBOLS)}; else use a layer"
        )
    if kind not in SAME_IN_BOTH or not of_keras:
        raise _untranslated(operation.name, kind)
    if operation.dtype_policy.name != "float32":
        raise OptsuiteError(f"layer {operation.name} has dtype {operation.dtype_policy.name}; accepted is float32")
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
    except (TypeError, ValueError) as error:  # an activation of the user's own, say
        raise OptsuiteError(f"layer {operation.name}, {kind}, can't be translated from Keras 3: {error}") from error
