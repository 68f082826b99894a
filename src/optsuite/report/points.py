"""Points in a figure: a colour and a marker for each, and labels for those on the frontier."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.text import Annotation
from matplotlib.ticker import FixedLocator, FuncFormatter, LogLocator, NullLocator, PercentFormatter
from matplotlib.transforms import Bbox

from optsuite.judge.pareto import frontier

# Okabe and Ito's palette, which colour-blind people can tell apart; grey, which is seen on light and dark, in the
# place of its black; and brown.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#7F7F7F", "#8C564B")
_MARKERS = "os^DvPX*<>hpd8"
_TICKS = np.array([0.5, 0.6, 0.7, 0.8, 0.85, 0.9, 0.95, 0.97, 0.98, 0.985, 0.99, 0.993, 0.995, 0.997, 0.998, 0.999])
_LEAST_ERROR = 1e-4
_LEAST_SPAN = 4
"""The least ratio of the errors at the two ends of an axis of accuracies: less would make a chasm of a small drop."""


@dataclass(frozen=True, kw_only=True)
class Style:
    """How the points of a table look.

    Attributes:
        coloured: The column that colours stand for.
        colours: The colour of each value in it.
        marked: The column that markers stand for.
        markers: The marker of each value in it.

    """

    coloured: str
    colours: Mapping[str, str]
    marked: str
    markers: Mapping[str, str]


def style(table: pd.DataFrame, coloured: str, marked: str) -> Style:
    """Return the style for a table with the columns `coloured` and `marked`."""
    return Style(
        coloured=coloured,
        colours=cycled(table[coloured], COLOURS),
        marked=marked,
        markers=cycled(table[marked], _MARKERS),
    )


def cycled(names: Iterable[str], marks: Collection[str]) -> dict[str, str]:
    """Return a mark for each different name, in the order of the names; the marks are repeated where they run out."""
    ordered = list(marks)
    return {name: ordered[i % len(ordered)] for i, name in enumerate(dict.fromkeys(names))}


def draw(
    axes: Axes, x: pd.Series[float], y: pd.Series[float], table: pd.DataFrame, style: Style, best: Collection[int]
) -> None:
    """Draw a point for each line of a table.

    Args:
        axes: Where.
        x: The places of the points, of the table's index; `y` likewise.
        y: See `x`.
        table: Has the columns `style.coloured`, `style.marked` and "label".
        style: Colours and markers.
        best: Which lines, by position, are on the frontier: these are filled, above the others, and labelled.

    """
    for place in range(len(table)):
        line = table.iloc[place]
        colour, on = style.colours[line[style.coloured]], place in best
        axes.plot(
            x.iloc[place],
            y.iloc[place],
            style.markers[line[style.marked]],
            color=colour,
            mfc=colour if on else "none",
            ms=8 if on else 6,
            zorder=3 if on else 2,
        )
    labels: dict[tuple[float, float], list[int]] = {}
    for place in best:
        labels.setdefault((x.iloc[place], y.iloc[place]), []).append(place)
    for point, places in labels.items():
        axes.annotate(
            ", ".join(table["label"].iloc[places]),
            point,
            (-6, 2),  # where y is accuracy and x a cost, no point is up there: it would beat this one
            textcoords="offset points",
            ha="right",
            va="bottom",
            fontsize=8,
            color=style.colours[table[style.coloured].iloc[places[0]]],
        )
    limit(axes, x)
    axes.grid(alpha=0.3)


def limit(axes: Axes, x: pd.Series[float], left: float = 0.35) -> None:
    """Let the x axis reach over all values, with room for labels at the left: this share of their range."""
    scale(axes, x)
    low, high = axes.transScale.transform([(x.min(), 1), (x.max(), 1)])[:, 0]
    width = (high - low) or 1.0
    ends = axes.transScale.inverted().transform([(low - left * width, 0), (high + 0.1 * width, 0)])[:, 0]
    axes.set_xlim(*ends)


def separate_labels(figure: Figure) -> None:
    """Move labels up that lie on others, and let a thin line lead from such a label to its point."""
    figure.draw_without_rendering()  # only now is the layout known
    figure.set_layout_engine("none")  # and it stays: to find it again for each file takes most of the time
    for axes in figure.axes:
        placed: list[Bbox] = []
        labels = [one for one in axes.texts if isinstance(one, Annotation) and one.anncoords == "offset points"]
        for label in sorted(labels, key=lambda one: (one.xy[1], one.xy[0])):
            box = label.get_window_extent()
            moved = 0.0
            while any(box.overlaps(other) for other in placed):
                box = box.translated(0, 1)
                moved += 72 / figure.dpi
            placed.append(box)
            if moved:
                right, up = label.xyann
                label.xyann = right, up + moved
                axes.annotate(
                    "",
                    label.xy,
                    (right, up + moved),
                    textcoords="offset points",
                    arrowprops={"arrowstyle": "-", "color": label.get_color(), "lw": 0.6},
                )


def accuracies(
    axes: Axes, cost: pd.Series[float], accuracy: pd.Series[float], table: pd.DataFrame, style: Style
) -> list[int]:
    """Draw accuracies against a cost, as `draw` does, with their frontier.

    Returns:
        The positions of the lines that are on the frontier.

    """
    best = frontier(list(zip(cost, accuracy, strict=True)))
    stretch(axes, accuracy)
    axes.step(cost.iloc[best], accuracy.iloc[best], where="post", color="0.5", lw=1.2, zorder=1)
    draw(axes, cost, accuracy, table, style, best)
    return best


def scale(axes: Axes, x: pd.Series[float]) -> None:
    """Make the x axis logarithmic, with plain numbers, where the values span more than a factor of 4."""
    if x.min() > 0 and x.max() > 4 * x.min():
        axes.set_xscale("log")
        axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: _short(value)))
        axes.xaxis.set_minor_locator(NullLocator())


def _short(value: float) -> str:
    """A number of an axis: 500, 2k, 1M."""
    for unit, name in ((1e6, "M"), (1e3, "k")):
        if value >= unit:
            return f"{value / unit:g}{name}"
    return f"{value:g}"


def stretch(axes: Axes, accuracy: pd.Series[float]) -> None:
    """Show accuracies by the logarithm of the error: 0.99 and 0.995 are as far from each other as 0.98 and 0.99.

    Values that are no fractions, those of other metrics, keep the linear scale.
    """

    def stretched(values: np.ndarray) -> np.ndarray:
        logarithms: np.ndarray = -np.log10(np.clip(1 - values, _LEAST_ERROR, None))
        return logarithms

    if not accuracy.between(0, 1).all():
        return
    low, high = np.clip([1 - accuracy.min(), 1 - accuracy.max()], _LEAST_ERROR, 1)
    wider = max(1.15, np.sqrt(_LEAST_SPAN * high / low))
    room = max(wider, (low / high) ** 0.2)  # for the labels of the frontier
    ends = 1 - min(wider * low, 1.0), 1 - high / room
    shown = _TICKS[(ends[0] <= _TICKS) & (ends[1] >= _TICKS)]
    if len(shown) < 2:  # the linear scale finds ticks anywhere
        return
    axes.set_yscale("function", functions=(stretched, lambda values: 1 - 10.0**-values))
    axes.yaxis.set_major_locator(FixedLocator(shown.tolist()))
    axes.annotate("log scale of the error", (1, 1), xycoords="axes fraction", ha="right", va="bottom", fontsize=7)
    axes.yaxis.set_minor_locator(NullLocator())
    axes.yaxis.set_major_formatter(PercentFormatter(1.0))
    axes.set_ylim(*ends)


def legend(figure: Figure, style: Style) -> None:
    """Explain colours and markers below the figure."""
    colours = [Line2D([], [], color=colour, marker="s", ls="", label=name) for name, colour in style.colours.items()]
    marks = [
        Line2D([], [], color="0.5", marker=mark, mfc="none", ls="", label=name) for name, mark in style.markers.items()
    ]
    line = Line2D([], [], color="0.5", marker="o", label="frontier")
    figure.legend(handles=[*colours, line, *marks], loc="outside lower center", ncols=5, fontsize=8)
