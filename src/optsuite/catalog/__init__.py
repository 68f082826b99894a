"""The public names for catalogue files: `from optsuite.catalog import Model, Recipe, Schedule, ...`."""

from __future__ import annotations

from optsuite.catalog.loaders.folder import from_folder
from optsuite.catalog.loaders.npz import from_npz
from optsuite.catalog.loaders.tfdata import from_tfdata
from optsuite.examine.examination import Examination, ExaminationTask
from optsuite.examine.target import Target
from optsuite.results.examined import Findings
from optsuite.results.figures import Figure
from optsuite.spec.data import Dataset, Split
from optsuite.spec.invariant import Invariant
from optsuite.spec.metric import MeanAbsoluteError, Metric, TopK
from optsuite.spec.model import Model, Schedule
from optsuite.spec.recipe import Recipe
from optsuite.spec.stage import Stage
from optsuite.spec.variant import Variant
from optsuite.stages.cluster import Cluster
from optsuite.stages.convert import Convert
from optsuite.stages.distill import Distill
from optsuite.stages.finetune import Finetune
from optsuite.stages.mixed import Mixed
from optsuite.stages.prune import Prune
from optsuite.stages.qat import QAT
from optsuite.stages.quantize import Quantize

__all__ = [
    "QAT",
    "Cluster",
    "Convert",
    "Dataset",
    "Distill",
    "Examination",
    "ExaminationTask",
    "Figure",
    "Findings",
    "Finetune",
    "Invariant",
    "MeanAbsoluteError",
    "Metric",
    "Mixed",
    "Model",
    "Prune",
    "Quantize",
    "Recipe",
    "Schedule",
    "Split",
    "Stage",
    "Target",
    "TopK",
    "Variant",
    "from_folder",
    "from_npz",
    "from_tfdata",
]
