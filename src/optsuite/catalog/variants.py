"""The catalogue of variants: the forms in which a Keras model can ship."""

from __future__ import annotations

from optsuite.spec.names import by_name
from optsuite.spec.variant import Variant
from optsuite.stages.convert import Convert
from optsuite.stages.mixed import Mixed
from optsuite.stages.quantize import Quantize

_QUANTIZED = "litert-quantizer leaves the kernels of a model with fake-quantisation as they are"

VARIANTS = by_name(
    Variant(name="keras", convert=None, budget=0.0),
    Variant(name="fp32", convert=Convert(), budget=0.001),
    Variant(name="fp16", convert=Convert(weights="float16"), budget=0.001),
    Variant(name="dynamic", convert=Convert(weights="int8")),
    Variant(name="int8", convert=Convert(weights="int8", activations="int8", io="int8")),
    Variant(name="uint8", convert=Convert(weights="int8", activations="int8", io="uint8")),
    Variant(
        name="int16x8",
        convert=Convert(weights="int8", activations="int16", io="int16"),
        quantized={8: "TFLite cannot convert a model with fake-quantisation to 16-bit activations"},
    ),
    # litert-quantizer has no depthwise convolution of 4 bits.
    Variant(
        name="int4",
        convert=Quantize(recipe="dynamic_wi4_afp32", fallback="dynamic_wi8_afp32"),
        quantized={8: _QUANTIZED},
    ),
    Variant(name="mixed", convert=Mixed(), quantized={8: _QUANTIZED}),
)

KERAS = VARIANTS["keras"]
"""The Keras model itself, which all other variants are converted from."""
