"""The figures of targets: accuracy against what a file uses there, beside its latency on this machine's CPU."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FixedLocator, LogLocator, NullLocator, PercentFormatter, StrMethodFormatter

from optsuite.judge.pareto import frontier
from optsuite.report import escape
from optsuite.results import figures
from optsuite.results.run import Run

_PREFIX = "tflite_int8_"
_DRAWN = ("flash", "arena", "cycles", "instructions")
"""The resources that are drawn, each in a panel of its own."""
_MARKERS = "os^DvPX*<>hpd8"
_TICKS = np.array([0.5, 0.8, 0.9, 0.95, 0.97, 0.98, 0.985, 0.99, 0.993, 0.995, 0.997, 0.998, 0.999])
_LEAST_ERROR = 1e-4


Plot = Callable[[Run, pd.DataFrame, Figure], bool]
"""Draws a run and its results into a figure, or returns False if there is nothing to draw."""


def plots(run: Run, colours: tuple[str, ...]) -> dict[str, Plot]:
    """Return the plot of each target, by the name of its figure; models have these colours."""
    found: dict[str, Plot] = {}
    for target, resources in run.resources().items():
        drawn = [one for one in resources if one.resource in _DRAWN]
        if drawn:
            found[f"acc_on_{escape.file_name(target)}"] = partial(_plot, target, drawn, colours)
    return found


def _plot(
    target: str, drawn: list[figures.Figure], colours: tuple[str, ...], _: Run, table: pd.DataFrame, figure: Figure
) -> bool:
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
    panels = figure.subplots(1, len(columns), sharey=True, squeeze=False)[0]
    marks = {recipe: _MARKERS[i % len(_MARKERS)] for i, recipe in enumerate(dict.fromkeys(shown["recipe"]))}
    paints = {model: colours[i % len(colours)] for i, model in enumerate(dict.fromkeys(shown["model"]))}
    for axes, (name, label) in zip(panels, columns.items(), strict=True):
        x = shown[_PREFIX + name].astype(float) * (1e3 if name == "median_ms" else 1)
        _panel(axes, x, shown.assign(acc=shown[f"{_PREFIX}acc"].astype(float)), paints, marks)
        axes.set_xlabel(label)
    panels[0].set_ylabel("int8 accuracy on the test images")
    _legend(figure, paints, marks)
    return True


def _panel(axes: Axes, x: pd.Series[float], shown: pd.DataFrame, paints: dict[str, str], marks: dict[str, str]) -> None:
    """Draw the points, and the frontier with the names of what is on it."""
    if x.min() > 0 and x.max() > 4 * x.min():
        axes.set_xscale("log")
        axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axes.xaxis.set_major_formatter(StrMethodFormatter("{x:,g}"))
        axes.xaxis.set_minor_locator(NullLocator())
    accuracy = shown["acc"]
    if accuracy.between(0, 1).all():
        _stretch(axes, accuracy)
    best = frontier(list(zip(x, accuracy, strict=True)))
    axes.step(x.iloc[best], accuracy.iloc[best], where="post", color="0.5", lw=1.2, zorder=1)
    for place in range(len(shown)):
        line = shown.iloc[place]
        colour, on = paints[line["model"]], place in best
        axes.plot(
            x.iloc[place],
            accuracy.iloc[place],
            marks[line["recipe"]],
            color=colour,
            mfc=colour if on else "none",
            ms=8 if on else 6,
            zorder=3 if on else 2,
        )
        if on:
            axes.annotate(
                line["recipe"],
                (x.iloc[place], accuracy.iloc[place]),
                (-6, 2),  # no point is up there: it would beat this one
                textcoords="offset points",
                ha="right",
                va="bottom",
                fontsize=8,
                color=colour,
            )
    low, high = axes.transScale.transform([(x.min(), 1), (x.max(), 1)])[:, 0]
    width = (high - low) or 1.0
    ends = axes.transScale.inverted().transform([(low - 0.35 * width, 0), (high + 0.1 * width, 0)])[:, 0]
    axes.set_xlim(*ends)  # with room for the names at the left
    axes.grid(alpha=0.3)


def _stretch(axes: Axes, accuracy: pd.Series[float]) -> None:
    """Show accuracies by the logarithm of the error: 0.99 and 0.995 are as far from each other as 0.98 and 0.99."""

    def stretched(values: np.ndarray) -> np.ndarray:
        logarithms: np.ndarray = -np.log10(np.clip(1 - values, _LEAST_ERROR, None))
        return logarithms

    low, high = np.clip([1 - accuracy.min(), 1 - accuracy.max()], _LEAST_ERROR, 1)
    ends = 1 - min(1.15 * low, 1.0), 1 - high / 1.15
    shown = _TICKS[(ends[0] <= _TICKS) & (ends[1] >= _TICKS)]
    if len(shown) < 2:  # the linear scale finds ticks anywhere
        return
    axes.set_yscale("function", functions=(stretched, lambda values: 1 - 10.0**-values))
    axes.yaxis.set_major_locator(FixedLocator(shown.tolist()))
    axes.yaxis.set_minor_locator(NullLocator())
    axes.yaxis.set_major_formatter(PercentFormatter(1.0))
    axes.set_ylim(*ends)


def _legend(figure: Figure, paints: dict[str, str], marks: dict[str, str]) -> None:
    models = [Line2D([], [], color=colour, marker="s", ls="", label=model) for model, colour in paints.items()]
    recipes = [Line2D([], [], color="0.3", marker=mark, mfc="none", ls="", label=name) for name, mark in marks.items()]
    line = Line2D([], [], color="0.5", marker="o", label="frontier")
    figure.legend(handles=[*models, line, *recipes], loc="outside lower center", ncols=5, fontsize=8)
