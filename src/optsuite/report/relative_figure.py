"""The figure of where recipes pay: what each recipe's int8 files use, relative to the files of its baseline."""

from __future__ import annotations

from collections.abc import Iterator

import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter

from optsuite.report import escape, payoff, points
from optsuite.report.points import COLOURS
from optsuite.results.run import Run

_ON_TARGETS = ("instructions", "flash", "cycles")
"""The resources of targets that are drawn, each on the first target that has it."""


def plot(run: Run, _: pd.DataFrame, figure: Figure) -> bool:
    """Draw one line per recipe: what it loses in accuracy, and the ratio of each resource.

    A dot is at the recipe's value, and a line leads to it from the baseline's.
    """
    tables = payoff.relative(run)
    panels = {title: ratios for title, ratios in _panels(tables) if len(ratios)}
    lines = list(dict.fromkeys(line for ratios in panels.values() for line in ratios.index))
    if not lines:
        return False
    figure.set_size_inches(figure.get_figwidth(), 1.4 + 0.22 * len(lines))
    colours = points.cycled((model for model, _ in lines), COLOURS)
    heights = {line: -place for place, line in enumerate(lines)}
    accuracy, *others = figure.subplots(1, 1 + len(panels), sharey=True)
    fractions = bool(run.header.data.labels)
    changes = _changes(tables[payoff.HERE]) * (100 if fractions else 1)
    drawn = [(accuracy, "accuracy\npoints" if fractions else run.header.data.metric, changes, 0.0)]
    drawn += [(axes, title, ratios, 1.0) for axes, (title, ratios) in zip(others, panels.items(), strict=True)]
    for axes, title, values, baseline in drawn:
        axes.axvline(baseline, color="0.5", lw=1)
        for line, value in zip(values.index.tolist(), values, strict=True):
            colour = colours[line[0]]
            axes.plot([baseline, value], [heights[line]] * 2, color=colour, lw=2, alpha=0.5, solid_capstyle="butt")
            axes.plot(value, heights[line], "o", color=colour, ms=6)
        axes.set_title(title, fontsize=10)
        axes.grid(axis="x", alpha=0.3)
        axes.spines[["top", "right", "left"]].set_visible(False)
        axes.tick_params(axis="y", length=0)
    for axes in others:
        axes.set_xlim(0, 1.1 * max(1.0, *(ratios.max() for ratios in panels.values())))
        axes.xaxis.set_major_formatter(PercentFormatter(1.0))
    accuracy.set_yticks(list(heights.values()), [escape.label("_".join(line)) for line in lines], fontsize=9)
    figure.supxlabel("relative to the int8 file of the same model's baseline", fontsize=10)
    return True


def _changes(table: pd.DataFrame) -> pd.Series[float]:
    """Return the accuracy of each recipe minus that of its baseline, by model and recipe."""
    accuracy = table.set_index(["model", "recipe"])["acc"]
    baselines = accuracy.xs("baseline", level="recipe")
    return _recipes(accuracy - baselines.reindex(accuracy.index, level="model"))


def _recipes(values: pd.Series[float]) -> pd.Series[float]:
    return values[values.index.get_level_values("recipe") != "baseline"].dropna().astype(float)


def _panels(tables: dict[str, pd.DataFrame]) -> Iterator[tuple[str, pd.Series[float]]]:
    """Title and ratios of each panel, by model and recipe."""
    wanted = {("latency", payoff.HERE): "latency\nthis CPU"}
    for resource in _ON_TARGETS:
        if where := next((name for name, table in tables.items() if resource in table), None):
            wanted[resource, where] = f"{resource}\n{escape.label(where)}"
    for (resource, where), title in wanted.items():
        if where in tables:
            yield title, _recipes(tables[where].set_index(["model", "recipe"])[resource])
