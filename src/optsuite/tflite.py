"""The one door to the .tflite format: the kernels in a file, with their values and number formats."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from ai_edge_litert import schema_py_generated as schema

from optsuite.errors import OptsuiteError

_CHANNEL_AXES = {
    schema.BuiltinOperator.CONV_2D: 0,
    schema.BuiltinOperator.DEPTHWISE_CONV_2D: 3,
    schema.BuiltinOperator.FULLY_CONNECTED: 0,
}
"""The operators that have a kernel, and the axis of its output channels."""
_CASTS = (schema.BuiltinOperator.QUANTIZE, schema.BuiltinOperator.DEQUANTIZE)
"""A kernel may be stored in one format, and cast to another before it is used."""
_DTYPES = {
    schema.TensorType.FLOAT32: "float32",
    schema.TensorType.FLOAT16: "float16",
    schema.TensorType.INT2: "int2",
    schema.TensorType.INT4: "int4",
    schema.TensorType.INT8: "int8",
    schema.TensorType.UINT8: "uint8",
    schema.TensorType.INT16: "int16",
}
_PACKED_BITS = {"int2": 2, "int4": 4}
"""The dtypes that numpy does not have, of which a byte holds several, and their bits."""


@dataclass(frozen=True, kw_only=True)
class Kernel:
    """A kernel of a file, as it is stored.

    Attributes:
        name: The names of the kernel's tensor and of its operator's output.
        scope: The name of its operator's output.
        values: The weights, in the shape and dtype of the file; int8 where numpy does not have that dtype.
        zero: The stored value that means 0.
        channel_axis: The axis of the output channels.
        dtype: The dtype of the weights in the file.
        used_dtype: The dtype that they are cast to before they are used.
        input_dtype: The dtype of what they are multiplied with.
        positions: How many output positions the kernel is applied at for one input.
        biases: How many biases the operator has.

    """

    name: str
    scope: str
    values: np.ndarray = field(repr=False)
    zero: int
    channel_axis: int
    dtype: str
    used_dtype: str
    input_dtype: str
    positions: int
    biases: int


def kernels(content: bytes) -> tuple[Kernel, ...]:
    """Return the kernels of the main graph of a .tflite file, in the order of its operators.

    Raises:
        OptsuiteError: The file is no model, is damaged, or has a kernel in a format that is not known here.

    """
    if content[4:8] != b"TFL3":
        raise OptsuiteError("not a .tflite file: the identifier TFL3 is missing")
    try:
        return tuple(_Graph(content).kernels())
    except OptsuiteError:
        raise
    except Exception as error:  # what flatbuffers generates checks nothing: any of Python's errors may come of it
        raise OptsuiteError(f"not a .tflite file, or a damaged one: {type(error).__name__}: {error}") from error


class _Graph:
    """The main graph of a file."""

    def __init__(self, content: bytes) -> None:
        self._content = content
        self._model = schema.ModelT.InitFromPackedBuf(content, 0)
        self._graph = self._model.subgraphs[0]
        self._producers = {output: operator for operator in self._graph.operators for output in operator.outputs}

    def kernels(self) -> Iterator[Kernel]:
        for operator in self._graph.operators:
            if self._code(operator) in _CHANNEL_AXES and (tensor := self._constant(operator.inputs[1])) is not None:
                yield self._kernel(operator, tensor)

    def _kernel(self, operator: Any, tensor: Any) -> Kernel:
        output = self._graph.tensors[operator.outputs[0]]
        dtype = _dtype(tensor)
        zero_points = tensor.quantization.zeroPoint if tensor.quantization else None
        has_bias = len(operator.inputs) > 2 and operator.inputs[2] >= 0
        bias = self._constant(operator.inputs[2]) if has_bias else None
        return Kernel(
            name=f"{tensor.name.decode()};{output.name.decode()}",
            scope=output.name.decode(),
            values=_values(self._data(tensor), dtype, tuple(tensor.shape)),
            zero=0 if zero_points is None else int(np.asarray(zero_points)[0]),
            channel_axis=_CHANNEL_AXES[self._code(operator)],
            dtype=dtype,
            used_dtype=_dtype(self._graph.tensors[operator.inputs[1]]),
            input_dtype=_dtype(self._graph.tensors[operator.inputs[0]]),
            positions=math.prod(int(size) for size in output.shape[:-1]),
            biases=0 if bias is None else math.prod(map(int, bias.shape)),
        )

    def _code(self, operator: Any) -> int:
        entry = self._model.operatorCodes[operator.opcodeIndex]
        return int(max(entry.builtinCode, entry.deprecatedBuiltinCode))

    def _constant(self, index: int) -> Any:
        """The tensor that `index` was cast from, or None where it is computed."""
        while index in self._producers:
            producer = self._producers[index]
            if self._code(producer) not in _CASTS:
                return None
            index = producer.inputs[0]
        tensor = self._graph.tensors[index]
        return None if self._data(tensor) is None else tensor

    def _data(self, tensor: Any) -> np.ndarray | None:
        """The bytes of a tensor, uint8 (bytes,); None where it is computed.

        They stand in the model, or behind it in the file, as litert-quantizer writes many of them.
        """
        buffer = self._model.buffers[tensor.buffer]
        if buffer.offset > 1:  # 0 and 1 mean that there is nothing behind the model
            return np.frombuffer(self._content, np.uint8, int(buffer.size), int(buffer.offset))
        data: np.ndarray | None = buffer.data
        return data


def _values(content: Any, dtype: str, shape: tuple[int, ...]) -> np.ndarray:
    """Return the weights that a buffer, uint8 (bytes,), holds."""
    if dtype not in _PACKED_BITS:
        return np.frombuffer(content, dtype).reshape(shape)
    # In two's complement, the first in the lowest bits; the last byte may not be full.
    bits = _PACKED_BITS[dtype]
    packed = np.frombuffer(content, np.uint8)[:, np.newaxis] >> np.arange(0, 8, bits, dtype=np.uint8)
    values = (packed & (2**bits - 1)).reshape(-1)[: math.prod(shape)].astype(np.int8)
    signed: np.ndarray = np.where(values >= 2 ** (bits - 1), values - 2**bits, values).astype(np.int8)
    return signed.reshape(shape)


def _dtype(tensor: Any) -> str:
    if tensor.type not in _DTYPES:
        raise OptsuiteError(
            f"tensor {tensor.name.decode()}: expected type {', '.join(_DTYPES.values())}, got {tensor.type}"
        )
    return _DTYPES[tensor.type]
