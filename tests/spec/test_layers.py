"""Settings by patterns of layer names."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from optsuite.errors import OptsuiteError
from optsuite.spec.layers import by_layer

NAMES = ["conv2d", "conv2d_1", "dense"]


@pytest.mark.parametrize(
    ("given", "skip", "expected"),
    [
        (0.8, (), {"conv2d": 0.8, "conv2d_1": 0.8, "dense": 0.8}),
        (0.8, ("conv2d",), {"conv2d_1": 0.8, "dense": 0.8}),
        (0.8, ("conv*",), {"dense": 0.8}),
        ({"conv2d*": 0.5, "*": 0.8}, (), {"conv2d": 0.5, "conv2d_1": 0.5, "dense": 0.8}),
        ({"*": 0.8, "conv2d*": 0.5}, (), {"conv2d": 0.8, "conv2d_1": 0.8, "dense": 0.8}),
        ({"dense": 0.5}, (), {"dense": 0.5}),
        ({"dense": 0.5, "conv2d": 0.1}, ("dense",), {"conv2d": 0.1}),
    ],
)
def test_settings_by_layer(given: float | Mapping[str, float], skip: tuple[str, ...], expected: object) -> None:
    """The first pattern that matches a layer counts; a layer without one is left out."""
    assert by_layer(given, NAMES, skip) == expected


@pytest.mark.parametrize(("given", "skip"), [({"conv*": 0.5, "lstm": 0.8}, ()), (0.8, ("lstm",))])
def test_a_pattern_without_a_layer_is_an_error(given: float | Mapping[str, float], skip: tuple[str, ...]) -> None:
    """The message lists the layers."""
    with pytest.raises(OptsuiteError, match="pattern 'lstm' matches no layer; expected one of conv2d, conv2d_1, dense"):
        by_layer(given, NAMES, skip)
