"""Models that are already trained: files of Keras 2, and of Keras 3, whose layers are translated."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from optsuite.build.model_step import ModelStep
from optsuite.catalog.datasets import DATASETS
from optsuite.catalog.profiles import PROFILES
from optsuite.errors import OptsuiteError
from optsuite.files import File
from optsuite.keras_config import SAME_IN_BOTH
from optsuite.spec.artifact import OUTPUTS, pack_arrays
from optsuite.spec.data import Dataset, Split
from optsuite.spec.task import Task
from optsuite.stages import load
from optsuite.stages.keras3 import translated
from optsuite.stages.load import Load
from optsuite.stages.train import check

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]  # TensorFlow's and Keras's own


@pytest.fixture(scope="module")
def keras() -> Any:
    """Keras 2."""
    from optsuite.keras import keras

    return keras


@pytest.fixture(scope="module")
def keras3(keras: Any) -> Any:
    """Keras 3."""
    import keras as keras3

    return keras3


def _task(*, dataset: Dataset = DATASETS["mnist"], **settings: Any) -> Task:
    splits = {name: PROFILES["smoke"].split(dataset, name) for name in ("train", "validation", "test")}
    return Task(dataset=dataset, splits=splits, seed=0, **settings)


def _key(path: Path) -> str:
    action = Load(file=File.of(path))
    return ModelStep(
        model="net", actions=("done",), action=action, dataset=DATASETS["mnist"], profile=PROFILES["smoke"], seed=0
    ).key


def _loaded(path: Path, *, trust: bool = False) -> tuple[Any, Task]:
    task = _task(trust=trust)
    return Load(file=File.of(path)).apply(None, task), task


def test_every_layer_is_translated(keras3: Any, tmp_path: Path) -> None:
    """One model has all that are claimed, with weights of no layer as they begin, and answers as in Keras 3."""
    import keras3_model

    model = keras3_model.shaken(keras3_model.every_layer())
    assert {type(layer).__name__ for layer in model.layers} - {"InputLayer"} == set(SAME_IN_BOTH)
    model.save(tmp_path / "net.keras")
    found, task = _loaded(tmp_path / "net.keras")
    assert task.note.startswith(
        f"from Keras {keras3.__version__}, loaded by {keras3.__version__}; answers to 32 random inputs differ by"
    )
    x = DATASETS["mnist"].load("test").x[:50]
    np.testing.assert_allclose(found.predict(x, verbose=0), np.asarray(model(x)), rtol=1e-4, atol=1e-6)
    assert found.get_layer("conv2d").kernel_regularizer.l2 == pytest.approx(0.01)
    assert found.count_params() == model.count_params()


def test_sequential_models_are_translated(keras3: Any) -> None:
    """With the names of their layers."""
    layers = keras3.layers
    model = keras3.Sequential([layers.Input((28, 28, 1)), layers.Flatten(), layers.Dense(10, name="last")])
    found = translated(model)
    assert found.layers[-1].name == "last"
    np.testing.assert_array_equal(found.layers[-1].get_weights()[0], model.layers[-1].get_weights()[0])


def _own(x: Any) -> Any:
    return x


def _nested(keras3: Any) -> Any:
    inner = keras3.Sequential([keras3.layers.Input((28, 28, 1)), keras3.layers.Flatten()], name="inner")
    return keras3.Sequential([keras3.layers.Input((28, 28, 1)), inner, keras3.layers.Dense(10)])


def _two_inputs(keras3: Any) -> Any:
    inputs = [keras3.Input((4,)), keras3.Input((4,))]
    return keras3.Model(inputs, keras3.layers.Add(name="sum")(inputs))


def _operation(keras3: Any) -> Any:
    inputs = keras3.Input((4,))
    return keras3.Model(inputs, keras3.ops.exp(inputs))


def _number(keras3: Any) -> Any:
    inputs = keras3.Input((4,))
    return keras3.Model(inputs, inputs + 1.0)


def _called(keras3: Any) -> Any:
    inputs = keras3.Input((4,))
    return keras3.Model(inputs, keras3.layers.BatchNormalization(name="odd")(inputs, training=False))


def _layer(name: str, *arguments: Any, **settings: Any) -> Callable[[Any], Any]:
    def make(keras3: Any) -> Any:
        layer = getattr(keras3.layers, name)(*arguments, name="odd", **settings)
        return keras3.Sequential([keras3.layers.Input((28, 28, 1)), layer])

    return make


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (
            _layer("SeparableConv2D", 4, 3),
            "layer odd, SeparableConv2D, can't be translated from Keras 3; expected one of Act",
        ),
        (_layer("Conv2D", 4, 3, activation=_own), "layer odd, Conv2D, can't be translated from Keras 3"),
        (_layer("Conv2D", 4, 3, dtype="mixed_float16"), "layer odd: expected dtype float32, got mixed_float16"),
        (_nested, "layer inner, Sequential, can't be translated"),
        (_operation, "operation exp, Exp, can't be translated from Keras 3; expected between tensors one of Add"),
        (_called, "layer odd: expected a call with inputs alone, got {'training': False}"),
        (_number, "operation add.*, Add, can't be translated"),
        (_two_inputs, "expected a Sequential or functional model of one input and one output"),
    ],
)
def test_what_can_not_be_translated_is_named(keras3: Any, make: Callable[[Any], Any], said: str) -> None:
    """By layer and type, with what was expected."""
    with pytest.raises(OptsuiteError, match=said):
        translated(make(keras3))


def test_answers_that_differ_are_refused(keras3: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever it was that was not translated as it is."""
    layers = keras3.layers
    keras3.Sequential([layers.Input((28, 28, 1)), layers.Flatten(), layers.Dense(10)]).save(tmp_path / "net.keras")

    def wrong(original: Any) -> Any:
        model = translated(original)
        model.layers[-1].set_weights([1.01 * weights for weights in model.layers[-1].get_weights()])
        return model

    monkeypatch.setattr(load, "translated", wrong)
    with pytest.raises(OptsuiteError, match=r"in Keras 2 its answers differ by up to 0\.\d+ on 32 inputs"):
        _loaded(tmp_path / "net.keras")


@pytest.mark.parametrize("version", [2, 3])
@pytest.mark.parametrize("name", ["net.keras", "net.h5", "net"])
def test_kinds_of_files(name: str, version: int, keras: Any, keras3: Any, tmp_path: Path) -> None:
    """Each of both, but for the SavedModel of Keras 3, which has no layers any more."""
    made_by = keras if version == 2 else keras3
    layers = made_by.layers
    model = made_by.Sequential([layers.Input((28, 28, 1)), layers.Flatten(), layers.Dense(10, activation="softmax")])
    path = tmp_path / name
    if (name, version) == ("net", 3):
        model.export(path, verbose=False)
        with pytest.raises(OptsuiteError, match=r"no SavedModel of Keras 2; expected a \.keras or \.h5 file"):
            _loaded(path)
        return
    model.save(path)
    if name == "net":
        with pytest.raises(OptsuiteError, match=r"is a SavedModel, which may run any code: .* Model\(trust=True\)"):
            _loaded(path)
    found, task = _loaded(path, trust=name == "net")
    x = DATASETS["mnist"].load("test").x[:5]
    np.testing.assert_allclose(found.predict(x, verbose=0), model.predict(x, verbose=0), atol=1e-6)
    assert bool(task.note) == (version == 3)
    assert task.probabilities(found)


@pytest.mark.parametrize("content", [b"", b"nonsense", b"\x89HDF\r\n\x1a\n", b"PK\x05\x06" + bytes(18)])
def test_what_is_no_model(content: bytes, tmp_path: Path) -> None:
    """One line, with what was expected."""
    path = tmp_path / "net.keras"
    path.write_bytes(content)
    with pytest.raises(OptsuiteError, match=r"is no Keras model .*expected a \.keras"):
        _loaded(path)


def test_a_file_counts_by_its_content(keras: Any, tmp_path: Path) -> None:
    """Moved it is the same, changed it is another; changed between the two looks it is refused."""
    model = keras.Sequential([keras.layers.Input((28, 28, 1)), keras.layers.Flatten(), keras.layers.Dense(10)])
    model.save(tmp_path / "net.h5")
    first, key = Load(file=File.of(tmp_path / "net.h5")), _key(tmp_path / "net.h5")
    (tmp_path / "net.h5").rename(tmp_path / "other.h5")
    assert _key(tmp_path / "other.h5") == key
    model.layers[-1].set_weights([weights + 1 for weights in model.layers[-1].get_weights()])
    model.save(tmp_path / "net.h5")
    assert _key(tmp_path / "net.h5") != key
    with pytest.raises(OptsuiteError, match=r"net\.h5 was changed while it was read"):
        first.apply(None, _task())


def _model(keras: Any, *layers: Any, shape: tuple[int, ...] = (28, 28, 1)) -> Any:
    return keras.Sequential([keras.layers.Input(shape), *layers])


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (
            lambda k, n: _model(k, n.Flatten(), n.Dense(10), shape=(32, 32, 3)),
            r"takes inputs of \(32, 32, 3\), the train split has \(28, 28, 1\)",
        ),
        (
            lambda k, n: _model(k, n.Flatten(), n.Dense(9)),
            r"expected one number per class from the model, at least 10 for labels 0 to 9, got outputs of shape \(9,\)",
        ),
        (lambda k, n: _model(k, n.Conv2D(10, 3)), r"number per class .* got outputs of shape \(26, 26, 10\)"),
        (
            lambda k, n: _model(k, n.SeparableConv2D(4, 3, name="odd"), n.Flatten(), n.Dense(10)),
            "layer odd: expected layers with weights to be .* got SeparableConv2D",
        ),
        (
            lambda k, n: _model(k, n.DepthwiseConv2D(3, depth_multiplier=2, name="odd"), n.Flatten(), n.Dense(10)),
            "layer odd: expected a depth multiplier of 1, got 2",
        ),
        (
            lambda k, n: _model(k, _model(k, n.Flatten()), n.Dense(10)),
            "expected a layer, got a nested model",
        ),
    ],
)
def test_models_that_do_not_fit(keras: Any, tmp_path: Path, make: Callable[[Any, Any], Any], said: str) -> None:
    """The data, or what the stages can work on; the layer is named."""
    make(keras, keras.layers).save(tmp_path / "net.h5")
    with pytest.raises(OptsuiteError, match=said):
        _loaded(tmp_path / "net.h5")


@pytest.mark.parametrize("made", ["nothing", "keras 3", "no input"])
def test_what_is_no_model_of_keras_2(keras: Any, keras3: Any, made: str) -> None:
    """As the builder of somebody who imported the other Keras returns it."""
    models = {
        "nothing": None,
        "keras 3": keras3.Sequential([keras3.layers.Input((28, 28, 1)), keras3.layers.Flatten()]),
        "no input": keras.Sequential([keras.layers.Flatten()]),
    }
    with pytest.raises(OptsuiteError, match=r"expected a model of Keras 2, from `optsuite\.keras`, that"):
        check(models[made], _task())


def test_class_weights_of_labels_that_there_are(keras: Any) -> None:
    """A name, or a number too large, would weigh nothing."""
    model = _model(keras, keras.layers.Flatten(), keras.layers.Dense(10))
    mistaken: list[Any] = [{10: 2.0}, {"1": 2.0}]
    for weights in mistaken:
        data = replace(DATASETS["mnist"], class_weights=weights)
        with pytest.raises(OptsuiteError, match=r"expected class_weights for labels, 0 to 9, got '?1"):
            check(model, _task(dataset=data))


def test_an_own_layer_in_a_file_of_keras_3_is_named(keras3: Any, tmp_path: Path) -> None:
    """Keras itself says only that its class is not known."""

    class Own(keras3.layers.Layer):  # type: ignore[misc]
        pass

    layers = keras3.layers
    for odd in (Own(name="odd"), layers.Lambda(_own, name="odd")):
        model = keras3.Sequential([layers.Input((28, 28, 1)), odd, layers.Flatten(), layers.Dense(10)])
        for name in ("net.keras", "net.h5"):
            model.save(tmp_path / name)
            with pytest.raises(OptsuiteError, match=f"layer odd, {type(odd).__name__}, can't be translated"):
                _loaded(tmp_path / name)


def _touch(x: Any) -> Any:
    with open("written", "w"):
        return x


@pytest.mark.parametrize("name", ["net.keras", "net.h5"])
def test_a_lambda_layer_needs_trust(name: str, keras: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In a file of Keras 2, and in a model that a function builds, before it is trained."""
    monkeypatch.chdir(tmp_path)
    layers = keras.layers
    inputs = [layers.Input((28, 28, 1)), layers.Flatten(), layers.Lambda(_touch, name="own"), layers.Dense(10)]
    model = keras.Sequential(inputs)
    model.save(tmp_path / name)
    with pytest.raises(OptsuiteError, match="its configuration names Lambda"):
        check(model, _task())
    (tmp_path / "written").unlink()
    with pytest.raises(OptsuiteError, match=f"{name}: its configuration names Lambda of name own.*, which may run any"):
        _loaded(tmp_path / name)
    assert not (tmp_path / "written").exists()
    found, _ = _loaded(tmp_path / name, trust=True)
    assert found.layers[1].name == "own"


@pytest.mark.parametrize("name", ["net.h5", "net.hdf5", "net"])
def test_what_is_checked_is_what_is_loaded(
    name: str, keras: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An HDF5 file with a harmless .keras file after it is both, and Keras reads the first."""
    monkeypatch.chdir(tmp_path)
    layers = keras.layers
    inputs = [layers.Input((28, 28, 1)), layers.Flatten(), layers.Dense(10)]
    keras.Sequential(inputs).save(tmp_path / "harmless.keras")
    keras.Sequential([*inputs, layers.Lambda(_touch, name="own")]).save(tmp_path / "harmful.h5")
    (tmp_path / "written").unlink()
    both = [(tmp_path / one).read_bytes() for one in ("harmful.h5", "harmless.keras")]
    (tmp_path / name).write_bytes(b"".join(both))
    with pytest.raises(OptsuiteError, match="its configuration names Lambda of name own"):
        _loaded(tmp_path / name)
    assert not (tmp_path / "written").exists()


def test_a_compiled_model_loads(keras: Any, tmp_path: Path) -> None:
    """Keras does not look at the optimiser and the loss, which may be the user's own."""
    model = keras.Sequential([keras.layers.Input((28, 28, 1)), keras.layers.Flatten(), keras.layers.Dense(10)])
    model.compile(optimizer="adam", loss=lambda y, answers: answers)
    model.save(tmp_path / "net.keras")
    _loaded(tmp_path / "net.keras")


def test_a_layer_used_twice(keras: Any, tmp_path: Path) -> None:
    """Has one kernel for two places."""
    inputs = keras.Input((28, 28, 1))
    shared = keras.layers.Conv2D(1, 3, padding="same", name="shared")
    outputs = keras.layers.Dense(10)(keras.layers.Flatten()(shared(shared(inputs))))
    keras.Model(inputs, outputs).save(tmp_path / "net.h5")
    with pytest.raises(OptsuiteError, match="layer shared: expected to be used once, got 2 times"):
        _loaded(tmp_path / "net.h5")


def test_probabilities_are_known_from_logits(keras: Any, tmp_path: Path) -> None:
    """By the answers, so that nobody has to say; a later stage goes by those of its parent."""
    task = _task()
    for activation in ("softmax", "linear"):
        last = keras.layers.Dense(10, activation=activation)
        model = keras.Sequential([keras.layers.Input((28, 28, 1)), keras.layers.Flatten(), last])
        assert task.probabilities(model) == (activation == "softmax")
        answers = pack_arrays(validation=model.predict(task.splits["validation"].x[:9], verbose=0))
        later = replace(task, parent={OUTPUTS: answers})
        assert later.probabilities(None) == (activation == "softmax")


def test_class_weights_are_those_of_the_labels(keras: Any) -> None:
    """1 where nothing is said; no weights where none are given."""
    from optsuite.spec.model import Schedule
    from optsuite.stages.fit import _batches

    split = Split(x=np.arange(8, dtype=np.float32).reshape(8, 1), y=np.array([0, 1, 2, 0, 1, 2, 0, 1], np.int32))
    schedule = Schedule(epochs=1, peak_lr=1e-3, batch=8)
    (x, y, weights) = next(iter(_batches(split.x, split.y, schedule, 0, None, {1: 5.0, 2: 0.5})))
    assert [{0: 1.0, 1: 5.0, 2: 0.5}[label] for label in y.numpy().tolist()] == weights.numpy().tolist()
    assert [split.y[int(one)] for one in x.numpy()[:, 0]] == y.numpy().tolist()
    assert len(next(iter(_batches(split.x, split.y, schedule, 0, None, {})))) == 2


def test_images_alone_are_moved(keras: Any) -> None:
    """A schedule that moves what has no height and width is an error, not an augmentation of something else."""
    from optsuite.spec.model import Schedule
    from optsuite.stages.fit import fit

    split = Split(x=np.zeros((9, 4), np.float32), y=np.zeros(9, np.int32))
    data = replace(DATASETS["mnist"], input_shape=(4,), load=lambda name: split)
    schedule = Schedule(epochs=1, peak_lr=1e-3, shift_pixels=1)
    task = _task(dataset=data, schedule=schedule)
    with pytest.raises(OptsuiteError, match=r"shifts or turns images: expected inputs of .*, got \(4,\)"):
        fit(None, task)
