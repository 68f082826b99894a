"""Fine-tuning alone: what the training of a stage brings without what else the stage does."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from optsuite.spec.stage import Stage
from optsuite.spec.task import Task
from optsuite.stages.fit import fit


@dataclass(frozen=True, kw_only=True)
class Finetune(Stage):
    """Go on training by the model's schedule. Nothing else is changed."""

    def apply(self, model: Any, task: Task) -> Any:
        fit(model, task)
        return model
