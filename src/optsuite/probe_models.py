"""Models of one matrix product, made without TensorFlow, whose work is known in advance."""

from __future__ import annotations

import flatbuffers
import numpy as np
from ai_edge_litert import schema_py_generated as schema

_TYPES = {"float32": schema.TensorType.FLOAT32, "int8": schema.TensorType.INT8}
# The operator's first version that takes these tensors.
_VERSIONS = {"float32": 1, "int8": 4}


def matrix_product(*, batch: int, inputs: int, outputs: int, dtype: str) -> bytes:
    """A .tflite file of one FULLY_CONNECTED: dtype ("float32" or "int8") (batch, inputs) -> (batch, outputs).

    It has batch x inputs x outputs MACs, and random weights that are always the same.
    """
    weights = np.random.default_rng(0).integers(-127, 128, (outputs, inputs)).astype(dtype)
    graph = schema.SubGraphT(
        tensors=[
            _tensor("x", (batch, inputs), dtype),
            _tensor("kernel", weights.shape, dtype, buffer=1),
            _tensor("y", (batch, outputs), dtype),
        ],
        inputs=[0],
        outputs=[2],
        operators=[
            schema.OperatorT(
                inputs=[0, 1, -1],  # no bias
                outputs=[2],
                builtinOptionsType=schema.BuiltinOptions.FullyConnectedOptions,
                builtinOptions=schema.FullyConnectedOptionsT(),
            )
        ],
    )
    code = schema.BuiltinOperator.FULLY_CONNECTED
    model = schema.ModelT(
        version=3,
        operatorCodes=[schema.OperatorCodeT(builtinCode=code, deprecatedBuiltinCode=code, version=_VERSIONS[dtype])],
        subgraphs=[graph],
        buffers=[schema.BufferT(), schema.BufferT(data=np.frombuffer(weights.tobytes(), np.uint8))],
    )
    builder = flatbuffers.Builder()
    builder.Finish(model.Pack(builder), b"TFL3")
    return bytes(builder.Output())


def one_element() -> bytes:
    """The smallest model: one weight. A call of it costs what any call costs."""
    return matrix_product(batch=1, inputs=1, outputs=1, dtype="float32")


def _tensor(name: str, shape: tuple[int, ...], dtype: str, buffer: int = 0) -> schema.TensorT:
    quantization = None
    if dtype == "int8":
        quantization = schema.QuantizationParametersT(scale=[1 / 128], zeroPoint=[0])
    return schema.TensorT(name=name, shape=list(shape), type=_TYPES[dtype], buffer=buffer, quantization=quantization)
