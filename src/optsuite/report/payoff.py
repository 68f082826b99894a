"""When a recipe pays: its int8 files relative to those of its baseline, on each target."""

from __future__ import annotations

from statistics import fmean
from typing import Any

import pandas as pd

from optsuite.report.tables import selected
from optsuite.results.figures import GZIP_BYTES, MEDIAN_S, Figure
from optsuite.results.run import Row, Run

_VARIANT = "int8"


def table(run: Run) -> pd.DataFrame:
    """Return one line per recipe, and one column per figure: its value over that of the baseline.

    The first figures are the accuracy, which is not relative, the latency on this CPU and the size after gzip. The
    others are those that examinations of targets declare as headlines. With several seeds, means are compared. The
    table is empty where no target was examined.
    """
    headlines = [figure for figure in run.header.figures if figure.headline]
    if not headlines:
        return pd.DataFrame()
    rows = _rows(run)
    lines = []
    for (model, recipe), found in rows.items():
        before = rows.get((model, "baseline"), [])
        line: dict[str, Any] = {
            "experiment": f"{model}_{recipe}",
            "acc": f"{fmean(row.measured.test.accuracy for row in found):.4f}",
        }
        for figure in (MEDIAN_S, GZIP_BYTES, *headlines):
            line[_column(figure)] = _ratio(run, before, found, figure)
        lines.append(line)
    return pd.DataFrame(lines)


def _rows(run: Run) -> dict[tuple[str, str], list[Row]]:
    """Model and recipe -> the int8 files of all its seeds."""
    found: dict[tuple[str, str], list[Row]] = {}
    for built in selected(run):
        if row := run.row(built.id, _VARIANT):
            found.setdefault((built.model, built.recipe), []).append(row)
    return found


def _column(figure: Figure) -> str:
    return {"median_s": "latency here", "gzip_bytes": "gzip"}.get(figure.name, figure.name)


def _ratio(run: Run, before: list[Row], after: list[Row], figure: Figure) -> Any:
    """The mean over the seeds over that of the baseline, as text; NA where a file does not have the figure."""
    sides = [[run.figure(row, figure.name) for row in side] for side in (before, after)]
    old, new = ([value for value in side if value is not None] for side in sides)
    if not old or not new or len(old) < len(before) or len(new) < len(after) or not fmean(old):
        return pd.NA
    return f"{fmean(new) / fmean(old):.2f}"
