"""Magnitude pruning with TFMOT."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from optsuite.spec.invariant import Invariant
from optsuite.spec.stage import Stage
from optsuite.spec.task import Task
from optsuite.stages.fit import fit, total_steps


@dataclass(frozen=True, kw_only=True)
class Prune(Stage):
    """Set the smallest weights of each kernel that TFMOT prunes to zero, step by step.

    The sparsity rises by a cubic (Zhu and Gupta 2017, arXiv:1710.01878). The rest of the training recovers at the full
    sparsity.

    Attributes:
        sparsity: The share of each kernel's weights that are zero at the end, a fraction.
        ramp: The share of the training steps over which the sparsity rises, a fraction.

    """

    sparsity: float
    ramp: float = 0.3

    @property
    def invariant(self) -> Invariant:
        return Invariant(sparsity=self.sparsity)

    def apply(self, model: Any, task: Task) -> Any:
        from optsuite.keras import keras, prune_registry, tfmot

        sparsity = tfmot.sparsity.keras
        steps = total_steps(task)
        # Often enough for a smooth ramp, also in the few steps of the smoke profile.
        frequency = max(1, steps // 100)
        schedule = sparsity.PolynomialDecay(
            initial_sparsity=0.0,
            final_sparsity=self.sparsity,
            begin_step=0,
            # TFMOT prunes at multiples of the frequency alone: any other end is never reached.
            end_step=frequency * max(1, int(self.ramp * steps) // frequency),
            frequency=frequency,
        )
        # Given a whole model it fails on the layers that it does not know, though they have nothing to prune.
        wrapped = keras.models.clone_model(
            model,
            clone_function=lambda layer: (
                sparsity.prune_low_magnitude(layer, pruning_schedule=schedule)
                if prune_registry.PruneRegistry.supports(layer)
                else layer
            ),
        )
        task.layers = [layer.layer.name for layer in wrapped.layers if getattr(layer, "pruning_vars", ())]
        fit(wrapped, task, callbacks=[sparsity.UpdatePruningStep()])
        return sparsity.strip_pruning(wrapped)
