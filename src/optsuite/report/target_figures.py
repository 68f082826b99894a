"""The figures of targets: accuracy against what a file uses there, beside its latency on this machine's CPU."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import pandas as pd
from matplotlib.figure import Figure

from optsuite.report import escape, points
from optsuite.results import figures
from optsuite.results.run import Run

_PREFIX = "tflite_int8_"
_DRAWN = ("flash", "arena", "cycles", "instructions")
"""The resources that are drawn, each in a panel of its own."""

Plot = Callable[[Run, pd.DataFrame, Figure], bool]
"""Draws a run and its results into a figure, or returns False if there is nothing to draw."""


def plots(run: Run) -> dict[str, Plot]:
    """Return the plot of each target, by the name of its figure."""
    found: dict[str, Plot] = {}
    for target, resources in run.resources().items():
        drawn = [one for one in resources if one.resource in _DRAWN]
        if drawn:
            found[f"acc_on_{escape.file_name(target)}"] = partial(_plot, target, drawn)
    return found


def _plot(target: str, drawn: list[figures.Figure], _: Run, table: pd.DataFrame, figure: Figure) -> bool:
    """One panel for the latency here, and one for each resource of the target, of the same int8 files."""
    columns = {"median_ms": "median call on this machine's CPU, µs"} | {
        one.name: f"{one.resource} on {escape.label(target)}{', ' if one.unit else ''}{one.unit}" for one in drawn
    }
    known = [_PREFIX + name for name in ("acc", *columns)]
    if not set(known) <= set(table):
        return False
    shown = table.dropna(subset=known)
    if shown.empty:
        return False
    shown = shown.assign(label=shown["recipe"])
    accuracy = shown[f"{_PREFIX}acc"].astype(float)
    style = points.style(shown, "model", "recipe")
    figure.set_size_inches(figure.get_figwidth(), 5)
    panels = figure.subplots(1, len(columns), sharey=True, squeeze=False)[0]
    for axes, (name, label) in zip(panels, columns.items(), strict=True):
        x = shown[_PREFIX + name].astype(float) * (1e3 if name == "median_ms" else 1)
        points.accuracies(axes, x, accuracy, shown, style)
        axes.set_xlabel(label)
    panels[0].set_ylabel("int8 accuracy on the test set")
    points.legend(figure, style)
    return True
