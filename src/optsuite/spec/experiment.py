"""An experiment, and the profile that limits how much work is spent on it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from optsuite.spec.data import Dataset, Split
from optsuite.spec.model import Model, Schedule
from optsuite.spec.recipe import Recipe
from optsuite.spec.stage import Conversion
from optsuite.spec.variant import Variant


@dataclass(frozen=True, kw_only=True)
class Profile:
    """How much work a run spends on each experiment.

    Attributes:
        name: The name, for options and file names.
        train_images: The most training images; None for all.
        eval_images: The most validation images, and the most test images; None for all.
        max_epochs: The most epochs of a stage; None for those of its schedule.
        max_steps: The most optimiser steps of a stage; None for no limit.
        max_macs: The most multiply-accumulates of the forward passes of a stage's training; None for no limit.
        min_budget: No budget is less than this fraction.
        rounds: How many calls of each row are timed.
        slow_examinations: Whether slow examinations are among the default ones.

    """

    name: str
    train_images: int | None = None
    eval_images: int | None = None
    max_epochs: int | None = None
    max_steps: int | None = None
    max_macs: int | None = None
    min_budget: float = 0.0
    rounds: int = 1_000
    slow_examinations: bool = True

    def split(self, dataset: Dataset, name: str) -> Split:
        """Return as much of a dataset's split as the profile allows."""
        return dataset.split(name).first(self.train_images if name == "train" else self.eval_images)

    def epochs(self, schedule: Schedule) -> int:
        """Return the number of epochs that the profile allows of a schedule."""
        return schedule.epochs if self.max_epochs is None else min(schedule.epochs, self.max_epochs)


@dataclass(frozen=True, kw_only=True)
class Experiment:
    """A dataset, a model, a recipe and a seed.

    Attributes:
        dataset: The dataset.
        model: The model.
        recipe: The recipe.
        seed: The training seed.
        among_datasets: Whether the run has other datasets, too.

    """

    dataset: Dataset
    model: Model
    recipe: Recipe
    seed: int
    among_datasets: bool = False

    @property
    def name(self) -> str:
        """The name among the experiments of the dataset, such as "conv_prune-0.8_s0"."""
        return f"{self.model.name}_{self.recipe.name}_s{self.seed}"

    @property
    def id(self) -> str:
        """The name in options and tables: in a run of several datasets it is "mnist/conv_prune-0.8_s0"."""
        return f"{self.dataset.name}/{self.name}" if self.among_datasets else self.name

    @property
    def model_recipe(self) -> str:
        """The id without the seed."""
        return self.id.removesuffix(f"_s{self.seed}")


class Candidate(NamedTuple):
    """A variant of an experiment: one thing to build and to measure."""

    experiment: Experiment
    variant: Variant

    @property
    def conversion(self) -> Conversion | None:
        """How the Keras model is converted, None for the model itself; OptsuiteError where the two don't fit."""
        return self.variant.conversion(self.experiment.recipe.quantized_bits)
