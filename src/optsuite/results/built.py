"""The record of an experiment: its Keras model, as the build knows it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from optsuite.errors import OptsuiteError
from optsuite.results.answers import Answers
from optsuite.results.kernels import LayerWeights
from optsuite.results.model import ModelInfo
from optsuite.units import Count, Fraction


@dataclass(frozen=True, kw_only=True)
class Built:
    """An experiment, and what its Keras model answers. `kind` is the recipe's name; `budget` bounds its drop.

    A file that was not built here is of the kind "file", and nothing is known of its Keras model.
    """

    id: str
    dataset: str
    model: str
    recipe: str
    seed: Count
    budget: Fraction
    info: ModelInfo = field(repr=False)
    test: Answers | None
    validation: Answers | None

    @property
    def answers(self) -> Answers:
        """What its Keras model answers to the test images; OptsuiteError for a file that was not built here."""
        if self.test is None:
            raise OptsuiteError(f"{self.id} is a file: nothing is known of its Keras model")
        return self.test

    @property
    def model_recipe(self) -> str:
        """The experiment without its seed: model and recipe."""
        return f"{self.model}_{self.recipe}"

    @property
    def epochs(self) -> int:
        """Over all stages."""
        return sum(stage.epochs for stage in self.info.stages)

    @property
    def flops(self) -> int:
        """2 x MACs."""
        return 2 * self.info.macs

    @property
    def sparsity(self) -> float:
        """Zeros over all kernel weights, a fraction."""
        return _share([layer.zeros for layer in self.info.layers], self.info.layers)

    @property
    def prunable(self) -> float | None:
        """The share of the kernel weights that pruning touched, a fraction; None where nothing was pruned."""
        touched = {name for stage in self.info.stages if stage.stage == "prune" for name in stage.layers}
        if not touched:
            return None
        return _share([layer.size for layer in self.info.layers if layer.name in touched], self.info.layers)


def _share(parts: Sequence[int], layers: Sequence[LayerWeights]) -> float:
    return sum(parts) / max(1, sum(layer.size for layer in layers))
