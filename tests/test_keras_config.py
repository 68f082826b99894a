"""A model's file names classes and functions that Keras imports and calls: only known ones are."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from runs import edited_model

from optsuite.errors import OptsuiteError
from optsuite.keras import dump, keras, load, tf
from optsuite.measure.keras_runner import KerasRunner

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]  # TensorFlow's and Keras's own
layers = keras.layers


def _model(*stack: Any) -> bytes:
    return dump(keras.Sequential([layers.Input((4,)), *stack, layers.Dense(2)]))


def _edited(edit: Callable[[dict[str, Any]], Any]) -> bytes:
    """A model's file whose dense layer's entry in the configuration is edited."""
    return edited_model(_model(), lambda config: edit(config["config"]["layers"][-1]))


def _setting(name: str, value: Any) -> Callable[[dict[str, Any]], Any]:
    return lambda layer: layer["config"].update({name: value})


@pytest.fixture
def witness(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The file that the code in the models below writes."""
    monkeypatch.chdir(tmp_path)
    return tmp_path / "written"


def _touch(x: Any) -> Any:
    with open("written", "w"):
        return x


def test_a_lambda_layer_under_another_name(witness: Path) -> None:
    """Where a module has no class of the given name, Keras takes the one of the registered name."""
    lambda_layer = layers.Lambda(_touch, name="evil").get_config()

    def disguise(layer: dict[str, Any]) -> None:
        module = "tf_keras.src.layers.core.lambda_layer"
        layer |= {"class_name": "Dense", "module": module, "registered_name": "Lambda", "config": lambda_layer}

    def hide(layer: dict[str, Any]) -> None:
        disguise(layer["config"].setdefault("kernel_initializer", {}))

    for edit in (disguise, hide):
        with pytest.raises(OptsuiteError, match=r"names Dense of name evil.*may run any code"):
            load(_edited(edit))
    assert not witness.exists()


def test_a_lambda_layer_runs_only_where_it_is_trusted(witness: Path) -> None:
    """Its bytecode is in the file; here it writes a file."""
    content = _model(layers.Lambda(_touch, name="evil"))
    witness.unlink()  # building the model runs it, too
    with pytest.raises(OptsuiteError, match=r"its configuration names Lambda of name evil, which may run any code"):
        load(content)
    with pytest.raises(OptsuiteError, match="names Lambda"):
        KerasRunner(content)
    assert not witness.exists()
    load(content, trust=True)
    assert witness.exists()


@pytest.mark.parametrize(
    ("edit", "named"),
    [
        (
            lambda layer: layer.update(module="subprocess", class_name="Popen", config={"args": "touch written"}),
            "Popen",
        ),
        (lambda layer: layer.update(module="os", class_name="Dense"), "Dense"),
        (lambda layer: layer.update(class_name="TFSMLayer", config={"filepath": "evil"}), "TFSMLayer"),
        (lambda layer: layer.update(class_name=["Dense"]), "Dense"),
        (lambda layer: layer.update(class_name="Lambda", registered_name="Custom>Adam"), "Lambda"),
        (lambda layer: layer.update(class_name="Adam", registered_name="Custom>Adam"), "Adam"),
        (lambda layer: layer.update(class_name="ClassMethod", config={"function": "relu"}), "ClassMethod"),
        (lambda layer: layer.update(class_name="TFOpLambda", config=None), "TFOpLambda"),
        (lambda layer: layer.update(build_config={"class_name": "__lambda__", "config": {"value": "x"}}), "__lambda__"),
        (
            _setting("activation", {"class_name": "function", "module": "os", "config": "system"}),
            "function",
        ),
        (
            _setting("kernel_initializer", {"class_name": "function", "module": "builtins", "config": "eval"}),
            "function",
        ),
        (_setting("bias_initializer", [{"class_name": "__typespec__", "module": "os"}]), "__typespec__"),
    ],
)
def test_what_else_a_file_may_name(edit: Callable[[dict[str, Any]], Any], named: str, witness: Path) -> None:
    """Keras imports modules by their names, looks into registries, and calls functions, at any depth."""
    with pytest.raises(OptsuiteError, match=f"its configuration names .*{named}.*, which may run any code"):
        load(_edited(edit))
    assert not witness.exists()


def _arithmetic(x: Any) -> Any:
    """What users write between layers."""
    x = tf.nn.relu6(tf.nn.relu(-(x + 1) * x / 2 - 1))
    x = tf.concat([x[:, :2], tf.clip_by_value(x, 0, 6)[:, 2:]], -1)
    x = tf.reduce_mean(tf.reshape(x, (-1, 2, 2)), axis=1) + tf.reduce_max(tf.abs(x), axis=-1, keepdims=True)
    x = tf.transpose(tf.pad(tf.sigmoid(x), [[0, 0], [1, 1]]), [0, 1]) ** 2
    x = tf.squeeze(tf.expand_dims(tf.nn.softmax(tf.tanh(1 - x)), -1), -1)
    return tf.maximum(
        tf.minimum(tf.stack([x, tf.exp(x)], axis=1)[:, 0], 1.0), tf.sqrt(tf.square(keras.activations.swish(x)))
    )


def test_arithmetic_is_allowed() -> None:
    """The answers are the model's."""
    x = np.random.default_rng(0).normal(size=(8, 4)).astype(np.float32)
    inputs = keras.Input((4,))
    model = keras.Model(inputs, layers.Dense(2, activation=tf.nn.relu)(_arithmetic(inputs)))
    np.testing.assert_array_equal(load(dump(model))(x), model(x))


def test_what_the_catalogue_registers_is_allowed() -> None:
    """Under the name of the package that was given."""

    @keras.saving.register_keras_serializable("mine")
    class Double(layers.Layer):  # type: ignore[misc, name-defined]
        def call(self, x: Any) -> Any:
            return 2 * x

    try:
        content = _model(Double())
        assert type(load(content).layers[0]) is Double
    finally:
        del keras.saving.get_custom_objects()["mine>Double"]
    with pytest.raises(OptsuiteError, match="names mine>Double"):
        load(content)


@pytest.mark.parametrize("config", [None, "", "[" * 100_000, 5, '{"class_name": 1' + ', "a": {"b"' * 9])
def test_what_is_no_configuration(config: Any) -> None:
    """One line, as for what is refused."""
    buffer = io.BytesIO(_model())
    with h5py.File(buffer, "r+") as file:
        del file.attrs["model_config"]
        if config is not None:
            file.attrs["model_config"] = config
    with pytest.raises(OptsuiteError, match=r"expected an \.h5 file of a Keras model"):
        load(buffer.getvalue())


@pytest.mark.parametrize("sort", ["external storage", "external link", "virtual dataset"])
def test_weights_in_other_files(sort: str, tmp_path: Path) -> None:
    """HDF5 would read any file of this machine into a model from elsewhere."""
    other = tmp_path / "other"
    other.write_bytes(bytes(32))
    buffer = io.BytesIO(_model())
    with h5py.File(buffer, "r+") as file:
        weights = next(iter(file["model_weights"].values()))
        if sort == "external storage":
            weights.create_dataset("more", (8,), "f4", external=[(str(other), 0, 32)])
        elif sort == "external link":
            weights["more"] = h5py.ExternalLink(str(other), "/weights")
        else:
            layout = h5py.VirtualLayout((8,), "f4")
            layout[:] = h5py.VirtualSource(str(other), "weights", (8,))
            weights.create_virtual_dataset("more", layout)
    with pytest.raises(OptsuiteError, match=r"holds all its weights, got model_weights/dense\w*/more in another file"):
        load(buffer.getvalue())
    load(buffer.getvalue(), trust=True)
