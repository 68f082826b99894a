"""Promises: what recipes may say, what is owed, what is broken, and how a file's kernels are found again."""

from __future__ import annotations

import math
from pathlib import PurePath

import numpy as np
import pytest
from runs import Smoke

from optsuite import tflite
from optsuite.catalog.examinations import KERNELS
from optsuite.catalog.variants import VARIANTS
from optsuite.errors import OptsuiteError
from optsuite.examine.examination import ExaminationTask
from optsuite.judge.invariants import in_force, violations
from optsuite.measure.rows import format_note
from optsuite.report.pipelines import label
from optsuite.results.examined import Contents
from optsuite.results.kernels import LayerWeights, describe, named_after
from optsuite.results.model import StageRecord
from optsuite.results.reader import read
from optsuite.spec.invariant import Invariant
from optsuite.spec.metric import ACCURACY
from optsuite.spec.recipe import Recipe
from optsuite.spec.stage import Stage
from optsuite.stages.cluster import Cluster
from optsuite.stages.convert import Convert
from optsuite.stages.prune import Prune
from optsuite.stages.qat import QAT
from optsuite.store.store import Store

PRUNE, CLUSTER = Prune(sparsity=0.8), Cluster(clusters=8)
SPARSE = Cluster(clusters=8, preserve=("sparsity",))


@pytest.mark.parametrize(
    ("stages", "message"),
    [
        ((QAT(preserve=("sparsity",)),), "stage 1, qat, preserves sparsity, but no stage before it leaves any"),
        ((SPARSE,), "stage 1, cluster, preserves sparsity"),
        ((PRUNE, QAT(preserve=("clusters",))), "stage 2, qat, preserves clusters"),
        ((PRUNE, CLUSTER, QAT(preserve=("sparsity", "clusters"))), "stage 3, qat, preserves sparsity"),
        ((QAT(), PRUNE), "nothing can follow stage 1, qat"),
    ],
)
def test_recipes_that_make_no_sense_are_refused(stages: tuple[Stage, ...], message: str) -> None:
    """When the catalogue is built, with the stage and the reason."""
    with pytest.raises(OptsuiteError, match=f"recipe x: {message}"):
        Recipe(name="x", stages=stages, budget=0.0)


@pytest.mark.parametrize(
    "stages",
    [(), (PRUNE, QAT()), (PRUNE, SPARSE, QAT(preserve=("sparsity", "clusters"))), (PRUNE, CLUSTER, PRUNE)],
)
def test_recipes_that_make_sense_are_not(stages: tuple[Stage, ...]) -> None:
    """Stages compose freely."""
    Recipe(name="x", stages=stages, budget=0.0)


def _record(stage: Stage, **invariants: Invariant) -> StageRecord:
    return StageRecord(
        stage=stage.name,
        epochs=1,
        batch=1,
        loss=(),
        accuracy=(),
        val_accuracy=(),
        invariants=invariants,
        preserve=stage.preserve,
        weights=(),
    )


MORE = Invariant(sparsity=0.9)
ZEROS, VALUES, BOTH = Invariant(sparsity=0.8), Invariant(clusters=8), Invariant(sparsity=0.8, clusters=8)


@pytest.mark.parametrize(
    ("records", "expected"),
    [
        ([], {}),
        ([_record(PRUNE, a=ZEROS, b=MORE)], {"a": ZEROS, "b": MORE}),
        ([_record(PRUNE, a=ZEROS), _record(SPARSE, a=VALUES, b=VALUES)], {"a": BOTH, "b": VALUES}),
        ([_record(PRUNE, a=ZEROS), _record(CLUSTER, a=VALUES)], {"a": VALUES}),
        ([_record(PRUNE, a=ZEROS), _record(QAT())], {"a": Invariant()}),
        ([_record(PRUNE, a=ZEROS), _record(QAT(preserve=("sparsity",)))], {"a": ZEROS}),
        ([_record(PRUNE, a=ZEROS), _record(SPARSE, a=VALUES), _record(QAT(preserve=("clusters",)))], {"a": VALUES}),
        ([_record(PRUNE, a=ZEROS), _record(PRUNE, a=MORE)], {"a": MORE}),
    ],
)
def test_owed(records: list[StageRecord], expected: dict[str, Invariant]) -> None:
    """A stage keeps what it preserves and adds its own; plain QAT keeps nothing."""
    assert in_force(records) == expected


def _layer(name: str = "a", size: int = 128, zeros: int = 0, unique: int = 9, channel: int = 8) -> LayerWeights:
    counts = {"size": size, "zeros": zeros, "unique": unique, "channel_unique": channel}
    return LayerWeights(name=name, **counts, entropy_bits=0.0, low=0.0, high=1.0, histogram=(size,))


@pytest.mark.parametrize(
    ("invariant", "layer", "per_channel", "faults"),
    [
        (ZEROS, _layer(zeros=102), True, []),  # floor(0.8 * 128)
        (ZEROS, _layer(zeros=101), True, ["a: expected at least 102 zeros of 128, found 101"]),
        (VALUES, _layer(), True, []),
        (VALUES, _layer(channel=9), True, ["a: expected at most 8 distinct values per output channel, found 9"]),
        (VALUES, _layer(), False, ["a: expected at most 8 distinct values, found 9"]),
        (VALUES, _layer(unique=8), False, []),
        (Invariant(), _layer(zeros=128), False, ["a: expected weights that are not zero, found 128 zeros"]),
        (ZEROS, _layer(zeros=128), False, ["a: expected weights that are not zero, found 128 zeros"]),
        (ZEROS, _layer(name="b", zeros=102), False, ["a: expected a kernel, found none"]),
        (Invariant(), _layer(), False, []),
    ],
)
def test_violations(invariant: Invariant, layer: LayerWeights, per_channel: bool, faults: list[str]) -> None:
    """The layer, what was expected and what was found."""
    assert [str(one) for one in violations({"a": invariant}, [layer], per_channel=per_channel)] == faults


def test_describe() -> None:
    """Counts, also by output channel; the entropy of two equally frequent values is a bit each."""
    values = np.array([[0, 1, 0, 1], [0, 0, 1, 1]], np.int8)
    found = describe("a", values, channel_axis=0)
    assert (found.name, found.size, found.zeros, found.unique, found.channel_unique) == ("a", 8, 4, 2, 2)
    assert (found.entropy_bits, found.low, found.high) == (8.0, 0.0, 1.0)
    assert (found.histogram[0], found.histogram[-1], sum(found.histogram)) == (4, 4, 8)
    by_column = describe("a", np.array([[1, 2], [1, 3], [1, 4], [1, 5]]), channel_axis=1, zero=1)
    assert (by_column.zeros, by_column.unique, by_column.channel_unique) == (4, 5, 4)
    assert by_column.entropy_bits == pytest.approx(8 * (0.5 * 1 + 4 * 0.125 * 3))
    assert math.copysign(1, describe("a", np.ones((1, 4)), channel_axis=0).entropy_bits) == 1.0


def test_a_histogram_of_what_is_finite() -> None:
    """A trained model may hold anything."""
    values = np.array([[np.nan, np.inf, 0.0, 2.0]])
    assert describe("a", values, channel_axis=0).histogram[-1] == 1
    assert sum(describe("a", values[:, :2], channel_axis=0).histogram) == 0
    near = np.array([[0.1, np.nextafter(np.float32(0.1), np.float32(1))]], np.float32)
    assert sum(describe("a", near, channel_axis=0).histogram) == 2


def test_float16_is_counted_right() -> None:
    """Numpy 2.4 sorts it wrongly where the processor has AVX-512: these 8 values came out as 12."""
    values = np.array([-0.8745, -0.56, -0.361, -0.2233, -0.08514, 0.05984, 0.1954, 0.408], np.float16)
    for seed in range(20):
        kernel = np.random.default_rng(seed).choice(values, (8, 2_000))
        found = describe("a", kernel, channel_axis=0)
        assert (found.unique, found.channel_unique) == (8, 8)


@pytest.mark.parametrize(
    ("kernel", "name"),
    [
        (_layer("sequential/conv2d/Conv2D;", 10), "conv2d"),
        (_layer("sequential/quant_conv2d_1/LastValueQuant/FakeQuant;sequential/b/BiasAdd", 20), "conv2d_1"),
        (_layer("x/MatMul;model/dense/LastValueQuant", 30), "dense"),
    ],
)
def test_kernels_are_named_after_their_layers(kernel: LayerWeights, name: str) -> None:
    """By a whole part of the converter's joined names: conv2d is not conv2d_1."""
    others = {"conv2d": 10, "conv2d_1": 20, "dense": 30}
    layers = [_layer(one, size) for one, size in others.items()]
    rest = [_layer(f"/{one}/", size) for one, size in others.items() if one != name]
    assert [one.name for one in named_after(layers, [kernel, *rest])] == [
        name,
        *(o for o in others if o != name),
    ]


@pytest.mark.parametrize(
    ("found", "message"),
    [
        ([_layer("/other/", 10)], "layers that fit"),
        ([_layer("/a/", 11)], "layers that fit"),
        ([], "no kernel in the file for a"),
    ],
)
def test_a_kernel_without_a_layer_is_an_error(found: list[LayerWeights], message: str) -> None:
    """A promise must not be checked against another layer, nor against none."""
    with pytest.raises(OptsuiteError, match=message):
        named_after([_layer("a", 10)], found)


@pytest.mark.parametrize(
    ("formats", "stored", "activations", "note"),
    [
        (Convert(), "float32", "float32", ""),
        (Convert(weights="float16"), "float16", "float32", ""),
        (Convert(weights="float16"), "int8", "int8", "integer graph, float I/O"),
        (Convert(weights="int8"), "int8", "int8", "integer graph, float I/O"),
        (Convert(weights="int8"), "float32", "float32", "nothing quantised"),
        (Convert(weights="int8", activations="int8", io="int8"), "int8", "int8", ""),
    ],
)
def test_notes(formats: Convert, stored: str, activations: str, note: str) -> None:
    """Where a file is not what its variant's name makes expect."""
    contents = Contents(
        weights=(_layer(),), dtypes=(stored,), used_dtypes=(stored,), activations=(activations,), macs=0, biases=0
    )
    assert format_note(formats, contents) == note


@pytest.mark.parametrize(
    ("recipe", "published"),
    [
        ("baseline", "none"),
        ("qat", "quant"),
        ("prune-0.8", "prune"),
        ("cluster-8_qat", "cluster_qat"),
        ("prune-0.8_cluster-8_pcqat", "prune_cluster_pcqat"),
    ],
)
def test_published_labels(recipe: str, published: str) -> None:
    """The numbers go, the stages stay."""
    assert label(recipe) == published


def test_what_is_no_model_is_an_error() -> None:
    """Before any of it is read."""
    with pytest.raises(OptsuiteError, match="TFL3"):
        tflite.kernels(b"\0" * 100)


def test_real_files_hold_what_was_promised(smoke: Smoke) -> None:
    """Read from the flatbuffer: zeros and values of each format; float kernels are those of Keras, to the count."""
    run = read(smoke.json)
    store = Store(smoke.cache, pytest.fail)
    built = {one.recipe: one for one in run.header.built}
    for name in ("fp32", "fp16", "dynamic", "int8", "uint8", "int16x8"):
        key = store.newest(_index("prune-0.8", name))
        assert key is not None
        content = (store.get(key) or {})["model.tflite"]
        contents = KERNELS.run(ExaminationTask(content=content, metric=ACCURACY, splits={}))
        convert = VARIANTS[name].convert
        assert isinstance(convert, Convert)
        assert set(contents.dtypes) == {convert.weights} or name == "dynamic"
        named = named_after(built["prune-0.8"].info.layers, contents.weights)
        for kernel, layer in zip(named, built["prune-0.8"].info.layers, strict=True):
            assert kernel.zeros >= layer.zeros
            assert name != "fp32" or (kernel.zeros, kernel.unique) == (layer.zeros, layer.unique)


def _index(kind: str, variant: str) -> PurePath:
    return PurePath("smoke", "mnist", f"tutorial_{kind}_s0", variant)
