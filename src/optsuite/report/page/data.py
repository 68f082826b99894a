"""The data of the page, as plain lists and dicts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from optsuite.judge import intervals
from optsuite.judge.accuracy import paired
from optsuite.judge.invariants import in_force, violations
from optsuite.judge.steadiness import steadiness
from optsuite.report import pipelines
from optsuite.report.page import images
from optsuite.report.tables import selected
from optsuite.results import figures
from optsuite.results.built import Built
from optsuite.results.figures import Figure
from optsuite.results.kernels import LayerWeights
from optsuite.results.measured import Measured
from optsuite.results.run import Row, Run
from optsuite.spec.data import Split
from optsuite.spec.invariant import Invariant

_QUANTILES = np.linspace(0, 1, 201)


def content(run: Run, test: Split | None) -> dict[str, Any]:
    """All that the page's script needs; the lines of the table of results are `rows`."""
    found = steadiness(run)
    unstable_rows = found.unstable if found else ()
    changed = images.newly_wrong(run)
    rows: list[dict[str, Any]] = []
    details = {}
    for built in selected(run):
        for row in run.rows:
            name = row.measured.experiment, row.measured.variant
            if row.measured.experiment == built.id:
                rows.append(_row(run, built, row, unstable=name in unstable_rows))
                details[" ".join(name)] = _detail(run, built, row, changed.get(name, ()))
    return {
        "metrics": [_metric(figure) | {"of": run.header.examined(figure.name).target} for figure in _shown(run)],
        "examined": [_examined_key(figure) for figure in run.examined_figures()],
        "rows": rows,
        "details": details,
        "experiments": {built.id: _experiment(run, built) for built in selected(run)},
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
        key = _examined_key(figure)
    elif unit == "s":
        key, unit = f"{key.removesuffix('_s')}_us", "µs"
    return {"key": key, "label": figure.label, "unit": unit, "better": figure.better}


def _examined_key(figure: Figure) -> str:
    """Return the key of a figure that an examination declares: no other key begins so."""
    return f"examined {figure.name}"


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
        **{_examined_key(figure): measured.figures.get(figure.name) for figure in run.examined_figures()},
    }


def _unexamined(run: Run, measured: Measured) -> dict[str, str]:
    """Return why a file has no figures of a target, by the name of the target."""
    reasons = measured.unexamined
    return {one.target: reasons[one.name] for one in run.header.examinations if one.target and one.name in reasons}


def _experiment(run: Run, built: Built) -> dict[str, Any]:
    """Return the details of an experiment that all its variants share."""
    baseline = run.baseline(built)
    return {
        "baseline": baseline.id if baseline else None,
        "is_baseline": baseline is built,
        "budget": built.budget,
        "stages": [
            {
                "stage": stage.stage,
                "epochs": stage.epochs,
                "batch": stage.batch,
                "accuracy": stage.accuracy,
                "val_accuracy": stage.val_accuracy,
                "invariants": {layer: _words(invariant) for layer, invariant in stage.invariants.items()},
                "preserve": stage.preserve,
            }
            for stage in built.info.stages
        ],
    }


def _words(invariant: Invariant) -> str:
    parts = []
    if invariant.sparsity is not None:
        parts.append(f"{100 * invariant.sparsity:g} % zeros")
    if invariant.clusters is not None:
        parts.append(f"at most {invariant.clusters} values")
    return ", ".join(parts)


def _detail(run: Run, built: Built, row: Row, changed: Sequence[int]) -> dict[str, Any]:
    """Return the details of a variant of an experiment that its line does not have."""
    measured, timing = row.measured, row.timing
    invariants = in_force(built.info.stages)
    mistakes = _mistakes(measured)
    ran = measured.execution
    return {
        "wrong": _wrong(run.header.data.labels, mistakes),
        "newly_wrong": len(changed),
        "shown": [[index, mistakes[index]] for index in changed[: images.MOST]],
        "quantiles_us": (1e6 * np.quantile(timing.rounds_s, _QUANTILES)).round(3).tolist()
        if timing.single_rounds
        else [],
        "layers": [
            _layer(layer, invariants.get(layer.name, Invariant()), in_file=ran is not None)
            for layer in measured.weights
        ],
        "execution": {
            "load_ms": 1e3 * ran.load_s,
            "first_ms": 1e3 * ran.first_invoke_s,
            "heap_bytes": ran.heap_bytes,
            "delegate": ran.delegate,
        }
        if ran
        else None,
    }


def _layer(layer: LayerWeights, invariant: Invariant, *, in_file: bool) -> dict[str, Any]:
    return {
        "name": layer.name,
        "size": layer.size,
        "zeros": layer.zeros / layer.size,
        "values": layer.channel_unique if in_file else layer.unique,
        "in_force": _words(invariant),
        "faults": [str(one) for one in violations({layer.name: invariant}, [layer], per_channel=in_file)],
        "low": layer.low,
        "high": layer.high,
        "histogram": layer.histogram,
    }


def _mistakes(measured: Measured) -> dict[int, int]:
    """Image -> the label that it was given, of those that were answered wrong."""
    if measured.test.graded:
        return {}
    return dict(zip(np.flatnonzero(~measured.test.correct()).tolist(), measured.mistakes, strict=True))


def _wrong(labels: Sequence[int], mistakes: dict[int, int]) -> list[tuple[int, int, int]]:
    """Label, answer and count of each kind of mistake."""
    counts = Counter((labels[image], given) for image, given in mistakes.items())
    return [(label, given, count) for (label, given), count in counts.items()]


def pipeline(run: Run, model: str, table: pd.DataFrame) -> dict[str, Any]:
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
