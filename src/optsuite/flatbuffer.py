"""What is in a .tflite file: its weights as they ship, and the number formats that it computes in."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from ai_edge_litert import schema_py_generated as schema

from optsuite.records import LayerWeights, Precision
from optsuite.spec import OptsuiteError
from optsuite.weights import describe

# Operators with a kernel, and the axis of its output channels.
_KERNELS = {
    schema.BuiltinOperator.CONV_2D: 0,
    schema.BuiltinOperator.DEPTHWISE_CONV_2D: 3,
    schema.BuiltinOperator.FULLY_CONNECTED: 0,
}
# A kernel may be stored in one format and computed with in another.
_CASTS = (schema.BuiltinOperator.QUANTIZE, schema.BuiltinOperator.DEQUANTIZE)
_DTYPES = {
    schema.TensorType.FLOAT32: "float32",
    schema.TensorType.FLOAT16: "float16",
    schema.TensorType.INT8: "int8",
    schema.TensorType.UINT8: "uint8",
    schema.TensorType.INT16: "int16",
}


@dataclass(frozen=True, kw_only=True)
class Contents:
    """The kernels of a file in the order of its operators, and the dtypes of kernels and of what they multiply."""

    weights: tuple[LayerWeights, ...]
    stored: frozenset[str]
    activations: frozenset[str]
    macs: int
    """Multiply-accumulates of the kernels for one input: size x output positions."""
    biases: int
    """How many values their biases have."""

    @property
    def precision(self) -> Precision:
        """What the kernels compute in, the fastest of it where there are several; weights of 16 bits are unpacked."""
        if "int16" in self.activations:
            return "int16x8"
        return "int8" if {"int8", "uint8"} & self.stored else "float32"


def read(content: bytes) -> Contents:
    """Read the main graph; a kernel is named by the names of its tensor and of its operator's output.

    OptsuiteError for a file that is no model, is damaged, or has a kernel in a format that is not known here.
    """
    if content[4:8] != b"TFL3":
        raise OptsuiteError("not a .tflite file: the identifier TFL3 is missing")
    try:
        return _read(content)
    except OptsuiteError:
        raise
    except Exception as error:  # what flatbuffers generates checks nothing: any of Python's errors may come of it
        raise OptsuiteError(f"not a .tflite file, or a damaged one: {type(error).__name__}: {error}") from error


def _read(content: bytes) -> Contents:
    model = schema.ModelT.InitFromPackedBuf(content, 0)
    graph = model.subgraphs[0]
    producers = {output: operator for operator in graph.operators for output in operator.outputs}

    def code(operator: Any) -> int:
        entry = model.operatorCodes[operator.opcodeIndex]
        return int(max(entry.builtinCode, entry.deprecatedBuiltinCode))

    def constant(index: int) -> Any:
        """The tensor that `index` was cast from, or None where it is computed."""
        while index in producers:
            if code(producers[index]) not in _CASTS:
                return None
            index = producers[index].inputs[0]
        tensor = graph.tensors[index]
        return None if model.buffers[tensor.buffer].data is None else tensor

    def kernels() -> Iterator[tuple[LayerWeights, str, str, int, int]]:
        for operator in graph.operators:
            if code(operator) not in _KERNELS:
                continue
            tensor = constant(operator.inputs[1])
            if tensor is None:
                continue
            name = f"{tensor.name.decode()};{graph.tensors[operator.outputs[0]].name.decode()}"
            dtype = _dtype(tensor)
            values = np.frombuffer(model.buffers[tensor.buffer].data, dtype).reshape(tensor.shape)
            zero_points = tensor.quantization.zeroPoint if tensor.quantization else None
            zero = 0 if zero_points is None else int(np.asarray(zero_points)[0])
            counted = describe(name, values, channel_axis=_KERNELS[code(operator)], zero=zero)
            positions = math.prod(int(size) for size in graph.tensors[operator.outputs[0]].shape[:-1])
            bias = constant(operator.inputs[2]) if len(operator.inputs) > 2 and operator.inputs[2] >= 0 else None
            biases = 0 if bias is None else math.prod(map(int, bias.shape))
            yield counted, dtype, _dtype(graph.tensors[operator.inputs[0]]), counted.size * positions, biases

    found = list(kernels())
    return Contents(
        weights=tuple(weights for weights, *_ in found),
        stored=frozenset(stored for _, stored, *_ in found),
        activations=frozenset(activations for _, _, activations, *_ in found),
        macs=sum(macs for *_, macs, _ in found),
        biases=sum(biases for *_, biases in found),
    )


def _dtype(tensor: Any) -> str:
    if tensor.type not in _DTYPES:
        raise OptsuiteError(
            f"tensor {tensor.name.decode()}: type {tensor.type}; accepted: {', '.join(_DTYPES.values())}"
        )
    return _DTYPES[tensor.type]
