"""The figures of a report, for print (matplotlib, PNG and SVG)."""

from __future__ import annotations

from pathlib import Path

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, ScalarFormatter

from optsuite.judge import intervals
from optsuite.judge.pareto import frontier
from optsuite.report import escape, points, relative_figure, tables, target_figures
from optsuite.report.points import COLOURS
from optsuite.report.target_figures import Plot
from optsuite.results.run import Run

mpl.use("Agg")
mpl.rcParams["svg.hashsalt"] = "optsuite"  # the same run, the same file
mpl.rcParams["font.size"] = 9
# Pages are light or dark, and a figure does not know: no background, and a grey of the same contrast on both.
_INK = "#767676"
mpl.rcParams["savefig.transparent"] = True
mpl.rcParams["legend.frameon"] = False
for _name in ("text.color", "axes.labelcolor", "axes.edgecolor", "xtick.color", "ytick.color", "grid.color"):
    mpl.rcParams[_name] = _INK

_LINES = ("-", "--", ":")
_DPI = 200
_WIDTH = 9.0
"""In inches: with the text of 8 to 10 points, a README's column shows it at about its size."""


def draw(run: Run, table: pd.DataFrame, folder: Path) -> list[str]:
    """Write every figure that the run has the data for into `folder`; their names, without ending.

    `table` is that of the results, with a line for all seeds of an experiment.
    """
    folder.mkdir()
    table = table.assign(**{name: table[name].map(escape.label, na_action="ignore") for name in ("model", "recipe")})
    drawn = []
    for name, plot in {**FIGURES, **target_figures.plots(run)}.items():
        figure = Figure(figsize=(_WIDTH, 6), layout="constrained")
        if plot(run, table, figure):
            points.separate_labels(figure)
            figure.savefig(folder / f"{name}.png", dpi=_DPI)
            figure.savefig(folder / f"{name}.svg", metadata={"Date": None})
            drawn.append(name)
    return drawn


def _whiskers(run: Run, table: pd.DataFrame, column: str) -> np.ndarray:
    """Return error bars of a column of files, (2, n): standard deviations over the seeds, else 95 % intervals."""
    if f"{column}_sd" in table:
        return np.tile(table[f"{column}_sd"].fillna(0).to_numpy(float), (2, 1))
    reaches = []
    for name, variant, value in zip(table["exp_id"], table["variant"], table[column], strict=True):
        row = run.row(name, variant)
        ends: tuple[float, float] | None = None
        if row and column == "acc":
            ends = intervals.accuracy(row.measured.test)
        elif row and column == "median_ms" and (seconds := intervals.median_s(row.timing)):
            ends = 1e3 * seconds[0], 1e3 * seconds[1]
        reaches.append((value - ends[0], ends[1] - value) if ends else (0.0, 0.0))
    return np.array(reaches, float).clip(min=0).T


def _accuracy_against(x: str, label: str, unit: float = 1.0) -> Plot:
    """A plot of all files against column `x`, of which `unit` is the value in the axis' unit: one panel per model."""

    def plot(run: Run, results: pd.DataFrame, figure: Figure) -> bool:
        table = tables.files(results)
        if table.empty:
            return False
        table = table.assign(label=table["recipe"] + " " + table["variant"])
        style = points.style(table, "variant", "recipe")
        models = list(dict.fromkeys(table["model"]))
        figure.set_size_inches(_WIDTH, 2.4 * len(models) + 2)
        panels = figure.subplots(len(models), 1, sharex=True, squeeze=False)[:, 0]
        costs = table[x].astype(float) * unit
        for axes, model in zip(panels, models, strict=True):
            of_model = table["model"] == model
            _against(run, table[of_model], axes, costs[of_model], x, style, unit)
            axes.set_title(model, loc="left", fontsize=10)
        points.limit(panels[0], costs, left=0.2)  # shared by all
        figure.supylabel("accuracy on the test set", fontsize=10)
        panels[-1].set_xlabel(label)
        points.legend(figure, style)
        return True

    return plot


def _accuracy_against_parameters(run: Run, results: pd.DataFrame, figure: Figure) -> bool:
    table = tables.files(results)
    table = table[table["variant"] == "int8"]
    if table["model"].nunique() < 2:  # the files of one model have the same parameters
        return False
    table = table.assign(label=table["recipe"])
    style = points.style(table, "model", "recipe")
    axes = figure.add_subplot()
    _against(run, table, axes, table["params"].astype(float), "params", style, 1.0)
    axes.set(xlabel="parameters", ylabel="int8 accuracy on the test set")
    points.legend(figure, style)
    return True


def _against(
    run: Run, table: pd.DataFrame, axes: Axes, cost: pd.Series[float], x: str, style: points.Style, unit: float
) -> None:
    """Draw the accuracy of files against their cost, the column `x` times `unit`."""
    accuracy = table["acc"].astype(float)
    best = points.accuracies(axes, cost, accuracy, table, style)
    of_frontier = table.iloc[best]
    axes.errorbar(
        *(cost.iloc[best], accuracy.iloc[best]),
        *(_whiskers(run, of_frontier, "acc"), _whiskers(run, of_frontier, x) * unit),
        fmt="none",
        ecolor="0.5",
        capsize=2,
        lw=0.8,
        zorder=2,
    )


def _latencies(_: Run, results: pd.DataFrame, figure: Figure) -> bool:
    """A line for each experiment, with a point for each of its files."""
    table = tables.files(results)
    if table.empty:
        return False
    axes = figure.add_subplot(xlabel="one invoke(), µs: median, whisker to p90")
    heights = {name: -place for place, name in enumerate(dict.fromkeys(table["exp_id"]))}
    style = points.style(table, "variant", "variant")
    for variant, part in table.groupby("variant", sort=False):
        median = 1e3 * part["median_ms"].astype(float)
        above = (1e3 * part["p90_ms"].astype("Float64") - median).fillna(0).clip(lower=0).astype(float)
        axes.errorbar(
            median,
            part["exp_id"].map(heights),
            xerr=np.array([np.zeros(len(part)), above]),
            fmt=style.markers[str(variant)],
            color=style.colours[str(variant)],
            label=str(variant),
            mfc="none",
            capsize=2,
            lw=0.8,
        )
    points.scale(axes, 1e3 * table["median_ms"].astype(float))
    axes.set_yticks(list(heights.values()), [escape.label(name) for name in heights], fontsize=8)
    axes.legend(loc="upper center", bbox_to_anchor=(0.5, -0.08), ncols=8, fontsize=8)
    axes.grid(alpha=0.3)
    return True


def _drop_against_ratio(_: Run, results: pd.DataFrame, figure: Figure) -> bool:
    table = tables.files(results).dropna(subset=["acc_drop", "size_ratio"])
    if table.empty:
        return False
    table = table.assign(label=table["recipe"] + " " + table["variant"])
    ratio, drop = table["size_ratio"].astype(float), table["acc_drop"].astype(float)
    axes = figure.add_subplot(
        xlabel="Keras bytes / .tflite bytes", ylabel="accuracy drop of the file against its Keras model"
    )
    axes.axhline(0, color="0.5", lw=0.8)
    style = points.style(table, "model", "variant")
    points.draw(axes, ratio, drop, table, style, frontier(list(zip(-ratio, -drop, strict=True))))
    points.legend(figure, style)
    return True


def _training_curves(run: Run, _: pd.DataFrame, figure: Figure) -> bool:
    chosen = [built for built in tables.selected(run) if any(stage.val_accuracy for stage in built.info.stages)]
    if not chosen:
        return False
    models = list(dict.fromkeys(built.model for built in chosen))
    panels = figure.subplots(1, len(models), squeeze=False, sharey=True)[0]
    for axes, model in zip(panels, models, strict=True):
        curves: dict[str, list[list[float]]] = {}
        for built in chosen:
            if built.model == model:
                error = [100 * (1 - value) for stage in built.info.stages for value in stage.val_accuracy]
                curves.setdefault(built.recipe, []).append(error)
        for number, (recipe, errors) in enumerate(curves.items()):
            seeds = pd.DataFrame(errors)
            epochs, colour = range(1, seeds.shape[1] + 1), COLOURS[number % len(COLOURS)]
            axes.plot(
                epochs,
                seeds.mean(),
                color=colour,
                marker="o" if len(epochs) == 1 else None,  # a line needs two points
                linestyle=_LINES[number // len(COLOURS) % len(_LINES)],
                label=escape.label(recipe),
                # What a recipe shares with its baseline is drawn once: the first line lies on top.
                zorder=3 - number / 100,
            )
            axes.fill_between(epochs, seeds.min(), seeds.max(), color=colour, alpha=0.15, lw=0)
        axes.set(title=escape.label(model), xlabel="epoch, over all stages", yscale="log")
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes.yaxis.set_major_formatter(ScalarFormatter())
        axes.legend(fontsize=8, loc="upper center", bbox_to_anchor=(0.5, -0.13))
        axes.grid(alpha=0.3, which="both")
    panels[0].set_ylabel("validation error, %")
    return True


FIGURES: dict[str, Plot] = {
    "recipes_relative": relative_figure.plot,
    "acc_vs_latency": _accuracy_against("median_ms", "latency: median of one invoke(), µs", unit=1e3),
    "acc_vs_params": _accuracy_against_parameters,
    "acc_vs_size": _accuracy_against("bytes", "size of the .tflite file, bytes"),
    "tflite_latency_bar": _latencies,
    "tflite_accdrop_vs_sizeratio": _drop_against_ratio,
    "training_curves": _training_curves,
}
