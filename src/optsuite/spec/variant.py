"""A variant: one form in which a Keras model can ship."""

from __future__ import annotations

from dataclasses import dataclass

from optsuite.errors import OptsuiteError
from optsuite.spec.stage import Conversion
from optsuite.units import Fraction


@dataclass(frozen=True, kw_only=True)
class Variant:
    """One runnable form of an experiment, such as an int8 .tflite file.

    Attributes:
        name: The name, for options, tables and file names.
        convert: How the Keras model is converted; None for the Keras model itself.
        budget: The accuracy drop against the experiment's Keras model that the variant may cause, a fraction.
        unsupported_quantized: Why a model with fake-quantisation can't be converted to this form; empty where it can.

    """

    name: str
    convert: Conversion | None
    budget: Fraction = 0.005
    unsupported_quantized: str = ""

    def __post_init__(self) -> None:
        """Refuse a name that tables use for another variant."""
        if self.name == "float":
            raise OptsuiteError("expected another name for the variant, got float, which is what tables call fp32")
