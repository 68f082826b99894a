"""Weight clustering with TFMOT."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from optsuite.errors import OptsuiteError
from optsuite.spec.invariant import Invariant, InvariantName
from optsuite.spec.stage import Stage
from optsuite.spec.task import Task
from optsuite.stages.fit import fit


@dataclass(frozen=True, kw_only=True)
class Cluster(Stage):
    """Give each kernel that TFMOT clusters few distinct values, and fine-tune them.

    Attributes:
        clusters: The most distinct values that a kernel has.
        preserve: The invariants to preserve; with "sparsity" one of the values is zero, and every zero stays.

    Raises:
        OptsuiteError: A kernel has fewer weights than `clusters`.

    """

    clusters: int
    preserve: tuple[InvariantName, ...] = ()

    @property
    def invariant(self) -> Invariant:
        return Invariant(clusters=self.clusters)

    def apply(self, model: Any, task: Task) -> Any:
        from optsuite.keras import cluster_weights, keras, kernels, tfmot

        for layer, kernel in kernels(model):
            weights = kernel.numpy()
            # TFMOT leaves out depthwise kernels, and small kernels of Conv2D layers.
            left_out = (
                weights.size <= self.clusters if type(layer) is keras.layers.Conv2D else "depthwise" in kernel.name
            )
            if not left_out and self._too_few(weights):
                raise OptsuiteError(
                    f"layer {layer.name} has {np.count_nonzero(weights)} weights that are not zero, too few for "
                    f"{self.clusters} clusters; leave this recipe out of the model's `recipes`"
                )
        clustering = tfmot.clustering.keras
        wrapped = cluster_weights(
            model,
            number_of_clusters=self.clusters,
            cluster_centroids_init=clustering.CentroidInitialization.KMEANS_PLUS_PLUS,
            preserve_sparsity="sparsity" in self.preserve,
        )
        task.layers = [layer.layer.name for layer in wrapped.layers if getattr(layer, "cluster_centroids", ())]
        fit(wrapped, task)
        return clustering.strip_clustering(wrapped)

    def _too_few(self, weights: np.ndarray) -> bool:
        """Whether TFMOT would draw more centroids than there are weights; where zeros stay, it draws for each sign."""
        if "sparsity" not in self.preserve:
            return weights.size < self.clusters
        negative, positive = int((weights < 0).sum()), int((weights > 0).sum())
        below = round((self.clusters - 1) * negative / max(1, negative + positive))  # TFMOT's share of them
        return negative + positive > 0 and (below > negative or self.clusters - 1 - below > positive)
