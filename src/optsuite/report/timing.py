"""The tables about times: loading and first calls, the speed against the peak, the calibration."""

from __future__ import annotations

from statistics import median

import pandas as pd

from optsuite.judge.steadiness import steadiness
from optsuite.report.tables import selected
from optsuite.results.calibration import Calibration, Tries
from optsuite.results.run import Run

_RANKED_BY = "host_instructions"


def execution(run: Run) -> pd.DataFrame:
    """One line a .tflite that was run: loading, first and steady call, memory, and MACs a second against the peak.

    Beside the median are the instructions of one call on each target that has them, and the file's rank by those on
    `host`: 1 is the fewest of the experiment's files. A rank by medians would be chance where these are unstable.
    """
    counted = [one.name for found in run.resources().values() for one in found if one.resource == "instructions"]
    steady = steadiness(run)
    unstable = steady.unstable if steady else ()
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
                    "unstable": "yes" if (built.id, row.measured.variant) in unstable else "",
                    **{name: run.figure(row, name) for name in counted},
                    "heap_bytes": pd.NA if ran.heap_bytes is None else ran.heap_bytes,
                    "delegate": ran.delegate,
                    "precision": ran.precision,
                    "gmacs_per_s": speed / 1e9,
                    "peak_share": speed / peak if peak else pd.NA,
                }
            )
    table = pd.DataFrame(lines).astype(dict.fromkeys(counted if lines else (), "Int64"))
    if _RANKED_BY in table:
        ranks = table.groupby("exp_id")[_RANKED_BY].rank(method="min").astype("Int64")
        table.insert(list(table).index(_RANKED_BY) + 1, "rank", ranks)
    return table


def of_baselines(run: Run, lines: pd.DataFrame) -> pd.DataFrame:
    """The lines of each model's first baseline, or all where none was run: the others are much the same."""
    if lines.empty:
        return lines
    first = {built.model: built.id for built in reversed(selected(run)) if built.recipe == "baseline"}
    chosen = lines[lines["exp_id"].isin(first.values())]
    return lines if chosen.empty else chosen


def slowdown(run: Run) -> float | None:
    """Return how many times as long int16x8 takes as int8 without XNNPACK, the median over experiments with both."""
    pairs = [(run.row(built.id, "int16x8"), run.row(built.id, "int8")) for built in selected(run)]
    ratios = [
        slow.timing.median_s / fast.timing.median_s
        for slow, fast in pairs
        if slow and fast and slow.measured.execution and slow.measured.execution.delegate == "none"
    ]
    return median(ratios) if ratios else None


_DOT_PRODUCTS = ("vnni", "amx", "asimddp", "i8mm")
"""Parts of the names of instruction sets that add up products of 8-bit numbers."""
_SLOWER = 1.05
"""The least ratio of medians that is called slower."""


def slower_in_int8(run: Run) -> dict[str, float]:
    """Return the baselines whose int8 file takes longer than their fp32 file -> how many times as long."""
    pairs = {
        built.id: (run.row(built.id, "int8"), run.row(built.id, "fp32"))
        for built in selected(run)
        if built.recipe == "baseline"
    }
    ratios = {
        name: int8.timing.median_s / fp32.timing.median_s for name, (int8, fp32) in pairs.items() if int8 and fp32
    }
    return {name: ratio for name, ratio in ratios.items() if ratio > _SLOWER}


def has_dot_products(run: Run) -> bool:
    """Return whether the CPU has instructions that add up products of 8-bit numbers."""
    return any(part in name for name in run.instruction_sets for part in _DOT_PRODUCTS)


def agreement(calibration: Calibration) -> pd.DataFrame:
    """Both interfaces of the runtime, their call overheads, and how much they differ: medians and quartiles."""
    return pd.DataFrame(
        {
            "file": paths.file,
            "interpreter_us": 1e6 * median(paths.interpreter),
            "compiled_model_us": 1e6 * median(paths.compiled_model),
            "interpreter_overhead_us": 1e6 * median(paths.interpreter_overhead),
            "compiled_model_overhead_us": 1e6 * median(paths.compiled_model_overhead),
            "difference_us": 1e6 * median(paths.differences_s),
            "difference_q1_us": 1e6 * pd.Series(paths.differences_s).quantile(0.25),
            "difference_q3_us": 1e6 * pd.Series(paths.differences_s).quantile(0.75),
            "agree": "yes" if paths.agree else "no",
        }
        for paths in calibration.paths
    )


def tries(found: Tries) -> str:
    """The ratios of all tries, in words."""
    values = [ratio.value for ratio in found.ratios]
    return f"{median(values):.3f} ({min(values):.3f} to {max(values):.3f})"
