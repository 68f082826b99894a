"""Files of litert-quantizer, from a float32 file, without TensorFlow."""

from __future__ import annotations

import io
import json
import re
import subprocess
import sys
from functools import partial
from pathlib import Path

import flatbuffers
import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema
from runs import ROOT

from optsuite import tflite
from optsuite.build.examiner import Examiner
from optsuite.build.running import local_workers
from optsuite.catalog import user_file
from optsuite.catalog.examinations import RUNTIME
from optsuite.catalog.profiles import PROFILES
from optsuite.errors import OptsuiteError, UnavailableError
from optsuite.litert import LiteRTRunner
from optsuite.measure import rows
from optsuite.measure.rows import format_note
from optsuite.measure.standalone_files import stored
from optsuite.probe_models import matrix_product
from optsuite.results.examined import Contents
from optsuite.results.kernels import LayerWeights
from optsuite.spec.artifact import ABSENT, LAYERS, TFLITE, Artifact
from optsuite.spec.data import Dataset, Split
from optsuite.spec.stage import Conversion
from optsuite.spec.task import Task
from optsuite.stages.convert import Convert
from optsuite.stages.mixed import Mixed
from optsuite.stages.quantize import Quantize, QuantizerError, quantized

FLOATS = matrix_product(batch=1, inputs=63, outputs=5, dtype="float32")
INT4 = Quantize(recipe="dynamic_wi4_afp32")


def _no_data(*of: object) -> Split:
    raise AssertionError(of)


def _made(conversion: Conversion, content: bytes = FLOATS, splits: tuple[str, ...] = ("train",)) -> Artifact:
    rng = np.random.default_rng(0)
    split = Split(x=rng.random((20, 63), np.float32), y=rng.integers(0, 5, 20))
    dataset = Dataset(name="d", input_shape=(63,), fingerprint="", load=_no_data)
    return conversion.run(Task(dataset=dataset, splits=dict.fromkeys(splits, split), seed=0, parent={TFLITE: content}))


def test_weights_of_four_bits_are_read() -> None:
    """Two a byte, the last byte half full: each is within half a step of the float that it stands for."""
    content = quantized(FLOATS, INT4)
    (floats,), (kernel,) = tflite.kernels(FLOATS), tflite.kernels(content)
    assert (kernel.dtype, kernel.used_dtype, str(kernel.values.dtype)) == ("int4", "int4", "int8")
    assert kernel.values.size == 315
    assert np.abs(kernel.values).max() == 7
    scales = np.abs(floats.values).max(axis=1, keepdims=True) / 7
    assert (np.abs(kernel.values * scales - floats.values) <= scales / 2 + 1e-6).all()
    LiteRTRunner(content).invoke()


@pytest.mark.parametrize(
    ("conversion", "reason"),
    [
        (Quantize(recipe="dynamic_wi4b32_afp32"), "litert-quantizer can't quantise this file: "),
        (Quantize(recipe="static_wi8_ai8"), "expected a file with one signature for calibration, got 0"),
        (Quantize(recipe="dynamic_wi4_afp32", algorithm="NO_QUANTIZE"), "expected kernels of int4, litert-quantizer"),
        (INT4, "expected kernels of float32, got int4"),
        (Mixed(), "expected kernels of float32, got int4"),
    ],
)
def test_what_can_not_be_made_is_absent(conversion: Conversion, reason: str) -> None:
    """Blocks that don't divide the depth; a file whose kernels are quantised already. The reason is in the artifact."""
    artifact = _made(conversion, quantized(FLOATS, INT4) if "got int4" in reason else FLOATS)
    assert list(artifact) == [ABSENT]
    assert artifact[ABSENT].decode().startswith(reason)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (Quantize(recipe="dynamic_wi3"), "unknown recipe 'dynamic_wi3' of litert-quantizer; expected one of dynamic_"),
        (Quantize(recipe="gemma4_mixed48"), "unknown recipe 'gemma4_mixed48'"),
        (Quantize(recipe="dynamic_wi4_afp32", algorithm="BEST"), "unknown algorithm 'BEST'; expected one of NO_QUANT"),
    ],
)
def test_a_mistyped_name_is_an_error(settings: Quantize, message: str) -> None:
    """It is no property of the model."""
    with pytest.raises(OptsuiteError, match=re.escape(message)) as raised:
        _made(settings)
    assert not isinstance(raised.value, QuantizerError)


@pytest.mark.filterwarnings("ignore")  # litert-quantizer divides by the scale of a block of zeros
def test_what_litert_refuses_is_unavailable() -> None:
    """As a block of zeros, of which XNNPACK takes no scale. Of a conversion that has to run it is a failure."""
    floats = matrix_product(batch=1, inputs=64, outputs=5, dtype="float32")
    (kernel,) = tflite.kernels(floats)
    pruned = kernel.values.copy()
    pruned[0, :32] = 0
    blocks = Quantize(recipe="dynamic_wi4b32_afp32")
    content = quantized(floats.replace(kernel.values.tobytes(), pruned.tobytes()), blocks)
    with stored({"net": content}) as (store, files):
        examiner = Examiner([RUNTIME], PROFILES["full"], _no_data, store, print)
        examiner.examine(files.values(), partial(local_workers, 1), io.StringIO())
        for conversion, refused in ((blocks, True), (Convert(), False)):
            with pytest.raises(
                OptsuiteError, match="runtime: LiteRT can't run this model: unsupported scale"
            ) as raised:
                rows.findings(examiner, files["net"], conversion)
            assert isinstance(raised.value, UnavailableError) == refused


def test_weights_behind_the_model_are_read() -> None:
    """As in the mixed file of a network with 53 layers, of which 38 had no kernel for us."""
    model = schema.ModelT.InitFromPackedBuf(FLOATS, 0)
    place = model.subgraphs[0].operators[0].inputs[1]
    buffer = model.buffers[model.subgraphs[0].tensors[place].buffer]
    data, buffer.data, buffer.offset, buffer.size = bytes(buffer.data), None, 4_096, len(buffer.data)
    builder = flatbuffers.Builder()
    builder.Finish(model.Pack(builder), file_identifier=b"TFL3")
    packed = bytes(builder.Output())
    assert len(packed) < 4_096
    (before,), (after,) = tflite.kernels(FLOATS), tflite.kernels(packed.ljust(4_096, b"\0") + data)
    np.testing.assert_array_equal(after.values, before.values)


def test_layers_have_recipes_of_their_own() -> None:
    """By a regular expression for the name of the operator's output; the fallback is for what none can take."""
    (kernel,) = tflite.kernels(FLOATS)
    selective = Quantize(recipe="dynamic_wi8_afp32", layers={kernel.scope: "dynamic_wi4_afp32"})
    assert [one.dtype for one in tflite.kernels(quantized(FLOATS, selective))] == ["int4"]
    other = Quantize(recipe="dynamic_wi8_afp32", layers={"another": "dynamic_wi4_afp32"})
    assert [one.dtype for one in tflite.kernels(quantized(FLOATS, other))] == ["int8"]


def test_the_choice_of_bits_sees_the_validation_images_alone() -> None:
    """A task without the other splits is enough; what is lost and saved is in the artifact."""
    artifact = _made(Mixed(budget=1.0), splits=("validation",))
    (chosen,) = json.loads(artifact[LAYERS])
    assert (chosen["bits"], chosen["weights"], chosen["saved_bytes"]) == (4, 315, 157)
    assert artifact[TFLITE] == quantized(FLOATS, INT4)


def test_no_budget_no_loss() -> None:
    """Where 4 bits lose more than the budget, the layer keeps 8, and the file is that of 8 bits throughout."""
    scores = np.random.default_rng(1).random((20, 63), np.float32)
    eight = quantized(FLOATS, Quantize(recipe="dynamic_wi8_afp32"))
    runner = LiteRTRunner(eight)
    answers = []
    for one in scores:
        runner.set(one[np.newaxis])
        runner.invoke()
        answers.append(int(runner.get().argmax()))
    dataset = Dataset(name="d", input_shape=(63,), fingerprint="", load=_no_data)
    split = Split(x=scores, y=np.array(answers))
    task = Task(dataset=dataset, splits={"validation": split}, seed=0, parent={TFLITE: FLOATS})
    artifact = Mixed(budget=0.0).run(task)
    (chosen,) = json.loads(artifact[LAYERS])
    lost = chosen["lost"]
    assert chosen["bits"] == (8 if lost > 0 else 4)
    assert (artifact[TFLITE] == eight) == (lost > 0)


def test_it_needs_no_tensorflow() -> None:
    """Nor anything else that takes seconds to import."""
    code = (
        "import sys; from optsuite.probe_models import matrix_product; from optsuite.stages.quantize import *;"
        "content = matrix_product(batch=1, inputs=64, outputs=4, dtype='float32');"
        "quantized(content, Quantize(recipe='dynamic_wi4_afp32'));"
        "assert not {'tensorflow', 'tf_keras'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=ROOT)


def test_shares_of_types_are_noted() -> None:
    """Where a file has several; by the number of weights."""

    def layer(size: int) -> LayerWeights:
        counts = {"zeros": 0, "unique": 1, "channel_unique": 1}
        return LayerWeights(name="a", size=size, **counts, entropy_bits=0.0, low=0.0, high=1.0, histogram=(size,))

    contents = Contents(
        weights=(layer(10), layer(70), layer(20)),
        dtypes=("int8", "int4", "int8"),
        used_dtypes=("int8", "int4", "int8"),
        activations=("float32",),
        macs=0,
        biases=0,
    )
    assert format_note(INT4, contents) == "weights: 70.0 % int4, 30.0 % int8"
    assert contents.precision == "int8"


def test_the_examples_of_the_page_are_entries(tmp_path: Path) -> None:
    """docs/how-to/int4.md: each block is a catalogue file."""
    blocks = re.findall(r"^```python\n(.*?)^```$", (ROOT / "docs/how-to/int4.md").read_text(), re.MULTILINE | re.DOTALL)
    assert len(blocks) == 2
    for number, block in enumerate(blocks):
        (tmp_path / f"block_{number}.py").write_text(block)
        catalog = user_file.read(tmp_path / f"block_{number}.py")
        assert len(catalog.recipes) + len(catalog.variants) == 2
