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
    """The record of an experiment's Keras model.

    Attributes:
        id: The id of the experiment.
        dataset: The name of the dataset.
        model: The name of the model.
        recipe: The name of the recipe; "file" for a file that was not built here.
        seed: The seed.
        budget: The accuracy drop against the baseline that the recipe may cause, a fraction.
        info: The record of the build.
        test: The scores on the test split; None for a file that was not built here.
        validation: The scores on the validation split; None for a file that was not built here.

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
        """The scores on the test split; OptsuiteError for a file that was not built here."""
        if self.test is None:
            raise OptsuiteError(f"{self.id} is a file that was not built here: its Keras model is not known")
        return self.test

    @property
    def model_recipe(self) -> str:
        """The experiment without its seed, as MODEL_RECIPE; DATASET/MODEL_RECIPE in a run of several datasets."""
        return f"{self.model_id}_{self.recipe}"

    @property
    def model_id(self) -> str:
        """The model, as MODEL; DATASET/MODEL in a run of several datasets."""
        return f"{self.dataset}/{self.model}" if self.id.startswith(f"{self.dataset}/") else self.model

    @property
    def epochs(self) -> int:
        """The number of epochs over all stages."""
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
        touched = {name for stage in self.info.stages if stage.stage == "prune" for name in stage.invariants}
        if not touched:
            return None
        return _share([layer.size for layer in self.info.layers if layer.name in touched], self.info.layers)


def _share(parts: Sequence[int], layers: Sequence[LayerWeights]) -> float:
    return sum(parts) / max(1, sum(layer.size for layer in layers))
