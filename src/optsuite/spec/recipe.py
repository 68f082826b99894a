"""A recipe: stages in order."""

from __future__ import annotations

from dataclasses import dataclass

from optsuite.errors import OptsuiteError
from optsuite.spec.invariant import InvariantName
from optsuite.spec.stage import Stage
from optsuite.units import Fraction


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """An ordered tuple of stages.

    Attributes:
        name: The name, for options, tables and file names.
        stages: The stages, in order.
        budget: The accuracy drop against the baseline that the recipe may cause, a fraction.

    Raises:
        OptsuiteError: A stage preserves an invariant that is not in force, or follows quantisation.

    """

    name: str
    stages: tuple[Stage, ...]
    budget: Fraction = 0.005

    def __post_init__(self) -> None:
        """Refuse stages that preserve an invariant that is not in force, or follow quantisation."""
        if not 0 <= self.budget <= 1:
            raise OptsuiteError(f"recipe {self.name}: expected a budget from 0 to 1, got {self.budget}")
        in_force: set[InvariantName] = set()
        for number, stage in enumerate(self.stages, 1):
            for invariant in stage.preserve:
                if invariant not in in_force:
                    raise OptsuiteError(
                        f"recipe {self.name}: stage {number}, {stage.name}, preserves {invariant}, but no stage "
                        "before it leaves any"
                    )
            if stage.quantized_bits and number < len(self.stages):
                raise OptsuiteError(f"recipe {self.name}: nothing can follow stage {number}, {stage.name}")
            in_force = {*stage.preserve, *stage.guarantees}

    @property
    def quantized_bits(self) -> int | None:
        """The fewest bits that fake-quantisation gives any weights; None for a recipe without it."""
        return self.stages[-1].quantized_bits if self.stages else None
