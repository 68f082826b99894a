"""Corrections of TFMOT 0.8, in force while fake-quantisation is inserted."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from typing import Any


@contextmanager
def corrected() -> Iterator[None]:
    """Correct TFMOT inside the `with` block, and restore it afterwards."""
    from optsuite.keras import cluster_preserve_quantize_registry as registry
    from optsuite.keras import default_8bit_transforms, default_n_bit_transforms

    with ExitStack() as stack:
        stack.enter_context(_replaced(registry, {"get_centroids": _one_codebook}))
        for transforms in (default_8bit_transforms, default_n_bit_transforms):
            relu = transforms.LayerReLUQuantize
            changes = {
                "replacement": _quantize_kernel_before_relu(relu.replacement),
                "custom_objects": transforms.Conv2DBatchNormReLUQuantize.custom_objects,
            }
            stack.enter_context(_replaced(relu, changes))
        yield


def _one_codebook(layer: Any, weight: Any, data_format: Any) -> tuple[Any, Any, Any, bool]:
    """Return the distinct values of a kernel as one codebook.

    TFMOT takes a kernel whose output channels all have about as many values for one that was clustered channel by
    channel, and gives each channel values of its own: 74 in the place of 8 in a layer of dscnn.
    """
    from optsuite.keras import cluster_preserve_quantize_registry as registry

    values, index = registry.get_unique(weight)
    return values, values.shape[0], index, False


def _quantize_kernel_before_relu(ignore: Any) -> Any:
    """Return a replacement for a Conv2D or Dense layer that a ReLU layer follows.

    TFMOT does not quantise such a layer at all, so that its kernel loses its invariants. Only the output of the layer
    must stay unquantised, as TFMOT does it if BatchNorm is between the two. `ignore` is TFMOT's own replacement, for
    layers with an activation.
    """
    from optsuite.keras import default_8bit_transforms as transforms

    def replacement(transform: Any, match: Any) -> Any:
        config = match.input_layers[0].layer["config"]
        if config.get("activation") != "linear":
            return ignore(transform, match)
        config["activation"] = transforms.quantize_utils.serialize_activation(
            transforms.quantize_aware_activation.NoOpActivation(), use_legacy_format=True
        )
        return match

    return replacement


@contextmanager
def _replaced(owner: Any, attributes: Mapping[str, Any]) -> Iterator[None]:
    """Set attributes of a module or class, and restore those that were there."""
    before = {name: vars(owner)[name] for name in attributes if name in vars(owner)}
    for name, value in attributes.items():
        setattr(owner, name, value)
    try:
        yield
    finally:
        for name in attributes:
            if name in before:
                setattr(owner, name, before[name])
            else:
                delattr(owner, name)
