"""Invariants: what pruning and clustering guarantee of a layer's weights."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from optsuite.units import Fraction, Positive

InvariantName = Literal["sparsity", "clusters"]


@dataclass(frozen=True, kw_only=True)
class Invariant:
    """What holds for the weights of a layer.

    Attributes:
        sparsity: At least floor(`sparsity` x n) of the layer's n weights are zero, a fraction; None for any number.
        clusters: The layer has at most so many distinct values; None for any number.

    """

    sparsity: Fraction | None = None
    clusters: Positive | None = None

    @property
    def is_empty(self) -> bool:
        """Whether it demands nothing."""
        return self.sparsity is None and self.clusters is None

    def preserved(self, names: Iterable[InvariantName]) -> Invariant:
        """Return what is left after a stage that preserves only the invariants of these names."""
        left = set(names)
        return Invariant(
            sparsity=self.sparsity if "sparsity" in left else None,
            clusters=self.clusters if "clusters" in left else None,
        )

    def joined(self, other: Invariant) -> Invariant:
        """Return both; where both demand something of the same, the other's demand."""
        return Invariant(
            sparsity=self.sparsity if other.sparsity is None else other.sparsity,
            clusters=self.clusters if other.clusters is None else other.clusters,
        )
