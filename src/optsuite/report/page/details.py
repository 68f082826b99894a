"""What the page shows of one experiment, and of each of its variants."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np

from optsuite.judge.invariants import in_force, violations
from optsuite.report.page import images
from optsuite.results.built import Built
from optsuite.results.kernels import LayerWeights
from optsuite.results.measured import Measured
from optsuite.results.run import Row, Run
from optsuite.spec.invariant import Invariant

_QUANTILES = np.linspace(0, 1, 201)


def experiment(run: Run, built: Built) -> dict[str, Any]:
    """Return the details of an experiment that all its variants share."""
    baseline = run.baseline(built)
    return {
        "baseline": baseline.id if baseline else None,
        "is_baseline": baseline is built,
        "budget": built.budget,
        "stages": [
            {
                "stage": stage.stage,
                "epochs": stage.epochs,
                "batch": stage.batch,
                "accuracy": stage.accuracy,
                "val_accuracy": stage.val_accuracy,
                "invariants": {layer: _words(invariant) for layer, invariant in stage.invariants.items()},
                "preserve": stage.preserve,
            }
            for stage in built.info.stages
        ],
    }


def _words(invariant: Invariant) -> str:
    parts = []
    if invariant.sparsity is not None:
        parts.append(f"{100 * invariant.sparsity:g} % zeros")
    if invariant.clusters is not None:
        parts.append(f"at most {invariant.clusters} values")
    return ", ".join(parts)


def variant(run: Run, built: Built, row: Row, changed: Sequence[int]) -> dict[str, Any]:
    """Return the details of a variant of an experiment that its line does not have."""
    measured, timing = row.measured, row.timing
    invariants = in_force(built.info.stages)
    mistakes = _mistakes(measured)
    ran = measured.execution
    return {
        "wrong": _wrong(run.header.data.labels, mistakes),
        "newly_wrong": len(changed),
        "shown": [[index, mistakes[index]] for index in changed[: images.MOST]],
        "quantiles_us": (1e6 * np.quantile(timing.rounds_s, _QUANTILES)).round(3).tolist()
        if timing.single_rounds
        else [],
        "layers": [
            _layer(layer, invariants.get(layer.name, Invariant()), in_file=ran is not None)
            for layer in measured.weights
        ],
        "execution": {
            "load_ms": 1e3 * ran.load_s,
            "first_ms": 1e3 * ran.first_invoke_s,
            "heap_bytes": ran.heap_bytes,
            "delegate": ran.delegate,
        }
        if ran
        else None,
    }


def _layer(layer: LayerWeights, invariant: Invariant, *, in_file: bool) -> dict[str, Any]:
    return {
        "name": layer.name,
        "size": layer.size,
        "zeros": layer.zeros / layer.size,
        "values": layer.channel_unique if in_file else layer.unique,
        "in_force": _words(invariant),
        "faults": [str(one) for one in violations({layer.name: invariant}, [layer], per_channel=in_file)],
        "low": layer.low,
        "high": layer.high,
        "histogram": layer.histogram,
    }


def _mistakes(measured: Measured) -> dict[int, int]:
    """Image -> the label that it was given, of those that were answered wrong."""
    if measured.test.graded:
        return {}
    return dict(zip(np.flatnonzero(~measured.test.correct()).tolist(), measured.mistakes, strict=True))


def _wrong(labels: Sequence[int], mistakes: dict[int, int]) -> list[tuple[int, int, int]]:
    """Label, answer and count of each kind of mistake."""
    counts = Counter((labels[image], given) for image, given in mistakes.items())
    return [(label, given, count) for (label, given), count in counts.items()]
