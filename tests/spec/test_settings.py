"""Settings are checked where they are written: an error names the setting, what was expected and what it got."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from optsuite.errors import OptsuiteError
from optsuite.spec.model import Schedule
from optsuite.stages.cluster import Cluster
from optsuite.stages.distill import Distill
from optsuite.stages.prune import Prune
from optsuite.stages.qat import QAT

TEXT: Any = "0.5"
FLOAT: Any = 8.0
SIX: Any = 6


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Prune(sparsity=80), "Prune: expected sparsity to be from 0 to less than 1, got 80"),
        (lambda: Prune(sparsity=1.0), "Prune: expected sparsity to be from 0 to less than 1, got 1.0"),
        (lambda: Prune(sparsity={"*": TEXT}), "Prune: expected sparsity to be from 0 to less than 1, got '0.5'"),
        (
            lambda: Prune(sparsity={"*": 0.5, "dense*": 0.9}),
            "Prune: expected sparsity to have 'dense*' before '*', which matches the same layers: the first pattern "
            "that matches counts",
        ),
        (lambda: Prune(sparsity=0.5, ramp=2), "Prune: expected ramp to be from 0 to 1, got 2"),
        (lambda: Cluster(clusters=1), "Cluster: expected clusters to be an integer of at least 2, got 1"),
        (lambda: Cluster(clusters=FLOAT), "Cluster: expected clusters to be an integer of at least 2, got 8.0"),
        (
            lambda: Cluster(clusters={"a": 8, "*": 0}),
            "Cluster: expected clusters to be an integer of at least 2, got 0",
        ),
        (lambda: QAT(bits=SIX), "QAT: expected bits to be 4 or 8, got 6"),
        (lambda: Distill(teacher="conv", temperature=0), "Distill: expected temperature to be over 0, got 0"),
        (lambda: Distill(teacher="conv", weight=70), "Distill: expected weight to be from 0 to 1, got 70"),
        (lambda: Schedule(epochs=0, peak_lr=1e-3), "Schedule: expected epochs to be an integer of at least 1, got 0"),
        (
            lambda: Schedule(epochs=True, peak_lr=1e-3),
            "Schedule: expected epochs to be an integer of at least 1, got True",
        ),
        (lambda: Schedule(epochs=1, peak_lr=0), "Schedule: expected peak_lr to be over 0, got 0"),
        (lambda: Schedule(epochs=1, peak_lr=1, warmup=5), "Schedule: expected warmup to be from 0 to 1, got 5"),
    ],
)
def test_what_is_out_of_its_range_is_refused(make: Callable[[], object], message: str) -> None:
    """Prune(sparsity=80) failed inside TFMOT, after the training, in TFMOT's words."""
    with pytest.raises(OptsuiteError) as error:
        make()
    assert str(error.value) == message
