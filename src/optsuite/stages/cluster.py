"""Weight clustering with TFMOT."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from optsuite.spec import Stage
from optsuite.stages.train import fit

if TYPE_CHECKING:
    from optsuite.build import Task


@dataclass(frozen=True, kw_only=True)
class Cluster(Stage):
    """Let each kernel that TFMOT clusters have at most `clusters` distinct values, and fine-tune them."""

    clusters: int

    def apply(self, model: Any, task: Task) -> Any:
        from optsuite.keras import tfmot

        clustering = tfmot.clustering.keras
        wrapped = clustering.cluster_weights(
            model,
            number_of_clusters=self.clusters,
            cluster_centroids_init=clustering.CentroidInitialization.KMEANS_PLUS_PLUS,
        )
        clustered = [layer.layer.name for layer in wrapped.layers if getattr(layer, "cluster_centroids", ())]
        fit(wrapped, task, layers=clustered)
        return clustering.strip_clustering(wrapped)
