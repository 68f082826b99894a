"""When a recipe or a format pays: what files use relative to others, on this machine and on each target."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from statistics import fmean
from typing import Any

import pandas as pd

from optsuite.report.tables import selected
from optsuite.results.figures import BYTES, GZIP_BYTES, MEDIAN_S, Figure
from optsuite.results.run import Row, Run

HERE = "this machine's CPU"
_COLUMNS = {"latency": MEDIAN_S, "file": BYTES, "gzip": GZIP_BYTES}
_OVERVIEW = ("instructions", "flash", "cycles")
"""The resources of targets in the overview, each on the first target that has it."""

_Files = dict[tuple[str, str, str], list[Row]]
"""Model, recipe and variant -> the files of all seeds."""


def recipes(run: Run) -> dict[str, pd.DataFrame]:
    """Return the tables of `relative` as text: of each recipe its name, its accuracy, and its ratios."""
    found = {}
    for where, table in relative(run).items():
        names = table["model"] + "_" + table["recipe"]
        ratios = table.drop(columns=["model", "recipe", "acc"]).map(_text)
        found[where] = pd.concat([names.rename("experiment"), table["acc"].map("{:.4f}".format), ratios], axis=1)
    return found


def relative(run: Run) -> dict[str, pd.DataFrame]:
    """Return, for this machine's CPU and for each target, a table of one line per recipe.

    The columns are `model`, `recipe`, the accuracy `acc`, which is not relative, and what the recipe's int8 files use
    relative to those of its baseline: on this machine latency, size and size after gzip; on a target what its
    examinations declare as resources (`results.figures.Resource`). With several seeds, means are compared.
    """
    places: dict[str, dict[str, Figure]] = {HERE: _COLUMNS}
    for target, declared in run.resources().items():
        places[target] = {one.resource: one for one in declared}
    files = _files(run)
    found = {}
    for where, columns in places.items():
        lines = []
        for (model, recipe, variant), after in files.items():
            if variant != "int8":
                continue
            ratios = _ratios(run, files.get((model, "baseline", variant), []), after, columns)
            if not all(pd.isna(ratio) for ratio in ratios.values()):
                lines.append({"model": model, "recipe": recipe, "acc": _accuracy(after), **ratios})
        if lines:
            found[where] = pd.DataFrame(lines)
    return found


@dataclass(frozen=True, kw_only=True)
class Overview:
    """What each recipe changes, of int8 files; indices are model and recipe, and baselines are left out.

    Attributes:
        changes: The accuracy of each recipe minus that of its baseline.
        ratios: Resource and place, such as ("flash", "ethos-u55-128") -> what each recipe uses relative to its
            baseline. The first is the latency on this machine.

    """

    changes: pd.Series[float]
    ratios: Mapping[tuple[str, str], pd.Series[float]]

    def lines(self) -> list[tuple[str, str]]:
        """Return the model and the recipe of each line."""
        return list(dict.fromkeys(line for ratios in self.ratios.values() for line in ratios.index))


def overview(run: Run) -> Overview:
    """Return the figures that say at a glance what recipes change: few resources, each on one target."""
    tables = relative(run)
    wanted = [("latency", HERE)]
    for resource in _OVERVIEW:
        if where := next((name for name, table in tables.items() if resource in table), None):
            wanted.append((resource, where))
    ratios = {
        (resource, where): _of_recipes(tables[where].set_index(["model", "recipe"])[resource])
        for resource, where in wanted
        if where in tables
    }
    changes = _changes(tables[HERE]) if HERE in tables else pd.Series(dtype=float)
    return Overview(changes=changes, ratios={key: values for key, values in ratios.items() if len(values)})


def _changes(table: pd.DataFrame) -> pd.Series[float]:
    accuracy = table.set_index(["model", "recipe"])["acc"]
    baselines = accuracy.xs("baseline", level="recipe")
    return _of_recipes(accuracy - baselines.reindex(accuracy.index, level="model"))


def _of_recipes(values: pd.Series[float]) -> pd.Series[float]:
    return values[values.index.get_level_values("recipe") != "baseline"].dropna().astype(float)


def place(where: str) -> str:
    """Return what a place is called in headings, which say what it is: records have the names of targets alone."""
    if where in (HERE, "host"):
        return "this CPU"
    return f"NPU {where}" if where.startswith("ethos-u") else where


def formats(run: Run) -> pd.DataFrame:
    """Return a table of one line per variant of each model's baseline.

    The columns are the accuracy, which is not relative, and what the files use relative to the fp32 file: on this
    machine as in `recipes`, and the instructions of one call on each target where they were counted.
    """
    resources = [(where, one) for where, declared in run.resources().items() for one in declared]
    counted = {f"instructions, {where}": one for where, one in resources if one.resource == "instructions"}
    files = _files(run)
    return pd.DataFrame(
        {
            "experiment": f"{model}_{recipe}",
            "variant": variant,
            "acc": f"{_accuracy(after):.4f}",
            **{name: _text(ratio) for name, ratio in _ratios(run, before, after, _COLUMNS | counted).items()},
        }
        for (model, recipe, variant), after in files.items()
        if recipe == "baseline" and variant != "fp32" and (before := files.get((model, recipe, "fp32")))
    )


def _files(run: Run) -> _Files:
    found: _Files = {}
    for built in selected(run):
        for row in run.rows:
            if row.measured.experiment == built.id and row.measured.execution is not None:
                found.setdefault((built.model, built.recipe, row.measured.variant), []).append(row)
    return found


def _text(ratio: Any) -> Any:
    return pd.NA if pd.isna(ratio) else f"{ratio:.2f}"


def _accuracy(files: list[Row]) -> float:
    return fmean(row.measured.test.accuracy for row in files)


def _ratios(run: Run, before: list[Row], after: list[Row], columns: Mapping[str, Figure]) -> dict[str, Any]:
    return {name: _ratio(run, before, after, figure) for name, figure in columns.items()}


def _ratio(run: Run, before: list[Row], after: list[Row], figure: Figure) -> Any:
    """The mean over the seeds over that of the others, or NA where a file does not have the figure."""
    sides = [[run.figure(row, figure.name) for row in side] for side in (before, after)]
    old, new = ([value for value in side if value is not None] for side in sides)
    if not old or not new or len(old) < len(before) or len(new) < len(after) or not fmean(old):
        return pd.NA
    return fmean(new) / fmean(old)
