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
from optsuite.judge.accuracy import paired
from optsuite.judge.pareto import frontier
from optsuite.report import escape, tables, target_figures
from optsuite.report.target_figures import Plot
from optsuite.results.run import Run

mpl.use("Agg")
mpl.rcParams["svg.hashsalt"] = "optsuite"  # the same run, the same file

# Okabe and Ito's palette: told apart by colour-blind people too.
_COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
_LINES = ("-", "--", ":")
_DPI = 150
_LABEL_HEIGHT = 0.03
"""The height of a line of text, as a share of the height of the axes."""


def draw(run: Run, table: pd.DataFrame, folder: Path) -> list[str]:
    """Write every figure that the run has the data for into `folder`; their names, without ending.

    `table` is that of the results, with a line for all seeds of an experiment.
    """
    folder.mkdir()
    table = table.assign(**{name: table[name].map(escape.label, na_action="ignore") for name in ("model", "recipe")})
    drawn = []
    for name, plot in {**FIGURES, **target_figures.plots(run, _COLOURS)}.items():
        figure = Figure(figsize=(10, 7) if name in FIGURES else (12, 6), layout="constrained")
        if plot(run, table, figure):
            figure.savefig(folder / f"{name}.png", dpi=_DPI)
            figure.savefig(folder / f"{name}.svg", metadata={"Date": None})
            drawn.append(name)
    return drawn


def _colours(names: pd.Series[str]) -> dict[str, str]:
    return {name: _COLOURS[i % len(_COLOURS)] for i, name in enumerate(dict.fromkeys(names))}


def _points(figure: Figure, axes: Axes, table: pd.DataFrame, x: str, y: str) -> None:
    """A point an experiment, coloured by model, with a line to its label in a column at the right.

    Labels beside the points would lie on each other wherever points do; a column never does.
    """
    colours = _colours(table["model"])
    for model, colour in colours.items():
        part = table[table["model"] == model]
        axes.errorbar(
            *(part[x], part[y], _whiskers(part, y), _whiskers(part, x)),
            fmt="o",
            color=colour,
            label=model,
            capsize=2,
            lw=0.8,
            zorder=5,
        )
    axes.margins(0.05)
    figure.legend(loc="outside upper center", ncols=8)
    axes.grid(alpha=0.3)
    labelled = table.sort_values([y, x])
    low, high = axes.get_ylim()
    heights = spread([(value - low) / (high - low) for value in labelled[y]], gap=_LABEL_HEIGHT)
    for (_, point), height in zip(labelled.iterrows(), heights, strict=True):
        axes.annotate(
            point["recipe"],
            xy=(point[x], point[y]),
            xytext=(1.03, height),
            textcoords="axes fraction",
            fontsize=8,
            va="center",
            color=colours[point["model"]],
            arrowprops={
                "arrowstyle": "-",
                "color": colours[point["model"]],
                "alpha": 0.4,
                "lw": 0.7,
                "relpos": (0, 0.5),  # to the left edge of the label, under no other
            },
            annotation_clip=False,
        )


def _whiskers(table: pd.DataFrame, column: str) -> np.ndarray | None:
    """Return error bars, (2, n): standard deviations over the seeds, else 95 % intervals; None without either."""
    if f"{column}_sd" in table:
        return np.tile(table[f"{column}_sd"].fillna(0).to_numpy(float), (2, 1))
    if f"{column}_low" in table:
        ends = [table[column] - table[f"{column}_low"], table[f"{column}_high"] - table[column]]
        reach: np.ndarray = np.nan_to_num(np.array(ends, float).clip(min=0))
        return reach
    return None


def _with_intervals(run: Run, table: pd.DataFrame) -> pd.DataFrame:
    """Return the table of int8 variants with 95 % intervals, if it has one line per seed."""
    known = {built.id: built for built in run.header.built}
    lines = []
    for name in table["exp_id"]:
        row = run.row(name, "int8")
        if row is None:
            return table
        ends = {
            "acc": intervals.accuracy(row.measured.test),
            "median_ms": [1e3 * end for end in intervals.median_s(row.timing) or (np.nan, np.nan)],
            "acc_drop_int8": paired(known[name].answers, row.measured.test).interval(),
        }
        lines.append(
            {f"{column}_{end}": pair[end == "high"] for column, pair in ends.items() for end in ("low", "high")}
        )
    return table.join(pd.DataFrame(lines, index=table.index))


def spread(preferred: list[float], gap: float) -> list[float]:
    """Return rising heights in 0..1, at least `gap` apart and near those preferred; even ones if they do not fit."""
    gap = min(gap, 1 / max(1, len(preferred) - 1))
    heights: list[float] = []
    for number, height in enumerate(preferred):
        least = heights[-1] + gap if heights else 0.0
        room_above = 1 - gap * (len(preferred) - 1 - number)
        heights.append(min(max(height, least), room_above))
    return heights


def _spans_decades(values: pd.Series[float]) -> bool:
    return bool(values.min() > 0 and values.max() / values.min() > 5)


def _accuracy_against(x: str, label: str, unit: float = 1.0) -> Plot:
    """A plot against column `x`, of which `unit` is the value in the axis' unit."""

    def plot(run: Run, results: pd.DataFrame, figure: Figure) -> bool:
        table = tables.int8(results)
        if table.empty:
            return False
        table = _with_intervals(run, table)
        ends = [name for name in table.columns if name == x or name.startswith(f"{x}_")]
        table[ends] = table[ends].astype(float) * unit
        axes = figure.add_subplot(xlabel=label, ylabel="int8 accuracy on the test images")
        if _spans_decades(table[x]):
            axes.set_xscale("log")
        best = table.iloc[frontier(list(zip(table[x], table["acc"], strict=True)))]
        axes.step(best[x], best["acc"], where="post", color="0.5", lw=1.2, label="frontier", zorder=2)
        _points(figure, axes, table, x, "acc")
        return True

    return plot


def _latency_bar(_: Run, table: pd.DataFrame, figure: Figure) -> bool:
    kept = table.dropna(subset=["tflite_float_median_ms", "tflite_int8_median_ms"])
    if kept.empty:
        return False
    axes = figure.add_subplot(ylabel="one invoke(), µs: median, whisker to p90")
    for offset, prefix, colour in ((-0.2, "tflite_float", _COLOURS[0]), (0.2, "tflite_int8", _COLOURS[1])):
        median = kept[f"{prefix}_median_ms"].astype(float) * 1e3
        above = (kept[f"{prefix}_p90_ms"].astype("Float64") * 1e3 - median).fillna(0).astype(float)
        axes.bar(
            [i + offset for i in range(len(kept))],
            median,
            width=0.38,
            yerr=[[0.0] * len(kept), above],
            capsize=3,
            color=colour,
            label="float (fp32)" if prefix == "tflite_float" else "int8",
        )
    if _spans_decades(kept["tflite_float_median_ms"].astype(float)):
        axes.set_yscale("log")
    names = kept["model"] + " " + kept["recipe"]
    axes.set_xticks(range(len(kept)), names, rotation=60, ha="right", fontsize=8)
    axes.legend()
    axes.grid(axis="y", alpha=0.3)
    return True


def _drop_against_ratio(run: Run, table: pd.DataFrame, figure: Figure) -> bool:
    table = table.dropna(subset=["acc_drop_int8", "size_ratio_int8"])
    if table.empty:
        return False
    table = _with_intervals(run, table)
    axes = figure.add_subplot(xlabel="Keras bytes / int8 bytes", ylabel="accuracy drop of int8 against its Keras model")
    axes.axhline(0, color="0.5", lw=0.8)
    _points(figure, axes, table, "size_ratio_int8", "acc_drop_int8")
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
            epochs, colour = range(1, seeds.shape[1] + 1), _COLOURS[number % len(_COLOURS)]
            axes.plot(
                epochs,
                seeds.mean(),
                color=colour,
                linestyle=_LINES[number // len(_COLOURS) % len(_LINES)],
                label=escape.label(recipe),
                # What a recipe shares with its baseline is drawn once: the first line lies on top.
                zorder=3 - number / 100,
            )
            axes.fill_between(epochs, seeds.min(), seeds.max(), color=colour, alpha=0.15, lw=0)
        axes.set(title=escape.label(model), xlabel="epoch, over all stages", yscale="log")
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes.yaxis.set_major_formatter(ScalarFormatter())
        axes.legend(fontsize=8, loc="upper center", bbox_to_anchor=(0.5, -0.1))
        axes.grid(alpha=0.3, which="both")
    panels[0].set_ylabel("validation error, %")
    return True


FIGURES: dict[str, Plot] = {
    "acc_vs_latency_int8": _accuracy_against("median_ms", "int8 latency: median of one invoke(), µs", unit=1e3),
    "acc_vs_params": _accuracy_against("params", "parameters"),
    "acc_vs_size_int8": _accuracy_against("bytes", "int8 size, bytes"),
    "tflite_latency_bar": _latency_bar,
    "tflite_accdrop_vs_sizeratio": _drop_against_ratio,
    "training_curves": _training_curves,
}
