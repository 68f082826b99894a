"""The catalogue of recipes: each a name, its stages in order, and the accuracy that it may cost."""

from __future__ import annotations

from optsuite.spec import Recipe, catalogue
from optsuite.stages.cluster import Cluster
from optsuite.stages.distill import Distill
from optsuite.stages.prune import Prune
from optsuite.stages.qat import QAT

RECIPES = catalogue(
    Recipe(name="baseline", stages=(), budget=0.0),
    Recipe(name="qat", stages=(QAT(),), budget=0.005),
    Recipe(name="prune-0.8", stages=(Prune(sparsity=0.8),), budget=0.005),
    Recipe(name="cluster-8", stages=(Cluster(clusters=8),), budget=0.005),
    Recipe(name="kd", stages=(Distill(teacher="conv"),), budget=0.005),
)
