"""The catalogue of variants: the forms in which a Keras model can ship."""

from __future__ import annotations

from optsuite.spec.names import by_name
from optsuite.spec.variant import Variant
from optsuite.stages.convert import Convert
from optsuite.stages.mixed import Mixed
from optsuite.stages.quantize import Quantize

_INT8 = Convert(weights="int8", activations="int8", io="int8")
_NO_16_BITS = "TFLite cannot convert a model with fake-quantisation to 16-bit activations"
_LEFT_AS_IS = "litert-quantizer leaves the kernels of a model with fake-quantisation as they are"
_NOT_TRAINED = f"{_LEFT_AS_IS}, and this one was trained for 8 bits"
_NO_FLOATS = "LiteRT cannot run the float32 file of a model that was trained for 4 bits: it has no UINT4 output"
_ARE_INT4 = "the weights of a model that was trained for 4 bits have 4 bits in this form too: see int4"

VARIANTS = by_name(
    Variant(name="keras", convert=None, budget=0.0),
    Variant(name="fp32", convert=Convert(), budget=0.001, quantized={4: _NO_FLOATS}),
    Variant(name="fp16", convert=Convert(weights="float16"), budget=0.001, quantized={4: _ARE_INT4}),
    Variant(name="dynamic", convert=Convert(weights="int8"), quantized={4: _ARE_INT4}),
    Variant(name="int8", convert=_INT8, quantized={4: _ARE_INT4}),
    Variant(name="uint8", convert=Convert(weights="int8", activations="int8", io="uint8"), quantized={4: _ARE_INT4}),
    Variant(
        name="int16x8",
        convert=Convert(weights="int8", activations="int16", io="int16"),
        quantized={8: _NO_16_BITS, 4: _NO_16_BITS},
    ),
    Variant(
        name="int4",
        # litert-quantizer has no depthwise convolution of 4 bits: these have 8.
        convert=Quantize(recipe="dynamic_wi4_afp32", fallback="dynamic_wi8_afp32"),
        budget=0.01,
        quantized={8: _NOT_TRAINED, 4: _INT8},
    ),
    Variant(name="mixed", convert=Mixed(), quantized={8: _LEFT_AS_IS, 4: _LEFT_AS_IS}),
)

KERAS = VARIANTS["keras"]
"""The Keras model itself, which all other variants are converted from."""
