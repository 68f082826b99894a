"""The exact paired test of two models on the same images: McNemar's, and Fisher's over several seeds."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import numpy as np


def certain_p(loss: float, alternative: Literal["two-sided", "greater", "less"]) -> float:
    """Return the p-value, 0 or 1, of a loss that is the same on all images: it can't be chance."""
    if alternative == "greater":
        return 1.0 if loss <= 0 else 0.0
    if alternative == "less":
        return 1.0 if loss >= 0 else 0.0
    return 1.0 if loss == 0 else 0.0


def swapped(nets: Mapping[int, int]) -> tuple[np.ndarray, np.ndarray]:
    """All sums that swapping image by image can give, and the chance of each."""
    from scipy.stats import binom  # takes a second to import, which the gates have no use for

    chances = np.ones(1)
    for size in {abs(net) for net in nets}:
        changed = nets.get(size, 0) + nets.get(-size, 0)
        part = np.zeros(2 * size * changed + 1)
        part[:: 2 * size] = binom.pmf(np.arange(changed + 1), changed, 0.5)
        chances = np.convolve(chances, part)
    return chances, np.arange(len(chances)) - len(chances) // 2


def p_worse(nets: Mapping[int, int]) -> float:
    """Return the one-sided p of the exact test: the share of all ways to swap that lose as much, or more."""
    chances, sums = swapped(nets)
    return float(min(1.0, chances[sums >= sum(net * images for net, images in nets.items())].sum()))
