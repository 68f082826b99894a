"""How the times of a run came about: where they go, how steady the machine was, how far they can be trusted."""

from __future__ import annotations

from statistics import median

import pandas as pd

from optsuite.calibration import Calibration, Tries
from optsuite.noise import Noise, noise
from optsuite.report.tables import selected
from optsuite.results import Row, Run


def execution(run: Run) -> pd.DataFrame:
    """One line a .tflite that was run: loading, first and steady call, memory, and MACs a second against the peak."""
    lines = []
    for built in selected(run):
        for row in run.rows:
            ran = row.measured.execution
            if row.measured.experiment != built.id or ran is None:
                continue
            speed = built.info.macs / row.timing.median_s
            peak = run.header.environment.peak_macs_per_s.get(ran.precision)
            lines.append(
                {
                    "exp_id": built.id,
                    "variant": row.measured.variant,
                    "load_ms": 1e3 * ran.load_s,
                    "first_ms": 1e3 * ran.first_invoke_s,
                    "median_ms": 1e3 * row.timing.median_s,
                    "heap_bytes": pd.NA if ran.heap_bytes is None else ran.heap_bytes,
                    "delegate": ran.delegate,
                    "precision": ran.precision,
                    "gmacs_per_s": speed / 1e9,
                    "peak_share": speed / peak if peak else pd.NA,
                }
            )
    return pd.DataFrame(lines)


def of_baselines(run: Run, lines: pd.DataFrame) -> pd.DataFrame:
    """The lines of each model's first baseline, or all where none was run: the others are much the same."""
    if lines.empty:
        return lines
    first = {built.model: built.id for built in reversed(selected(run)) if built.kind == "baseline"}
    chosen = lines[lines["exp_id"].isin(first.values())]
    return lines if chosen.empty else chosen


def slowdown(run: Run, variant: str, reference: str = "int8") -> float | None:
    """How many times as long as `reference` the variant takes: the median over the experiments that have both."""
    pairs: list[tuple[Row | None, Row | None]] = [
        (run.row(built.id, variant), run.row(built.id, reference)) for built in selected(run)
    ]
    ratios = [slow.timing.median_s / fast.timing.median_s for slow, fast in pairs if slow and fast]
    return median(ratios) if ratios else None


def steadiness(run: Run) -> Noise | None:
    """What the reference model says of the machine."""
    return noise(run)


def agreement(calibration: Calibration) -> pd.DataFrame:
    """Our path beside the runtime's own: with what a call costs, and without."""
    floor = calibration.floor
    return pd.DataFrame(
        {
            "file": paths.file,
            "ours_us": 1e6 * paths.ours_s,
            "runtime_us": 1e6 * paths.runtime_s,
            "ours_less_floor_us": 1e6 * (paths.ours_s - floor.ours_s),
            "runtime_less_floor_us": 1e6 * (paths.runtime_s - floor.runtime_s),
            "apart_us": 1e6 * paths.apart_s(floor),
            "agree": "yes" if paths.agree(floor) else "no",
        }
        for paths in (floor, *calibration.paths)
    )


def tries(found: Tries) -> str:
    """The ratios of all tries, in words."""
    values = [ratio.value for ratio in found.ratios]
    return f"{median(values):.3f} ({min(values):.3f} to {max(values):.3f})"
