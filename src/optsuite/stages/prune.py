"""Magnitude pruning with TFMOT."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from optsuite.spec.invariant import Invariant
from optsuite.spec.layers import by_layer
from optsuite.spec.settings import check_setting
from optsuite.spec.stage import Stage
from optsuite.spec.task import Task
from optsuite.stages.fit import fit, total_steps
from optsuite.units import Fraction


@dataclass(frozen=True, kw_only=True)
class Prune(Stage):
    """Set the smallest weights of each kernel that TFMOT prunes to zero, step by step.

    The sparsity rises by a cubic (Zhu and Gupta 2017, arXiv:1710.01878). The rest of the training recovers at the full
    sparsity.

    Attributes:
        sparsity: The share of each kernel's weights that are zero at the end, a fraction; or one for each pattern of
            layer names, the first that matches counting. Layers that no pattern matches are not pruned.
        skip: Patterns of the names of layers that are not pruned.
        ramp: The share of the training steps over which the sparsity rises, a fraction.

    Raises:
        OptsuiteError: The sparsity or the ramp is out of its range.

    """

    sparsity: Fraction | Mapping[str, Fraction]
    skip: tuple[str, ...] = ()
    ramp: float = 0.3

    guarantees = ("sparsity",)

    def __post_init__(self) -> None:
        """Refuse what TFMOT would refuse after the training."""
        check_setting("Prune", "sparsity", self.sparsity, "from 0 to less than 1", lambda value: 0 <= value < 1)
        check_setting("Prune", "ramp", self.ramp, "from 0 to 1", lambda value: 0 <= value <= 1)

    def wrap(self, model: Any, task: Task) -> Any:
        from optsuite.keras import dense_kernels, keras, tfmot

        pruning = tfmot.sparsity.keras
        sparsities = by_layer(self.sparsity, [layer.name for layer, _ in dense_kernels(model)], self.skip)
        steps = total_steps(task)
        # Often enough for a smooth ramp, also in the few steps of the smoke profile.
        frequency = max(1, steps // 100)

        def schedule(sparsity: float) -> Any:
            return pruning.PolynomialDecay(
                initial_sparsity=0.0,
                final_sparsity=sparsity,
                begin_step=0,
                # TFMOT prunes at multiples of the frequency alone: any other end is never reached.
                end_step=frequency * max(1, int(self.ramp * steps) // frequency),
                frequency=frequency,
            )

        task.invariants = {name: Invariant(sparsity=sparsity) for name, sparsity in sparsities.items()}
        return keras.models.clone_model(
            model,
            clone_function=lambda layer: (
                pruning.prune_low_magnitude(layer, pruning_schedule=schedule(sparsities[layer.name]))
                if layer.name in sparsities
                else layer
            ),
        )

    def apply(self, model: Any, task: Task) -> Any:
        from optsuite.keras import tfmot

        pruning = tfmot.sparsity.keras
        wrapped = self.wrap(model, task)
        fit(wrapped, task, callbacks=[pruning.UpdatePruningStep()])
        return pruning.strip_pruning(wrapped)
