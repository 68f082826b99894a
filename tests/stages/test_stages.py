"""Building, in this process, with the real TensorFlow: what a unit test can see of a model."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from catalogs import BUILTIN

from optsuite import tflite
from optsuite.build.graph import step_of
from optsuite.build.model_step import ModelStep
from optsuite.catalog.models import build_conv, build_dscnn, build_tutorial
from optsuite.catalog.selection import select
from optsuite.catalog.variants import VARIANTS
from optsuite.errors import OptsuiteError
from optsuite.litert import LiteRTRunner
from optsuite.spec.artifact import IMPORTED, MODEL
from optsuite.spec.data import Dataset, Split
from optsuite.spec.experiment import Profile
from optsuite.spec.model import Schedule
from optsuite.spec.task import Task
from optsuite.stages.cluster import Cluster
from optsuite.stages.convert import Convert, to_tflite
from optsuite.stages.distill import TeacherLogits
from optsuite.stages.finish import layer_weights, model_info
from optsuite.stages.prune import Prune
from optsuite.stages.qat import QAT
from optsuite.stages.train import Train

TINY = Profile(name="tiny", train_images=15_000, eval_images=100, max_epochs=1)

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]  # TensorFlow's and Keras's own


@pytest.fixture(scope="module")
def keras() -> Any:
    from optsuite import keras

    return keras


@pytest.mark.parametrize(
    ("builder", "parameters", "macs"),
    [(build_conv, 34_826, 2_440_960), (build_dscnn, 1_506, 60_096), (build_tutorial, 20_410, 93_288)],
)
def test_sizes_are_fixed(keras: Any, builder: Callable[[], Any], parameters: int, macs: int) -> None:
    """The parameters that were published; the MACs were worked out by hand.

    conv: 26*26*288 + 11*11*18432 + 16000. tutorial: 26*26*108 + 20280. dscnn: 14*14*72 + 7*7*(72 + 128 + 144 + 256
    + 144 + 192) + 120.
    """
    built = builder()
    assert built.count_params() == parameters
    assert keras.macs(built) == macs


def test_a_model_survives_its_file(keras: Any) -> None:
    """Saved without optimiser state and loaded, it answers to the bit as before, fake-quantised ones included."""
    keras.reset(0)
    model = build_tutorial()
    x = np.random.default_rng(0).random((3, 28, 28, 1), np.float32)
    for one in (model, keras.tfmot.quantization.keras.quantize_model(model)):
        content = keras.dump(one)
        np.testing.assert_array_equal(keras.outputs(keras.load(content), x), keras.outputs(one, x))


def test_layers_keep_their_names_under_fake_quantisation(keras: Any) -> None:
    """An invariant is about a layer, which has to be found again after each stage, with the same weights."""
    model = build_dscnn()
    before = {layer.name: layer.size for layer in layer_weights(model)}
    quantized = keras.tfmot.quantization.keras.quantize_model(model)
    assert {layer.name: layer.size for layer in layer_weights(quantized)} == before
    assert sum(before.values()) == 1_128


def test_layer_weights_count(keras: Any) -> None:
    """Zeros and distinct values of kernels; biases are not among them."""
    model = build_tutorial()
    dense = model.layers[-1]
    kernel = np.zeros(dense.kernel.shape, np.float32)
    kernel[0, :3] = [1.0, 2.0, 2.0]
    dense.set_weights([kernel, np.ones(10, np.float32)])
    found = layer_weights(model)[-1]
    assert (found.size, found.zeros, found.unique, found.channel_unique) == (20_280, 20_277, 3, 2)


def test_images_move(keras: Any) -> None:
    """Each by its own whole pixels, to the bit, and by its own angle; black moves in."""
    from optsuite.stages.images import moved

    x = np.arange(1, 28, dtype=np.float32).reshape(3, 3, 3, 1)
    done = moved(x, keras.tf.constant([[0, 0], [1, -1], [0, 0]]), keras.tf.constant([0.0, 0.0, 90.0])).numpy()[..., 0]
    np.testing.assert_array_equal(done[0], x[0, ..., 0])
    np.testing.assert_array_equal(done[1], [[0, 13, 14], [0, 16, 17], [0, 0, 0]])
    np.testing.assert_allclose(done[2], np.rot90(x[2, ..., 0]), atol=1e-4)


def test_whole_shifts_are_the_same_by_the_shorter_way(keras: Any) -> None:
    """Each image of a batch as `moved` has it, to the bit, for every shift and with colours."""
    from optsuite.stages.images import moved, shifter

    x = np.random.default_rng(0).random((30, 6, 4, 3), np.float32)
    rows = np.random.default_rng(1).permutation(30)[:25]
    shifts = np.array([[down, right] for down in range(-2, 3) for right in range(-2, 3)])
    done = shifter(x, pixels=2)(keras.tf.constant(rows), keras.tf.constant(shifts))
    np.testing.assert_array_equal(done, moved(x[rows], keras.tf.constant(shifts)))


def test_a_conversion_does_not_need_the_keras_model(keras: Any) -> None:
    """The converter is given the variables alone, and makes the same file as of all of it."""
    model = keras.tfmot.quantization.keras.quantize_model(build_tutorial())
    signature = keras.tf.TensorSpec((1, 28, 28, 1), keras.tf.float32)
    function = keras.tf.function(lambda x: model(x, training=False)).get_concrete_function(signature)
    whole = keras.tf.lite.TFLiteConverter.from_concrete_functions([function], model).convert()
    assert to_tflite(model, Convert(), np.zeros((1, 28, 28, 1), np.float32)) == whole


@pytest.mark.parametrize("ramp", [0.0, 0.3, 1.0])
def test_pruning_reaches_its_sparsity(keras: Any, ramp: float) -> None:
    """Wherever the ramp ends: TFMOT prunes every so many steps, and an end between two of them would be missed."""
    parent = step_of(select(BUILTIN, models=["tutorial"]).experiments[0], VARIANTS["keras"], TINY, BUILTIN)
    step = replace(parent, action=Prune(sparsity=0.8, ramp=ramp), inputs=(parent,))
    info = model_info(step.run([parent.run([], {})], {}))
    for layer in info.layers:
        assert layer.zeros >= int(0.8 * layer.size)


@pytest.mark.parametrize(
    ("clusters", "positive", "negative", "sparse", "enough"),
    [
        (8, 20, 4, False, True),
        (24, 20, 4, False, True),
        (25, 20, 4, False, False),
        (8, 6, 2, True, True),  # 5 and 2, with zero 8
        (8, 4, 2, True, False),  # 5 and 2
        (8, 0, 7, True, True),
        (8, 0, 6, True, False),
        (8, 0, 0, True, True),
    ],
)
def test_whether_there_are_weights_for_all_clusters(
    keras: Any, clusters: int, positive: int, negative: int, sparse: bool, enough: bool
) -> None:
    """As TFMOT itself finds."""
    weights = np.zeros(24, np.float32)
    weights[: positive + negative] = np.arange(positive + negative) - negative + 0.5
    layers = keras.keras.layers
    keras.reset(0)
    model = keras.keras.Sequential([layers.Input((8,)), layers.Dense(3, use_bias=False)])
    model.set_weights([weights.reshape(8, 3)])
    settings = {"number_of_clusters": clusters, "preserve_sparsity": sparse}
    start = keras.tfmot.clustering.keras.CentroidInitialization.KMEANS_PLUS_PLUS
    with nullcontext() if enough else pytest.raises(keras.tf.errors.InvalidArgumentError):
        keras.cluster_weights(model, cluster_centroids_init=start, **settings)
    stage = Cluster(clusters=clusters, preserve=("sparsity",) if sparse else ())
    assert stage._too_few(weights, clusters) != enough


def _without_training(monkeypatch: pytest.MonkeyPatch, *modules: str) -> None:
    for module in modules:
        monkeypatch.setattr(f"optsuite.stages.{module}.fit", lambda *_, **__: None)


def _task() -> Task:
    dataset = BUILTIN.datasets["mnist"]
    split = dataset.load("validation").first(100)
    splits = dict.fromkeys(("train", "validation", "test"), split)
    return Task(dataset=dataset, splits=splits, seed=0, schedule=Schedule(epochs=1, peak_lr=1e-3))


@pytest.mark.parametrize(
    ("settings", "expected", "float_kernels"),
    [
        ({"bits": 8}, ["int8"] * 8, 0),
        ({"bits": 4}, ["int4"] * 8, 0),
        ({"bits": {"dense": 4}}, ["int8"] * 7 + ["int4"], 0),
        ({"bits": {"depthwise*": 4, "dense": 8}}, ["int8", "int4"] * 3 + ["int8"] * 2, 0),
        ({"skip": ("conv2d",)}, ["int8"] * 8, 1),
        ({"bits": 4, "skip": ("conv2d", "dense")}, ["int8", *["int4"] * 6, "int8"], 2),
    ],
)
def test_fake_quantisation_by_layer(
    keras: Any, settings: Any, expected: list[str], float_kernels: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The bits are those of the kernels. What was skipped is quantised by calibration alone, or left in float."""
    _without_training(monkeypatch, "qat")
    keras.reset(0)
    model = keras.load(keras.dump(QAT(**settings).apply(build_dscnn(), _task())))
    images = _task().splits["train"].x[:20]
    int8 = Convert(weights="int8", activations="int8", io="int8")
    assert [kernel.dtype for kernel in tflite.kernels(to_tflite(model, int8, images))] == expected
    dynamic = tflite.kernels(to_tflite(model, Convert(weights="int8"), images))
    assert sum(kernel.dtype == "float32" for kernel in dynamic) == float_kernels


def test_litert_can_not_run_the_floats_of_four_bits(keras: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Why the variant fp32 is absent for `QAT(bits=4)`: where this fails, it need not be any more."""
    _without_training(monkeypatch, "qat")
    keras.reset(0)
    content = to_tflite(QAT(bits=4).apply(build_tutorial(), _task()), Convert(), _task().splits["train"].x[:1])
    with pytest.raises((RuntimeError, OptsuiteError), match="UINT4"):
        LiteRTRunner(content).invoke()


@pytest.mark.parametrize(
    ("settings", "message"),
    [({"bits": 5}, "expected bits to be 4 or 8, got 5"), ({"bits": 4, "preserve": ("sparsity",)}, "bits to be 8 with")],
)
def test_bits_without_a_scheme_are_refused(settings: Any, message: str) -> None:
    """Where they are written, not after the training."""
    with pytest.raises(OptsuiteError, match=message):
        QAT(**settings)


def test_pruning_and_clustering_by_layer(keras: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each layer has its own invariant; skipped layers, and depthwise ones, have none and stay as they were."""
    _without_training(monkeypatch, "prune", "cluster")
    keras.reset(0)
    task = _task()
    Prune(sparsity={"conv2d_1": 0.5, "conv2d*": 0.8}, skip=("conv2d_3",)).apply(build_dscnn(), task)
    assert {name: invariant.sparsity for name, invariant in task.invariants.items()} == {
        "conv2d": 0.8,
        "conv2d_1": 0.5,
        "conv2d_2": 0.8,
    }
    keras.reset(0)
    task = _task()
    clustered = Cluster(clusters={"dense": 4, "conv2d_2": 16}).apply(build_dscnn(), task)
    assert {name: invariant.clusters for name, invariant in task.invariants.items()} == {"conv2d_2": 16, "dense": 4}
    unique = {layer.name: layer.unique for layer in layer_weights(clustered)}
    assert (unique["conv2d_2"], unique["dense"]) == (16, 4)
    assert unique["conv2d_1"] == 128
    keras.reset(0)
    with pytest.raises(OptsuiteError, match="pattern 'depthwise' matches no layer; expected one of conv2d, conv2d_1,"):
        Prune(sparsity=0.5, skip=("depthwise",)).apply(build_dscnn(), _task())


def test_a_layer_too_small_to_be_clustered_is_named(keras: Any) -> None:
    """TFMOT leaves out a Conv2D layer of fewer weights than clusters; on a Dense layer it fails without a name."""
    layers = keras.keras.layers
    model = keras.keras.Sequential(
        [layers.Input((2, 2, 1)), layers.Conv2D(3, 1), layers.Flatten(), layers.Dense(2, name="head")]
    )
    with pytest.raises(OptsuiteError, match="layer head has 24 weights that are not zero, too few for 32 clusters"):
        Cluster(clusters=32).apply(model, None)  # type: ignore[arg-type]


def test_l1_gathers_a_kernel_in_few_weights(keras: Any) -> None:
    """The smallest 80 % of the weights, which pruning would take, hold less of a kernel than without."""
    plain = step_of(select(BUILTIN, models=["tutorial"]).experiments[0], VARIANTS["keras"], TINY, BUILTIN)
    shares = []
    for l1 in (0.0, 0.15):
        step = replace(plain, schedule=Schedule(epochs=1, peak_lr=1e-2, l1=l1))
        magnitudes = [np.sort(abs(kernel.numpy()), axis=None) for _, kernel in keras.kernels(_trained(keras, step))]
        shares.append([one[: int(0.8 * len(one))].sum() / one.sum() for one in magnitudes])
    without, with_l1 = shares
    assert all(small < large for small, large in zip(with_l1, without, strict=True))


def _trained(keras: Any, step: ModelStep) -> Any:
    return keras.load(step.run([], {})[MODEL])


@pytest.mark.parametrize("builder", [build_conv, build_dscnn, build_tutorial])
def test_models_answer_with_logits(keras: Any, builder: Callable[[], Any]) -> None:
    """Ten numbers that are no probabilities."""
    answer = keras.outputs(builder(), np.ones((2, 28, 28, 1), np.float32))
    assert answer.shape == (2, 10)
    assert not np.allclose(answer.sum(axis=1), 1)


def test_batches_of_large_inputs_are_bounded(keras: Any) -> None:
    """A fifth of 50,000 images of 96 x 96 x 3 would be one batch of a gigabyte."""
    from optsuite.keras import batch_size

    assert batch_size(np.empty((50_000, 96, 96, 3), np.float32), 10_000) == 578
    assert batch_size(np.empty((5_000, 28, 28, 1), np.float32), 1_000) == 1_000
    assert batch_size(np.empty((3, 1), np.float32), 0) == 1


@pytest.mark.parametrize("stage", [None, TeacherLogits(copies=2, pixels=1)])
def test_what_are_no_images_is_not_shifted(stage: Any, keras: Any) -> None:
    """One line, before anything is trained."""
    rows = Split(x=np.zeros((64, 4), np.float32), y=np.zeros(64, np.int32))
    data = Dataset(name="rows", input_shape=(4,), fingerprint="", load=_not_loaded)
    schedule = Schedule(epochs=1, peak_lr=1e-3, batch=32, shift_pixels=1)
    plain = step_of(select(BUILTIN, models=["tutorial"]).experiments[0], VARIANTS["keras"], TINY, BUILTIN)
    step = replace(plain, action=stage or Train(build=_dense), dataset=data, schedule=schedule)
    with pytest.raises(OptsuiteError, match=r"shifts or turns images: expected inputs of .*, got \(4,\)"):
        step.run([] if stage is None else [{MODEL: keras.dump(_dense())}], dict.fromkeys(step.needs, rows))


def _not_loaded(split: str) -> Split:
    raise AssertionError(split)


def _dense() -> Any:
    from optsuite.keras import keras

    return keras.Sequential([keras.layers.Input((4,)), keras.layers.Dense(2)])


def _with_lambda() -> Any:
    from optsuite.keras import keras

    layers = keras.layers
    stack = [layers.Input((28, 28, 1)), layers.Lambda(_double, name="own"), layers.Flatten(), layers.Dense(10)]
    return keras.Sequential(stack)


def _double(x: Any) -> Any:
    return 2 * x


def test_what_was_built_of_a_trusted_model_is_trusted(keras: Any) -> None:
    """Its stages go on from it, unless it was imported."""
    (experiment,) = select(BUILTIN, models=["tutorial"], recipes=["prune-0.8"]).experiments
    own = replace(experiment, model=replace(experiment.model, build=_with_lambda, trust=True))
    profile = replace(TINY, train_images=500, max_steps=2)
    pruned = step_of(own, VARIANTS["keras"], profile, BUILTIN)
    (trained,) = pruned.inputs
    assert isinstance(trained, ModelStep)
    parent = trained.run([], {})
    pruned.run([parent], {})
    for step, inputs in (
        (pruned, [{**parent, IMPORTED: b""}]),
        (replace(pruned, trust=False), [parent]),
        (replace(trained, trust=False), []),
    ):
        with pytest.raises(OptsuiteError, match="its configuration names Lambda of name own"):
            step.run(inputs, {})
