"""The exact paired test of two models on the same images: McNemar's, and Fisher's over several seeds."""

from __future__ import annotations

import math
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


def p_worse_than(lost: int, gained: int, images: int, drop: float) -> float:
    """Return the one-sided p of a true drop of at most `drop`: how likely it would be that as much is lost, or more.

    It is exact but for how many answers change, which the hypothesis does not say: the share that is the most likely
    under it is taken (the restricted estimate of Tango 1998; for such p-values see Lloyd 2008).

    Args:
        lost: Images that the reference gets right and the candidate wrong.
        gained: Images that it gets wrong and the candidate right.
        images: All images.
        drop: The drop of the hypothesis, a fraction over 0.

    """
    from scipy.stats import binom

    linear = (2 * images - lost + gained) * drop - lost - gained
    root = math.sqrt(linear**2 + 8 * images * gained * drop * (1 - drop))
    chance_gained = (root - linear) / (4 * images)
    changed = 2 * chance_gained + drop
    counts = np.arange(images + 1)
    least_lost = (counts + lost - gained + 1) // 2
    as_much = binom.sf(least_lost - 1, counts, (chance_gained + drop) / changed)
    return float(binom.pmf(counts, images, changed) @ as_much)
