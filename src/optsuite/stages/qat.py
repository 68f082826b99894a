"""Quantisation-aware training with TFMOT's 8-bit schemes, plain or preserving what was promised before."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from unittest import mock

from optsuite.errors import OptsuiteError
from optsuite.spec.invariant import InvariantName
from optsuite.spec.stage import Stage
from optsuite.spec.task import Task
from optsuite.stages.fit import fit


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
            with _mended():
                quantized = quantization.quantize_apply(quantization.quantize_annotate_model(model), *scheme)
        except (RuntimeError, ValueError) as error:  # what TFMOT says of a layer that it does not know
            reason = str(error).partition(" You can")[0].rstrip(".")  # by its own API, it goes on
            raise OptsuiteError(
                f"TFMOT can't quantise this model: {reason}; leave this recipe out of the model's `recipes`"
            ) from error
        fit(quantized, task)
        return cluster_utils.strip_clustering_cqat(quantized) if "clusters" in self.preserve else quantized


@contextmanager
def _mended() -> Iterator[None]:
    """Two corrections to TFMOT, while fake-quantisation is inserted."""
    from optsuite.keras import cluster_preserve_quantize_registry as registry
    from optsuite.keras import default_8bit_transforms as transforms

    def one_codebook(layer: Any, weight: Any, data_format: Any) -> tuple[Any, Any, Any, bool]:
        values, index = registry.get_unique(weight)
        return values, values.shape[0], index, False

    relu = transforms.LayerReLUQuantize
    ignore = relu.replacement
    folded = transforms.Conv2DBatchNormReLUQuantize

    def quantize_kernel(transform: Any, match: Any) -> Any:
        config = match.input_layers[0].layer["config"]
        if config.get("activation") != "linear":
            return ignore(transform, match)
        config["activation"] = transforms.quantize_utils.serialize_activation(
            transforms.quantize_aware_activation.NoOpActivation(), use_legacy_format=True
        )
        return match

    with (
        # TFMOT takes a kernel whose output channels all have about as many values for one that was clustered channel
        # by channel, and gives each channel values of its own: 74 in the place of 8 in a layer of dscnn.
        mock.patch.object(registry, "get_centroids", one_codebook),
        # It leaves a Conv2D or Dense layer out altogether where a ReLU layer follows, kernel and what was to be
        # preserved of it included. As with BatchNorm between the two, its output alone has to be left out.
        mock.patch.object(relu, "replacement", quantize_kernel),
        mock.patch.object(relu, "custom_objects", folded.custom_objects),
    ):
        yield
