"""What pruning and clustering guarantee of a layer's weights."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from optsuite.units import Fraction

InvariantName = Literal["sparsity", "clusters"]


@dataclass(frozen=True, kw_only=True)
class Invariant:
    """What is to hold of a layer, None where nothing is.

    At least floor(`sparsity` x n) zeros among its n weights; at most `clusters` distinct values.
    """

    sparsity: Fraction | None = None
    clusters: int | None = None

    def kept(self, preserved: Iterable[InvariantName]) -> Invariant:
        """What is left of it after a stage that preserves only so much."""
        names = set(preserved)
        return Invariant(
            sparsity=self.sparsity if "sparsity" in names else None,
            clusters=self.clusters if "clusters" in names else None,
        )

    def and_also(self, other: Invariant) -> Invariant:
        """Both; where both speak of the same, the other."""
        return Invariant(
            sparsity=self.sparsity if other.sparsity is None else other.sparsity,
            clusters=self.clusters if other.clusters is None else other.clusters,
        )
