"""A rehearsal: whether a stage can transform a model, found out before the model is trained."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from optsuite.errors import OptsuiteError
from optsuite.spec.artifact import ABSENT, REHEARSED, Artifact
from optsuite.spec.stage import Conversion, Stage
from optsuite.spec.task import Task
from optsuite.stages.train import FirstStage


@dataclass(frozen=True, kw_only=True)
class Rehearsal(Conversion):
    """Let a stage wrap a new model.

    The artifact holds the reason under `ABSENT` where it can't.

    Attributes:
        first: The stage that makes the model.
        stage: The stage that is tried.

    """

    first: FirstStage
    stage: Stage

    def run(self, task: Task) -> Artifact:
        from optsuite.keras import kernels

        model = self.first.new(task)
        if "clusters" in self.stage.preserve:
            # It makes a variable for each value that a kernel has: few after clustering, as many as weights before.
            for _, kernel in kernels(model):
                kernel.assign(np.sign(kernel.numpy()))
        try:
            self.stage.wrap(model, task)
        except OptsuiteError as error:
            return {ABSENT: str(error).encode()}
        return {REHEARSED: b""}
