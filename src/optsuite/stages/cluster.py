"""Weight clustering with TFMOT."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from optsuite.errors import OptsuiteError
from optsuite.spec.invariant import Invariant, InvariantName
from optsuite.spec.layers import by_layer
from optsuite.spec.settings import check_setting, is_integer
from optsuite.spec.stage import Stage
from optsuite.spec.task import Task
from optsuite.stages.fit import fit


@dataclass(frozen=True, kw_only=True)
class Cluster(Stage):
    """Give each kernel that TFMOT clusters few distinct values, and fine-tune them.

    Attributes:
        clusters: The most distinct values that a kernel has; or a number for each pattern of layer names, the first
            that matches counting. Layers that no pattern matches are not clustered.
        skip: Patterns of the names of layers that are not clustered.
        preserve: The invariants to preserve; with "sparsity" one of the values is zero, and every zero stays.

    Raises:
        OptsuiteError: `clusters` is no integer of at least 2, or the kernel of a layer that is no Conv2D has fewer
            weights than that. A Conv2D layer with so few is left out.

    """

    clusters: int | Mapping[str, int]
    skip: tuple[str, ...] = ()
    preserve: tuple[InvariantName, ...] = ()

    guarantees = ("clusters",)

    def __post_init__(self) -> None:
        """Refuse what TFMOT would refuse after the training."""
        check_setting(
            "Cluster", "clusters", self.clusters, "an integer of at least 2", lambda value: is_integer(value, 2)
        )

    def wrap(self, model: Any, task: Task) -> Any:
        from optsuite.keras import cluster_weights, dense_kernels, keras, tfmot

        kernels = {layer.name: (layer, kernel.numpy()) for layer, kernel in dense_kernels(model)}
        numbers = by_layer(self.clusters, list(kernels), self.skip)
        # A small kernel of a Conv2D layer is left out, as TFMOT does.
        numbers = {
            name: number
            for name, number in numbers.items()
            if type(kernels[name][0]) is not keras.layers.Conv2D or kernels[name][1].size > number
        }
        for name, number in numbers.items():
            if self._too_few(kernels[name][1], number):
                raise OptsuiteError(
                    f"layer {name} has {np.count_nonzero(kernels[name][1])} weights that are not zero, too few for "
                    f"{number} clusters; leave it out (`skip`), or leave this recipe out of the model's `recipes`"
                )
        clustering = tfmot.clustering.keras
        task.invariants = {name: Invariant(clusters=number) for name, number in numbers.items()}
        return keras.models.clone_model(
            model,
            clone_function=lambda layer: (
                cluster_weights(
                    layer,
                    number_of_clusters=numbers[layer.name],
                    cluster_centroids_init=clustering.CentroidInitialization.KMEANS_PLUS_PLUS,
                    preserve_sparsity="sparsity" in self.preserve,
                )
                if layer.name in numbers
                else layer
            ),
        )

    def apply(self, model: Any, task: Task) -> Any:
        from optsuite.keras import tfmot

        wrapped = self.wrap(model, task)
        fit(wrapped, task)
        return tfmot.clustering.keras.strip_clustering(wrapped)

    def _too_few(self, weights: np.ndarray, clusters: int) -> bool:
        """Whether TFMOT would draw more centroids than there are weights; where zeros stay, it draws for each sign."""
        if "sparsity" not in self.preserve:
            return weights.size < clusters
        negative, positive = int((weights < 0).sum()), int((weights > 0).sum())
        below = round((clusters - 1) * negative / max(1, negative + positive))  # TFMOT's share of them
        return negative + positive > 0 and (below > negative or clusters - 1 - below > positive)
