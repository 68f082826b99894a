"""What the weights of a run's models came to: what was promised of them, and what they can be compressed to."""

from __future__ import annotations

from typing import Any

import pandas as pd

from optsuite.judge.invariants import in_force
from optsuite.report.tables import selected
from optsuite.results.run import Run


def invariants(run: Run) -> pd.DataFrame:
    """What pruning and clustering left, in Keras and in the int8 file, and whether it is owed or only shown.

    `zeros` is the least share of any layer that was pruned; `values` the most of any layer that was clustered, in the
    file those of one output channel.
    """
    lines = []
    for built in selected(run):
        promised = {
            invariant: {
                name
                for stage in built.info.stages
                if getattr(stage.invariant, invariant) is not None
                for name in stage.layers
            }
            for invariant in ("sparsity", "clusters")
        }
        if not any(promised.values()):
            continue
        left = in_force(built.info.stages)
        row = run.row(built.id, "int8")
        line: dict[str, Any] = {"exp_id": built.id}
        for invariant, names in promised.items():
            kept = any(getattr(one, invariant) is not None for one in left.values())
            line[invariant] = ("owed" if kept else "lost by design") if names else pd.NA
        for place, layers in (("keras", built.info.layers), ("int8", row.measured.weights if row else ())):
            pruned = [layer.zeros / layer.size for layer in layers if layer.name in promised["sparsity"]]
            values = [
                layer.unique if place == "keras" else layer.channel_unique
                for layer in layers
                if layer.name in promised["clusters"]
            ]
            line[f"zeros_{place}"] = min(pruned, default=pd.NA)
            line[f"values_{place}"] = max(values, default=pd.NA)
        line["prunable"] = built.prunable
        lines.append(line)
    return pd.DataFrame(lines)


def compression(run: Run) -> pd.DataFrame:
    """What the files weigh, what they weigh compressed, and what their kernels can't get under."""
    lines = []
    for built in selected(run):
        line: dict[str, Any] = {"exp_id": built.id}
        for name in ("fp32", "int8"):
            row = run.row(built.id, name)
            line |= {
                f"{name}_{figure}": pd.NA if row is None else round(getattr(row.measured, figure))
                for figure in ("bytes", "gzip_bytes", "entropy_bytes")
            }
        lines.append(line)
    return pd.DataFrame(lines)
