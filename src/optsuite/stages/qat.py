"""Quantisation-aware training with TFMOT's 8-bit schemes, plain or preserving what was promised before."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from unittest import mock

from optsuite.spec import Invariant, Stage
from optsuite.stages.train import fit

if TYPE_CHECKING:
    from optsuite.build import Task


@dataclass(frozen=True, kw_only=True)
class QAT(Stage):
    """Insert fake-quantisation and fine-tune; the result keeps it, as the converter needs it.

    `preserve` chooses the scheme: "sparsity" makes it PQAT, "clusters" CQAT, both PCQAT.
    """

    quantizes = True
    preserve: tuple[Invariant, ...] = ()

    def apply(self, model: Any, task: Task) -> Any:
        from optsuite.keras import cluster_preserve_quantize_registry as registry
        from optsuite.keras import cluster_utils, tfmot

        def one_codebook(layer: Any, weight: Any, data_format: Any) -> tuple[Any, Any, Any, bool]:
            values, index = registry.get_unique(weight)
            return values, values.shape[0], index, False

        combine, quantization = tfmot.experimental.combine, tfmot.quantization.keras
        if not self.preserve:
            quantized = quantization.quantize_model(model)
        else:
            scheme = (
                combine.Default8BitClusterPreserveQuantizeScheme("sparsity" in self.preserve)
                if "clusters" in self.preserve
                else combine.Default8BitPrunePreserveQuantizeScheme()
            )
            annotated = quantization.quantize_annotate_model(model)
            # TFMOT takes a kernel whose output channels all have about as many values for one that was clustered
            # channel by channel, and gives each channel values of its own: 74 in the place of 8 in a layer of dscnn.
            with mock.patch.object(registry, "get_centroids", one_codebook):
                quantized = quantization.quantize_apply(annotated, scheme)
        fit(quantized, task)
        return cluster_utils.strip_clustering_cqat(quantized) if "clusters" in self.preserve else quantized
