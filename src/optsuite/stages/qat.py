"""Quantisation-aware training with TFMOT's 8-bit schemes, plain or preserving what was promised before."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from optsuite.errors import OptsuiteError
from optsuite.spec.invariant import InvariantName
from optsuite.spec.stage import Stage
from optsuite.spec.task import Task
from optsuite.stages.fit import fit
from optsuite.stages.tfmot_corrections import corrected


@dataclass(frozen=True, kw_only=True)
class QAT(Stage):
    """Insert fake-quantisation and fine-tune; the result keeps it, as the converter needs it.

    `preserve` chooses the scheme: "sparsity" makes it PQAT, "clusters" CQAT, both PCQAT.
    """

    quantizes = True
    preserve: tuple[InvariantName, ...] = ()

    def apply(self, model: Any, task: Task) -> Any:
        from optsuite.keras import cluster_utils, tfmot

        combine, quantization = tfmot.experimental.combine, tfmot.quantization.keras
        scheme: tuple[Any, ...] = ()
        if "clusters" in self.preserve:
            scheme = (combine.Default8BitClusterPreserveQuantizeScheme("sparsity" in self.preserve),)
        elif self.preserve:
            scheme = (combine.Default8BitPrunePreserveQuantizeScheme(),)
        try:
            with corrected():
                quantized = quantization.quantize_apply(quantization.quantize_annotate_model(model), *scheme)
        except (RuntimeError, ValueError) as error:  # what TFMOT says of a layer that it does not know
            reason = str(error).partition(" You can")[0].rstrip(".")  # by its own API, it goes on
            raise OptsuiteError(
                f"TFMOT can't quantise this model: {reason}; leave this recipe out of the model's `recipes`"
            ) from error
        fit(quantized, task)
        return cluster_utils.strip_clustering_cqat(quantized) if "clusters" in self.preserve else quantized
