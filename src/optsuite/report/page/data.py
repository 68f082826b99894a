"""The data of the page, as plain lists and dicts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd

from optsuite.judge import intervals
from optsuite.judge.accuracy import paired
from optsuite.judge.steadiness import steadiness
from optsuite.report import about, payoff, pipelines
from optsuite.report.page import choosing, columns, details, images
from optsuite.report.tables import selected
from optsuite.results import figures
from optsuite.results.built import Built
from optsuite.results.figures import Figure
from optsuite.results.measured import Measured
from optsuite.results.run import Row, Run
from optsuite.spec.data import Split


def content(run: Run, test: Split | None) -> dict[str, Any]:
    """All that the page's scripts need. The rows are in the order of the run."""
    found = steadiness(run)
    unstable_rows = found.unstable if found else ()
    changed = images.newly_wrong(run)
    experiments = {built.id: built for built in selected(run)}
    rows: list[dict[str, Any]] = []
    variants = {}
    for row in run.rows:
        name = row.measured.experiment, row.measured.variant
        if built := experiments.get(row.measured.experiment):
            rows.append(_row(run, built, row, unstable=name in unstable_rows))
            variants[" ".join(name)] = details.variant(run, built, row, changed.get(name, ()))
    return {
        "metrics": [_metric(figure) | {"of": run.header.examined(figure.name).target} for figure in _shown(run)],
        "columns": columns.columns(run),
        "rows": rows,
        "absences": [_absence(experiments, *absence) for absence in about.absences(run)],
        "recipes": _recipes(run),
        "choice": choosing.content(run),
        "pipelines": {model: _pipeline(run, model, table) for model, table in pipelines.tables(run).items()},
        "details": variants,
        "experiments": {built.id: details.experiment(run, built) for built in experiments.values()},
        "labels": run.header.data.labels,
        "images": images.sheet(run, changed, test),
    }


def _shown(run: Run) -> list[Figure]:
    """Return the figures of every row, and those that were examined."""
    every_row = [figure for figure in run.header.figures if not figures.found([figure])]
    return [*every_row, *run.examined_figures()]


def _metric(figure: Figure) -> dict[str, str]:
    """Return how the page shows a figure: its key in the rows, its label and unit; seconds become microseconds."""
    key, unit = figure.name, figure.unit
    if figures.found([figure]):
        key = columns.examined_key(figure)
    elif unit == "s":
        key, unit = f"{key.removesuffix('_s')}_us", "µs"
    return {"key": key, "label": figure.label, "unit": unit, "better": figure.better}


def _row(run: Run, built: Built, row: Row, *, unstable: bool) -> dict[str, Any]:
    """A line of the table, and a point of the frontier."""
    measured, timing = row.measured, row.timing
    return {
        "experiment": built.id,
        "model": built.model,
        "recipe": built.recipe,
        "seed": built.seed,
        "variant": measured.variant,
        "accuracy": measured.test.accuracy,
        "accuracy_interval": intervals.accuracy(measured.test),
        "drop": paired(built.test, measured.test).value if built.test else None,
        "bytes": measured.bytes,
        "gzip_bytes": measured.gzip_bytes,
        "median_us": 1e6 * timing.median_s,
        "median_us_interval": [1e6 * end for end in intervals.median_s(timing) or ()],
        "p90_us": None if (p90 := timing.percentile_s(90)) is None else 1e6 * p90,
        "unstable": unstable,
        "parameters": built.info.parameters,
        "macs": built.info.macs,
        "sparsity": built.sparsity,
        "note": run.remarks(row),
        "unexamined": _unexamined(run, measured),
        # What a file does not have is left out: of most targets, most files have nothing.
        **{
            columns.examined_key(figure): measured.figures[figure.name]
            for figure in run.examined_figures()
            if measured.figures.get(figure.name) is not None
        },
    }


def _unexamined(run: Run, measured: Measured) -> dict[str, str]:
    """Return why a file has no figures of a target, by the name of the target."""
    reasons = measured.unexamined
    return {one.target: reasons[one.name] for one in run.header.examinations if one.target and one.name in reasons}


def _absence(experiments: Mapping[str, Built], experiment: str, variant: str, reason: str) -> dict[str, str]:
    """A line of the table for what was requested and was not measured."""
    built = experiments.get(experiment)
    return {
        "experiment": experiment,
        "variant": variant,
        "model": built.model if built else "",
        "recipe": built.recipe if built else "",
        "note": f"absent: {reason}",
    }


def _recipes(run: Run) -> dict[str, Any]:
    """What each recipe changes: the places of the ratios, and for each recipe its accuracy change and its ratios."""
    overview = payoff.overview(run)
    return {
        "ratios": [
            {"resource": resource, "where": where, "place": payoff.place(where)} for resource, where in overview.ratios
        ],
        "lines": [
            {
                "model": line[0],
                "recipe": line[1],
                "change": overview.changes.get(line),
                "ratios": [ratios.get(line) for ratios in overview.ratios.values()],
            }
            for line in overview.lines()
        ],
    }


def _pipeline(run: Run, model: str, table: pd.DataFrame) -> dict[str, Any]:
    """The lines of a pipeline table, and the experiment of each: of the first seed, where there are several."""
    first = {built.recipe: built.id for built in reversed(selected(run)) if built.model == model}
    experiments = {pipelines.label(recipe): first.get(recipe) for recipe in run.header.catalog.pipelines}
    columns = [name for name in table.columns if name != "Note" and not name.endswith("_sd")]
    lines = []
    for line in table.to_dict("records"):
        experiment, variant = experiments[line["Model optimize"]], line["Method"]
        lines.append(
            {
                "experiment": experiment if experiment and run.row(experiment, variant) else None,
                "variant": variant,
                "cells": [_cell(line, name) for name in columns],
                "note": "" if pd.isna(line["Note"]) else line["Note"],
            }
        )
    return {"columns": columns, "lines": lines}


def _cell(line: dict[Any, Any], name: str) -> dict[str, Any]:
    """A value, None where it is missing, and how it is shown: with the standard deviation over the seeds."""
    value, spread = line[name], line.get(f"{name}_sd", pd.NA)
    if pd.isna(value):
        return {"value": None, "shown": ""}
    if not isinstance(value, float):
        return {"value": value, "shown": str(value)}
    return {"value": value, "shown": f"{value:.2f}" + ("" if pd.isna(spread) else f" ± {spread:.2f}")}
