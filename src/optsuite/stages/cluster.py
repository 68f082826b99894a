"""Weight clustering with TFMOT."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from optsuite.spec import Invariant, OptsuiteError, Promise, Stage
from optsuite.stages.train import fit

if TYPE_CHECKING:
    from optsuite.build import Task


@dataclass(frozen=True, kw_only=True)
class Cluster(Stage):
    """Let each kernel that TFMOT clusters have at most `clusters` distinct values, and fine-tune them.

    With `preserve=("sparsity",)` one of the values is zero, and every zero stays.
    """

    clusters: int
    preserve: tuple[Invariant, ...] = ()

    @property
    def promise(self) -> Promise:
        return Promise(clusters=self.clusters)

    def apply(self, model: Any, task: Task) -> Any:
        from optsuite.keras import cluster_weights, keras, kernels, tfmot

        for layer, kernel in kernels(model):
            # Of Conv2D layers TFMOT leaves out those that are so small; on others it fails.
            if math.prod(kernel.shape) < self.clusters and isinstance(layer, keras.layers.Dense | keras.layers.Conv1D):
                raise OptsuiteError(
                    f"layer {layer.name} has {math.prod(kernel.shape)} weights; accepted to be clustered are at least "
                    f"{self.clusters}"
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
