"""Quantisation-aware training with TFMOT's schemes of 8 or 4 bits, plain or preserving the invariants in force."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

from optsuite.errors import OptsuiteError
from optsuite.spec.invariant import InvariantName
from optsuite.spec.layers import by_layer, matching
from optsuite.spec.settings import check_setting
from optsuite.spec.stage import Stage
from optsuite.spec.task import Task
from optsuite.stages.fit import fit
from optsuite.stages.tfmot_corrections import corrected

Bits = Literal[4, 8]
_UNKNOWN = re.compile(r"Layer ([^:\s]+):")
"""How TFMOT begins the error for a layer that it does not know."""


@dataclass(frozen=True, kw_only=True)
class QAT(Stage):
    """Insert fake-quantisation and fine-tune. The result keeps it, as the converter needs it.

    Activations have 8 bits, whatever the weights have.

    Attributes:
        bits: How many bits the weights have, 4 or 8; or a number for each pattern of layer names, the first that
            matches counting. Layers that no pattern matches have 8.
        skip: Patterns of the names of layers that are left in floating point. BatchNormalization and ReLU layers that
            follow one of them are left with it.
        preserve: The invariants to preserve: "sparsity" makes it PQAT, "clusters" CQAT, both PCQAT.

    Raises:
        OptsuiteError: The bits are others than 4 and 8, or are 4 with `preserve`, which TFMOT has for 8 alone; or TFMOT
            can't quantise a layer of the model.

    """

    bits: Bits | Mapping[str, Bits] = 8
    skip: tuple[str, ...] = ()
    preserve: tuple[InvariantName, ...] = ()

    def __post_init__(self) -> None:
        """Refuse bits that there is no scheme for."""
        check_setting("QAT", "bits", self.bits, "4 or 8", lambda value: value in (4, 8))
        if self.preserve and self.quantized_bits < 8:
            raise OptsuiteError(f"QAT: expected bits to be 8 with preserve, got {self.quantized_bits}")

    @property
    def _all_bits(self) -> set[int]:
        return set(self.bits.values()) if isinstance(self.bits, Mapping) else {self.bits}

    @property
    def label(self) -> str:
        return super().label if self.quantized_bits == 8 else f"qat to {self.quantized_bits} bits"

    @property
    def quantized_bits(self) -> int:
        return min(self._all_bits)

    def wrap(self, model: Any, task: Task) -> Any:
        try:
            return self._wrapped(model)
        except (RuntimeError, ValueError) as error:  # TFMOT's error for a layer that it does not know
            reason = str(error).partition(" You can")[0].rstrip(".")  # what follows is about TFMOT's API
            raise OptsuiteError(
                f"TFMOT can't quantise this model: {reason}; to keep the unknown layers in floating point, add "
                f"skip={self._with_unknown(model, error)!r} to QAT; or remove this recipe from the model's `recipes`"
            ) from error

    def _wrapped(self, model: Any) -> Any:
        from optsuite.keras import tfmot

        with corrected():
            return tfmot.quantization.keras.quantize_apply(self._annotated(model), *self._scheme(model))

    def _with_unknown(self, model: Any, error: Exception) -> tuple[str, ...]:
        """Return `skip` with all layers that TFMOT does not know: its error names the first one of them.

        They are the same for all schemes, but the errors of those that preserve something name no layer.
        """
        skip = self.skip
        while (named := _UNKNOWN.match(str(error))) and named[1] not in skip:
            skip = (*skip, named[1])
            try:
                replace(self, skip=skip, preserve=())._wrapped(model)
            except (RuntimeError, ValueError) as another:
                error = another
        return skip

    def apply(self, model: Any, task: Task) -> Any:
        from optsuite.keras import cluster_utils

        quantized = self.wrap(model, task)
        fit(quantized, task)
        return cluster_utils.strip_clustering_cqat(quantized) if "clusters" in self.preserve else quantized

    def _annotated(self, model: Any) -> Any:
        """The model with a mark on each layer that is to be quantised."""
        from optsuite.keras import keras, tfmot

        quantization = tfmot.quantization.keras
        if not self.skip:
            return quantization.quantize_annotate_model(model)
        skipped = _with_followers(model, matching(self.skip, [layer.name for layer in model.layers]))
        return keras.models.clone_model(
            model,
            clone_function=lambda layer: (
                layer if layer.name in skipped else quantization.quantize_annotate_layer(layer)
            ),
        )

    def _scheme(self, model: Any) -> tuple[Any, ...]:
        """The scheme of TFMOT, where it is not the default."""
        from optsuite.keras import kernels, tfmot

        combine = tfmot.experimental.combine
        if "clusters" in self.preserve:
            return (combine.Default8BitClusterPreserveQuantizeScheme("sparsity" in self.preserve),)
        if self.preserve:
            return (combine.Default8BitPrunePreserveQuantizeScheme(),)
        if self.quantized_bits == 8:
            return ()
        return (_n_bit_scheme(by_layer(self.bits, [layer.name for layer, _ in kernels(model)])),)


def _with_followers(model: Any, skipped: set[str]) -> set[str]:
    """The names of layers, with those that follow them and are computed in one operator with them."""
    from optsuite.keras import keras

    joined = (keras.layers.BatchNormalization, keras.layers.ReLU, keras.layers.Activation)
    found = set(skipped)
    for layer in model.layers:  # in the order of the graph
        followers = [node.layer for node in layer.outbound_nodes]
        if layer.name in found and len(followers) == 1 and isinstance(followers[0], joined):
            found.add(followers[0].name)
    return found


def _n_bit_scheme(bits: Mapping[str, int]) -> Any:
    """TFMOT's scheme of n bits, with the bits of the weights by the names of layers, 8 where there is none.

    It is symmetric, with a scale for each output channel of a Conv2D layer, and one for all of a Dense or depthwise
    kernel.
    """
    from optsuite.keras import default_n_bit_quantize_registry, default_n_bit_quantize_scheme

    plain = default_n_bit_quantize_registry.DefaultNBitQuantizeRegistry

    class ByLayer(plain):  # type: ignore[misc, valid-type]
        def get_quantize_config(self, layer: Any) -> Any:
            # Made anew each time: the registries of TFMOT share the bits of the one that was made last.
            return plain(num_bits_weight=bits.get(layer.name, 8)).get_quantize_config(layer)

    class Scheme(default_n_bit_quantize_scheme.DefaultNBitQuantizeScheme):  # type: ignore[misc]
        def get_quantize_registry(self) -> Any:
            return ByLayer()

    return Scheme()
