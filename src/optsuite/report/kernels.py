"""The tables about kernels: which invariants hold, and how far files can be compressed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pandas as pd

from optsuite.judge.invariants import in_force
from optsuite.report.tables import selected
from optsuite.results.built import Built
from optsuite.results.kernels import LayerWeights
from optsuite.results.run import Run
from optsuite.spec.invariant import InvariantName


def invariants(run: Run) -> pd.DataFrame:
    """Return what pruning and clustering left in the Keras model and in the int8 file, one line per experiment.

    Columns:
        exp_id: The experiment.
        sparsity, clusters: Whether the invariant is in force after the last stage.
        zeros_keras, zeros_int8: The least share of zeros of any pruned layer, a fraction.
        values_keras, values_int8: The most distinct values of any clustered layer; in the file, per output channel.
        prunable: The share of the kernel weights that pruning touched, a fraction.

    """
    lines = []
    for built in selected(run):
        pruned, clustered = _transformed(built, "sparsity"), _transformed(built, "clusters")
        if not (pruned or clustered):
            continue
        row = run.row(built.id, "int8")
        kernels_of_file: Sequence[LayerWeights] = row.measured.weights if row else ()
        lines.append(
            {
                "exp_id": built.id,
                "sparsity": _state(built, "sparsity") if pruned else pd.NA,
                "clusters": _state(built, "clusters") if clustered else pd.NA,
                "zeros_keras": _least_zeros(built.info.layers, pruned),
                "values_keras": max((one.unique for one in built.info.layers if one.name in clustered), default=pd.NA),
                "zeros_int8": _least_zeros(kernels_of_file, pruned),
                "values_int8": max(
                    (one.channel_unique for one in kernels_of_file if one.name in clustered), default=pd.NA
                ),
                "prunable": built.prunable,
            }
        )
    return pd.DataFrame(lines)


def _transformed(built: Built, name: InvariantName) -> set[str]:
    """The layers of which some stage guaranteed the invariant."""
    return {
        layer
        for stage in built.info.stages
        for layer, invariant in stage.invariants.items()
        if getattr(invariant, name) is not None
    }


def _state(built: Built, name: InvariantName) -> str:
    invariants = in_force(built.info.stages).values()
    return "in force" if any(getattr(one, name) is not None for one in invariants) else "not preserved"


def _least_zeros(kernels: Sequence[LayerWeights], layers: set[str]) -> Any:
    return min((kernel.zeros / kernel.size for kernel in kernels if kernel.name in layers), default=pd.NA)


def bits(run: Run) -> pd.DataFrame:
    """Return the bits that were chosen for the layers of files, and what they were chosen by.

    Columns:
        exp_id, variant: The file.
        layer: The layer.
        weights: How many weights it has.
        bits: How many bits each of them was given.
        lost: The accuracy on the validation set that 4 bits in this layer alone lose, a fraction; NA where it can't
            have them.
        saved_bytes: How many bytes they save there.

    """
    return pd.DataFrame(
        [
            {
                "exp_id": row.measured.experiment,
                "variant": row.measured.variant,
                "layer": one.layer,
                "weights": one.weights,
                "bits": one.bits,
                "lost": pd.NA if one.lost is None else one.lost,
                "saved_bytes": one.saved_bytes,
            }
            for row in run.rows
            for one in row.measured.bits
        ]
    )


def compression(run: Run) -> pd.DataFrame:
    """Return the sizes of the fp32, int8 and int4 files, after gzip, and the entropy of their kernels, in bytes."""
    shown = [name for name in ("fp32", "int8", "int4") if name in run.header.variants]
    lines = []
    for built in selected(run):
        line: dict[str, Any] = {"exp_id": built.id}
        for name in shown:
            row = run.row(built.id, name)
            line |= {
                f"{name}_{figure}": pd.NA if row is None else round(getattr(row.measured, figure))
                for figure in ("bytes", "gzip_bytes", "entropy_bytes")
            }
        lines.append(line)
    return pd.DataFrame(lines)
