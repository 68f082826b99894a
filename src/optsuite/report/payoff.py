"""When a recipe pays: its int8 files relative to those of its baseline, on this machine and on each target."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import fmean
from typing import Any

import pandas as pd

from optsuite.report.tables import selected
from optsuite.results.figures import BYTES, GZIP_BYTES, MEDIAN_S, Figure
from optsuite.results.run import Row, Run

_VARIANT = "int8"
HERE = "this machine's CPU"
_COLUMNS = {MEDIAN_S: "latency", BYTES: "file", GZIP_BYTES: "gzip"}


def tables(run: Run) -> dict[str, pd.DataFrame]:
    """Return, for this machine's CPU and for each target, a table of one line per recipe.

    The columns are the accuracy, which is not relative, and what the recipe's int8 files use relative to those of its
    baseline: on this machine latency, size and size after gzip; on a target what its examinations declare as resources
    (`results.figures.Resource`). With several seeds, means are compared.
    """
    resources = {HERE: list(_COLUMNS), **run.resources()}
    rows = _rows(run)
    found = {where: _table(run, rows, figures) for where, figures in resources.items()}
    return {where: table for where, table in found.items() if not table.empty}


def _table(run: Run, rows: dict[tuple[str, str], list[Row]], figures: Sequence[Figure]) -> pd.DataFrame:
    lines = []
    for (model, recipe), found in rows.items():
        before = rows.get((model, "baseline"), [])
        ratios = {_COLUMNS.get(one, one.resource): _ratio(run, before, found, one) for one in figures}
        if any(not pd.isna(ratio) for ratio in ratios.values()):
            accuracy = fmean(row.measured.test.accuracy for row in found)
            lines.append({"experiment": f"{model}_{recipe}", "acc": f"{accuracy:.4f}", **ratios})
    return pd.DataFrame(lines)


def _rows(run: Run) -> dict[tuple[str, str], list[Row]]:
    """Model and recipe -> the int8 files of all its seeds."""
    found: dict[tuple[str, str], list[Row]] = {}
    for built in selected(run):
        if row := run.row(built.id, _VARIANT):
            found.setdefault((built.model, built.recipe), []).append(row)
    return found


def _ratio(run: Run, before: list[Row], after: list[Row], figure: Figure) -> Any:
    """The mean over the seeds over that of the baseline, as text; NA where a file does not have the figure."""
    sides = [[run.figure(row, figure.name) for row in side] for side in (before, after)]
    old, new = ([value for value in side if value is not None] for side in sides)
    if not old or not new or len(old) < len(before) or len(new) < len(after) or not fmean(old):
        return pd.NA
    return f"{fmean(new) / fmean(old):.2f}"
