"""A variant: one form in which a Keras model can ship."""

from __future__ import annotations

from dataclasses import dataclass

from optsuite.errors import OptsuiteError
from optsuite.spec.stage import Conversion
from optsuite.units import Fraction


@dataclass(frozen=True, kw_only=True)
class Variant:
    """One runnable form of an experiment; `budget` is the drop against its own Keras model that it may cause.

    `convert` is None for the Keras model itself. `unsupported_quantized` is the reason why a model with
    fake-quantisation cannot take this form, empty where it can.
    """

    name: str
    convert: Conversion | None
    budget: Fraction = 0.005
    unsupported_quantized: str = ""

    def __post_init__(self) -> None:
        """Refuse what the tables can't hold beside our own."""
        if self.name == "float":
            raise OptsuiteError("expected another name for the variant, got float, which is what tables call fp32")
