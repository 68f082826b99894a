"""Rehearsals: what is found out of a model before it is trained: its size, and whether stages can transform it."""

from __future__ import annotations

from dataclasses import dataclass

import msgspec
import numpy as np

from optsuite.errors import OptsuiteError
from optsuite.spec.artifact import ABSENT, REHEARSED, Artifact
from optsuite.spec.model import Size
from optsuite.spec.stage import Conversion, Stage
from optsuite.spec.task import Task
from optsuite.stages.train import FirstStage


@dataclass(frozen=True, kw_only=True)
class Trial(Conversion):
    """Make a new model, and check it and its data. The artifact holds its `Size` as JSON under `REHEARSED`.

    Attributes:
        first: The stage that makes the model.

    """

    sort = "trial"
    first: FirstStage

    def run(self, task: Task) -> Artifact:
        from optsuite.keras import macs

        size = Size(macs=macs(self.first.new(task)), images=len(task.splits["train"].x))
        return {REHEARSED: msgspec.json.encode(size)}


@dataclass(frozen=True, kw_only=True)
class Rehearsal(Conversion):
    """Let a stage wrap a new model.

    The artifact holds the reason under `ABSENT` where it can't.

    Attributes:
        first: The stage that makes the model.
        stage: The stage that is tried.

    """

    sort = "trial"
    first: FirstStage
    stage: Stage

    def run(self, task: Task) -> Artifact:
        from optsuite.keras import kernels

        task.parent = None  # the trial's artifact has no model
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
