"""What the page holds, as plain lists and dicts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from optsuite.drop import paired
from optsuite.invariants import broken, owed
from optsuite.noise import noise
from optsuite.recipes import PIPELINES
from optsuite.records import Built, LayerWeights, Measured
from optsuite.report import intervals, pipelines
from optsuite.report.page import images
from optsuite.report.tables import selected
from optsuite.results import Row, Run
from optsuite.spec import Promise

_METRICS = [
    {"key": "accuracy", "label": "test accuracy", "unit": "", "better": "higher"},
    {"key": "median_us", "label": "latency, median of one call", "unit": "µs", "better": "lower"},
    {"key": "bytes", "label": "size", "unit": "bytes", "better": "lower"},
    {"key": "gzip_bytes", "label": "size after gzip", "unit": "bytes", "better": "lower"},
    {"key": "parameters", "label": "parameters", "unit": "", "better": "lower"},
    {"key": "macs", "label": "MACs", "unit": "", "better": "lower"},
]
"""What the axes can be."""

_QUANTILES = np.linspace(0, 1, 201)


def content(run: Run) -> dict[str, Any]:
    """All that the page's script needs; the lines of the table of results are `rows`."""
    found = noise(run)
    disturbed = found.disturbed if found else ()
    flips = images.flips(run)
    rows: list[dict[str, Any]] = []
    details = {}
    for built in selected(run):
        for row in run.rows:
            name = row.measured.experiment, row.measured.variant
            if row.measured.experiment == built.id:
                rows.append(_row(built, row, doubtful=name in disturbed))
                details[" ".join(name)] = _detail(run, built, row, flips.get(name, ()))
    return {
        "metrics": _METRICS,
        "rows": rows,
        "details": details,
        "experiments": {built.id: _experiment(run, built) for built in selected(run)},
        "labels": run.header.labels,
        "images": images.sheet(run, flips),
    }


def _row(built: Built, row: Row, *, doubtful: bool) -> dict[str, Any]:
    """A line of the table, and a point of the frontier."""
    measured, timing = row.measured, row.timing
    return {
        "experiment": built.id,
        "model": built.model,
        "recipe": built.kind,
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
        "doubtful": doubtful,
        "parameters": built.info.parameters,
        "macs": built.info.macs,
        "sparsity": built.sparsity,
        "note": measured.note,
    }


def _experiment(run: Run, built: Built) -> dict[str, Any]:
    """What is known of an experiment whatever its variant."""
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
                "layers": stage.layers,
                "promise": _words(stage.promise),
                "preserve": stage.preserve,
            }
            for stage in built.info.stages
        ],
    }


def _words(promise: Promise) -> str:
    parts = []
    if promise.sparsity is not None:
        parts.append(f"{100 * promise.sparsity:g} % zeros")
    if promise.clusters is not None:
        parts.append(f"at most {promise.clusters} values")
    return ", ".join(parts)


def _detail(run: Run, built: Built, row: Row, flips: Sequence[int]) -> dict[str, Any]:
    """What is known of a variant of an experiment beside its line."""
    measured, timing = row.measured, row.timing
    promises = owed(built.info.stages)
    mistakes = _mistakes(measured)
    ran = measured.execution
    return {
        "wrong": _wrong(run.header.labels, mistakes),
        "flips": len(flips),
        "shown": [[index, mistakes[index]] for index in flips[: images.MOST]],
        "quantiles_us": (1e6 * np.quantile(timing.rounds_s, _QUANTILES)).round(3).tolist()
        if timing.single_rounds
        else [],
        "layers": [
            _layer(layer, promises.get(layer.name, Promise()), in_file=ran is not None) for layer in measured.weights
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


def _layer(layer: LayerWeights, promise: Promise, *, in_file: bool) -> dict[str, Any]:
    return {
        "name": layer.name,
        "size": layer.size,
        "zeros": layer.zeros / layer.size,
        "values": layer.channel_unique if in_file else layer.unique,
        "owed": _words(promise),
        "faults": broken({layer.name: promise}, [layer], per_channel=in_file),
        "low": layer.low,
        "high": layer.high,
        "histogram": layer.histogram,
    }


def _mistakes(measured: Measured) -> dict[int, int]:
    """Image -> the label that it was given, of those that were answered wrong."""
    if measured.test.graded:
        return {}
    return dict(zip(np.flatnonzero(~measured.test.right()).tolist(), measured.mistakes, strict=True))


def _wrong(labels: Sequence[int], mistakes: dict[int, int]) -> list[tuple[int, int, int]]:
    """Label, answer and count of each kind of mistake."""
    counts = Counter((labels[image], given) for image, given in mistakes.items())
    return [(label, given, count) for (label, given), count in counts.items()]


def pipeline(run: Run, model: str, table: pd.DataFrame) -> dict[str, Any]:
    """The lines of a pipeline table, and the experiment of each: of the first seed, where there are several."""
    first = {built.kind: built.id for built in reversed(selected(run)) if built.model == model}
    experiments = {pipelines.label(recipe): first.get(recipe) for recipe in PIPELINES}
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
