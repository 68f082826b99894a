"""Quantisation-aware training with TFMOT's default 8-bit scheme."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from optsuite.spec import Stage
from optsuite.stages.train import fit

if TYPE_CHECKING:
    from optsuite.build import Task


@dataclass(frozen=True, kw_only=True)
class QAT(Stage):
    """Insert fake-quantisation and fine-tune; the result keeps it, as the converter needs it."""

    quantizes = True

    def apply(self, model: Any, task: Task) -> Any:
        from optsuite.keras import tfmot

        quantized = tfmot.quantization.keras.quantize_model(model)
        fit(quantized, task)
        return quantized
