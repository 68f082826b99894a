"""The figure of where recipes pay: what each recipe's int8 files use, relative to the files of its baseline."""

from __future__ import annotations

import textwrap

import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter

from optsuite.report import escape, payoff, points
from optsuite.report.points import COLOURS
from optsuite.results.run import Run


def plot(run: Run, _: pd.DataFrame, figure: Figure) -> bool:
    """Draw one line per recipe: what it loses in accuracy, and the ratio of each resource.

    A dot is at the recipe's value, and a line leads to it from the baseline's.
    """
    overview = payoff.overview(run)
    lines = overview.lines()
    if not lines:
        return False
    figure.set_size_inches(figure.get_figwidth(), 1.4 + 0.22 * len(lines))
    colours = points.cycled((model for model, _ in lines), COLOURS)
    heights = {line: -place for place, line in enumerate(lines)}
    accuracy, *others = figure.subplots(1, 1 + len(overview.ratios), sharey=True)
    fractions = bool(run.header.data.labels)
    changes = overview.changes * (100 if fractions else 1)
    drawn = [(accuracy, "accuracy\npoints" if fractions else run.header.data.metric, changes, 0.0)]
    for axes, ((resource, where), ratios) in zip(others, overview.ratios.items(), strict=True):
        place = textwrap.fill(escape.label(payoff.place(where)), 15, break_on_hyphens=False)
        drawn.append((axes, f"{resource}\n{place}", ratios, 1.0))
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
        axes.set_xlim(0, 1.1 * max(1.0, *(ratios.max() for ratios in overview.ratios.values())))
        axes.xaxis.set_major_formatter(PercentFormatter(1.0))
    accuracy.set_yticks(list(heights.values()), [escape.label("_".join(line)) for line in lines], fontsize=9)
    figure.supxlabel(
        "int8 files, relative to that of the same model's baseline; less is better, but for accuracy", fontsize=10
    )
    return True
