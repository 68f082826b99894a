"""A variant: one form in which a Keras model can ship."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

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
        quantized: What takes the place of `convert` for a model with fake-quantisation, by the fewest bits that any of
            its weights have: another conversion, or why the model can't have this form.

    """

    name: str
    convert: Conversion | None
    budget: Fraction = 0.005
    quantized: Mapping[int, Conversion | str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Refuse a name that tables use for another variant."""
        if self.name == "float":
            raise OptsuiteError("expected another name for the variant, got float, which is what tables call fp32")

    def conversion(self, quantized_bits: int | None) -> Conversion | None:
        """Return how a model is converted, by its bits of fake-quantisation or None; None for the Keras model itself.

        Raises:
            OptsuiteError: Such a model can't have this form; the message says why.

        """
        found = self._found(quantized_bits)
        if isinstance(found, str):
            raise OptsuiteError(found)
        return found

    def absence(self, quantized_bits: int | None) -> str:
        """Return why a model of these bits of fake-quantisation can't have this form, or an empty string."""
        found = self._found(quantized_bits)
        return found if isinstance(found, str) else ""

    def _found(self, quantized_bits: int | None) -> Conversion | str | None:
        return self.convert if quantized_bits is None else self.quantized.get(quantized_bits, self.convert)
