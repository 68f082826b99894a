"""A history as a table, Markdown and one figure per model."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from pathlib import Path

import matplotlib as mpl
import pandas as pd
from matplotlib.figure import Figure

from optsuite.files import written
from optsuite.judge.history import SERIES, Change, Point, changes, labels, models_of
from optsuite.judge.verdict import Judgement
from optsuite.report import escape, tables
from optsuite.results.run import Run

mpl.use("Agg")


def table(runs: Sequence[Run], points: Sequence[Point], regressed: Mapping[int, Sequence[Judgement]]) -> pd.DataFrame:
    """A line a run and model; `regressed` counts what got worse of the model since the run before."""
    models, names = models_of(runs), labels(runs)
    lines = []
    for point in points:
        run = runs[point.run]
        failed = [one for one in regressed.get(point.run, ()) if models[one.experiment] == point.model]
        named = {"date": run.date[:19], "commit": run.commit, "run": point.run, "model": point.model}
        series = {name: point.values.get(name, pd.NA) for name in names}
        lines.append({**named, **series, "regressed": len(failed)})
    return pd.DataFrame(lines)


def write(
    runs: Sequence[Run], points: Sequence[Point], regressed: Mapping[int, Sequence[Judgement]], out: Path
) -> pd.DataFrame:
    """Write history.csv, history.md and a figure a model into the folder `out`; returns the table.

    OptsuiteError where that can't be done.
    """
    lines = table(runs, points, regressed)
    parts = {str(model): part for model, part in lines.groupby("model", sort=False)}
    changed, named = changes(points), labels(runs)
    with written(out, "history") as made:
        escape.write_csv(lines, made / "history.csv")
        names = [f"history_{escape.file_name(model)}.png" for model in parts]
        for name, (model, part) in zip(names, parts.items(), strict=True):
            _figure(model, part, named, changed).savefig(made / name, dpi=120)
        (made / "history.md").write_text(_markdown(runs, lines, regressed, named, changed, names), "utf-8")
    return lines


def _markdown(
    runs: Sequence[Run],
    lines: pd.DataFrame,
    regressed: Mapping[int, Sequence[Judgement]],
    named: Mapping[str, str],
    changed: Mapping[tuple[str, str], Change],
    names: Sequence[str],
) -> str:
    machines = "Latency and hypervolume are of the runs on the newest one's machine; the other series are of all runs."
    found = [
        f"- {escape.cell(model)}, {escape.cell(named[name])}: {change.before:.6g} -> {change.after:.6g} since "
        f"{_when(runs[change.run])} (p {change.p:.2g})"
        for (model, name), change in changed.items()
    ]
    worse = [
        escape.cell(
            f"- {_when(runs[number])}: {one.experiment} {one.variant} {one.metric}: {one.verdict}, {one.reason}"
        )
        for number, failed in regressed.items()
        for one in failed
    ]
    parts = [
        "# History",
        machines,
        tables.markdown(shown(lines)),
        *(f"![{name}]({name})" for name in names),
        "## Where a series changed",
        "\n".join(found) or "No series changed that much (permutation test, p 0.05).",
        "## What got worse than in the run before",
        "\n".join(worse) or "Nothing.",
    ]
    return "\n\n".join(parts) + "\n"


def _when(run: Run) -> str:
    return escape.cell(f"{run.commit or 'no commit'} ({run.date[:10]})")


def shown(lines: pd.DataFrame) -> pd.DataFrame:
    """Return the table for people: without what no run has, and without what targets use, which has figures."""
    series = [name for name in lines if name in SERIES and lines[name].notna().any()]
    return lines[["model", "date", "commit", *series, "regressed"]]


def _figure(
    model: str, lines: pd.DataFrame, named: Mapping[str, str], changed: Mapping[tuple[str, str], Change]
) -> Figure:
    """A panel a series over the runs; red marks where something of the model regressed, a line where it changed."""
    drawn = [name for name in named if name in SERIES or lines[name].notna().any()]
    columns = 1 if len(drawn) <= len(SERIES) else 2
    height = -(-len(drawn) // columns)
    figure = Figure(figsize=(10 * columns, 2 * height), layout="constrained")
    panels = figure.subplots(height, columns, sharex=True, squeeze=False).T.ravel()
    for axes, name in zip(panels, drawn, strict=False):
        values = lines[name].astype("Float64").astype(float)
        axes.plot(lines["run"], values, "o-", color="#0072B2", ms=4)
        worse = lines["regressed"] > 0
        axes.plot(lines["run"][worse], values[worse], "o", color="#D55E00", ms=8, mfc="none", label="regressed")
        if change := changed.get((model, name)):
            axes.axvline(change.run - 0.5, color="0.4", ls="--", label="changed here")
        axes.set_ylabel(textwrap.fill(escape.label(named[name]), 24), fontsize=8)
        axes.ticklabel_format(axis="y", useOffset=False)
        axes.grid(alpha=0.3)
    for axes in panels[len(drawn) :]:
        axes.set_axis_off()
    figure.suptitle(escape.label(model))
    for axes in {panels[min(height, len(drawn)) - 1], panels[len(drawn) - 1]}:  # the last of each column
        axes.tick_params(labelbottom=True)
        axes.set_xticks(
            lines["run"], lines["commit"].str.slice(0, 8).map(escape.label), rotation=60, ha="right", fontsize=8
        )
    handles = {
        label: handle for axes in panels for handle, label in zip(*axes.get_legend_handles_labels(), strict=True)
    }
    if handles:
        figure.legend(handles.values(), handles.keys(), loc="outside lower center", ncols=2)
    return figure
