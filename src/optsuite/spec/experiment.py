"""An experiment, and the profile that limits how much work is spent on it."""

from __future__ import annotations

from dataclasses import dataclass

from optsuite.spec.data import Dataset, Split
from optsuite.spec.model import Model, Schedule
from optsuite.spec.recipe import Recipe


@dataclass(frozen=True, kw_only=True)
class Profile:
    """How much work to spend: at most so many images, epochs and optimiser steps a stage (None: all).

    No budget is under `min_budget`.
    """

    name: str
    train_images: int | None = None
    eval_images: int | None = None
    max_epochs: int | None = None
    max_steps: int | None = None
    min_budget: float = 0.0

    def split(self, dataset: Dataset, name: str) -> Split:
        """What it allows of a dataset's split."""
        return dataset.load(name).first(self.train_images if name == "train" else self.eval_images)

    def epochs(self, schedule: Schedule) -> int:
        return schedule.epochs if self.max_epochs is None else min(schedule.epochs, self.max_epochs)


@dataclass(frozen=True, kw_only=True)
class Experiment:
    """dataset x model x recipe x seed."""

    dataset: Dataset
    model: Model
    recipe: Recipe
    seed: int

    @property
    def id(self) -> str:
        return f"{self.model.name}_{self.recipe.name}_s{self.seed}"
