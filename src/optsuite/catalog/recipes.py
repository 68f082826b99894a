"""The catalogue of recipes: each a name, its stages in order, and the accuracy that it may cost."""

from __future__ import annotations

from optsuite.spec.names import by_name
from optsuite.spec.recipe import Recipe
from optsuite.stages.cluster import Cluster
from optsuite.stages.distill import Distill
from optsuite.stages.finetune import Finetune
from optsuite.stages.prune import Prune
from optsuite.stages.qat import QAT

PIPELINES = (
    "baseline",
    "prune-0.8",
    "qat",
    "cluster-8",
    "cluster-8_qat",
    "cluster-8_cqat",
    "prune-0.8_qat",
    "prune-0.8_pqat",
    "prune-0.8_cluster-8",
    "prune-0.8_cluster-8_qat",
    "prune-0.8_cluster-8_pcqat",
)
"""TFMOT's tree of collaborative optimisation, in the order of the published table."""

_PRUNE = Prune(sparsity=0.8)
_CLUSTER = Cluster(clusters=8)
_SPARSE_CLUSTER = Cluster(clusters=8, preserve=("sparsity",))
_KD = Distill(teacher="conv")

BASELINE = Recipe(name="baseline", stages=(), budget=0.0)
"""The recipe without stages: what the accuracy drop of every other recipe is measured against."""

FINETUNE = Recipe(name="finetune", stages=(Finetune(),))
"""The control of a trained model's recipes: they train it further, its baseline does not."""

USUAL = ("baseline", "qat", "prune-0.8", "cluster-8")
"""What is run of a model that names no recipes, beside the user's own recipes."""

RECIPES = by_name(
    BASELINE,
    FINETUNE,
    Recipe(name="qat", stages=(QAT(),)),
    Recipe(name="qat-4", stages=(QAT(bits=4),)),
    Recipe(name="prune-0.8", stages=(_PRUNE,)),
    Recipe(name="cluster-8", stages=(_CLUSTER,)),
    Recipe(name="cluster-8_qat", stages=(_CLUSTER, QAT())),
    Recipe(name="cluster-8_cqat", stages=(_CLUSTER, QAT(preserve=("clusters",)))),
    Recipe(name="prune-0.8_qat", stages=(_PRUNE, QAT())),
    Recipe(name="prune-0.8_pqat", stages=(_PRUNE, QAT(preserve=("sparsity",)))),
    Recipe(name="prune-0.8_cluster-8", stages=(_PRUNE, _SPARSE_CLUSTER)),
    Recipe(name="prune-0.8_cluster-8_qat", stages=(_PRUNE, _SPARSE_CLUSTER, QAT())),
    Recipe(
        name="prune-0.8_cluster-8_pcqat",
        stages=(_PRUNE, _SPARSE_CLUSTER, QAT(preserve=("sparsity", "clusters"))),
    ),
    Recipe(name="kd", stages=(_KD,)),
    Recipe(name="kd_prune-0.8_pqat", stages=(_KD, _PRUNE, QAT(preserve=("sparsity",)))),
)
