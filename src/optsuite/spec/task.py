"""A task: what a build step's action is given, and what it records on the way."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from optsuite.spec.artifact import MODEL, OUTPUTS, Artifact, may_run_code, unpack_arrays
from optsuite.spec.data import Dataset, Split
from optsuite.spec.invariant import Invariant
from optsuite.spec.model import OwnFit, Schedule

ASSUMED_BATCH = 128
"""The inputs of a batch where the user's function trains: what it takes is not known."""
_FEWEST_STEPS = 10
_PROBE_INPUTS = 32
"""How many answers of a new model show whether they are probabilities."""


@dataclass(kw_only=True)
class Task:
    """What an action is given to do its work.

    Attributes:
        dataset: The dataset; its `metric` is what models are trained for.
        splits: "train", "validation" and "test": as much of each as the profile allows.
        seed: The seed of the experiment. Every random number of the action is drawn by it.
        schedule: How to train, with epochs as the profile allows; None for an action that trains nothing.
        own_fit: The user's function that trains in the place of a schedule.
        max_steps: The most optimiser steps that the action may take; None for no limit.
        max_macs: The most multiply-accumulates of the forward passes that the action may train with; None for no limit.
        trust: Whether the model may have layers that run any code.
        parent: The artifact of the model to start from; None for a first stage.
        teacher: The artifact with the teacher's answers, for a stage that learns from a teacher.
        history: Set by the action: a list of one value per epoch for "loss", "accuracy" and "val_accuracy".
        invariants: Set by the action: what holds after the stage for the weights of layers, by their names.
        note: Set by the action: what else is worth knowing of the result.

    """

    dataset: Dataset
    splits: Mapping[str, Split] = field(repr=False)
    seed: int
    schedule: Schedule | None = None
    own_fit: OwnFit | None = None
    max_steps: int | None = None
    max_macs: int | None = None
    trust: bool = False
    parent: Artifact | None = field(default=None, repr=False)
    teacher: Artifact | None = field(default=None, repr=False)
    history: Mapping[str, Sequence[float]] = field(default_factory=dict)
    invariants: Mapping[str, Invariant] = field(default_factory=dict)
    note: str = ""

    def parent_model(self) -> Any:
        """Load the parent's Keras model anew, as TFMOT's wrappers share variables; None for a first stage."""
        from optsuite import keras

        if self.parent is None:
            return None
        return keras.load(self.parent[MODEL], trust=may_run_code(self.parent, trust=self.trust))

    def limit(self, macs: int) -> None:
        """Lower `max_steps` to what `max_macs` allows for a model of `macs` multiply-accumulates an input."""
        if self.max_macs is not None:
            batch = self.schedule.batch if self.schedule else ASSUMED_BATCH
            steps = max(_FEWEST_STEPS, self.max_macs // max(1, batch * macs))
            self.max_steps = steps if self.max_steps is None else min(self.max_steps, steps)

    def probabilities(self, model: Any) -> bool:
        """Whether `model`, a new one or the parent's, answers with probabilities instead of logits."""
        from optsuite import keras

        if self.parent is None:
            answers = keras.outputs(model, self.splits["validation"].x[:_PROBE_INPUTS])
        else:
            answers = unpack_arrays(self.parent[OUTPUTS])["validation"]
        return bool((answers >= 0).all()) and np.allclose(answers.sum(axis=-1), 1, atol=1e-3)
