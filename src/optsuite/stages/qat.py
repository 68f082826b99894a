"""Quantisation-aware training with TFMOT's 8-bit schemes, plain or preserving the invariants in force."""

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
    """Insert fake-quantisation and fine-tune. The result keeps it, as the converter needs it.

    Attributes:
        preserve: The invariants to preserve: "sparsity" makes it PQAT, "clusters" CQAT, both PCQAT.

    Raises:
        OptsuiteError: TFMOT can't quantise a layer of the model.

    """

    preserve: tuple[InvariantName, ...] = ()

    @property
    def quantized_bits(self) -> int:
        return 8

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
        except (RuntimeError, ValueError) as error:  # TFMOT's error for a layer that it does not know
            reason = str(error).partition(" You can")[0].rstrip(".")  # what follows is about TFMOT's API
            raise OptsuiteError(
                f"TFMOT can't quantise this model: {reason}; leave this recipe out of the model's `recipes`"
            ) from error
        fit(quantized, task)
        return cluster_utils.strip_clustering_cqat(quantized) if "clusters" in self.preserve else quantized
