"""The table of results: results.csv, one line per experiment."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from optsuite.judge.accuracy import paired
from optsuite.report.tables import selected
from optsuite.results.built import Built
from optsuite.results.model import StageRecord
from optsuite.results.run import Row, Run

_PUBLISHED = ("fp32", "dynamic", "int8")
"""The variants of the published tables, whose columns come first."""
_SPREAD = ("mean_ms", "p90_ms", "p99_ms", "min_ms", "max_ms", "runs")


@dataclass(frozen=True, kw_only=True)
class _Experiment:
    """An experiment of a run, and its measured rows by variant."""

    run: Run
    built: Built
    rows: Mapping[str, Row | None]


@dataclass(frozen=True)
class _Column:
    """A column of the table of results: its name, and its value for an experiment."""

    name: str
    value: Callable[[_Experiment], Any]


def results(run: Run) -> pd.DataFrame:
    """Return one line per experiment: the columns of the published tables in their order, then the others."""
    variants = list(dict.fromkeys([*run.header.catalog.variants, *run.header.variants]))
    columns = _columns(variants, [figure.name for figure in run.examined_figures()])
    known = {built.id: built for built in selected(run)}
    lines = []
    for name in run.header.experiments:
        if name in known:
            rows = {variant: run.row(name, variant) for variant in variants}
            experiment = _Experiment(run=run, built=known[name], rows=rows)
            lines.append({column.name: column.value(experiment) for column in columns})
        elif known:
            lines.append(dict.fromkeys((column.name for column in columns), pd.NA) | _not_built(run, name))
        else:
            lines.append(_not_built(run, name))
    return pd.DataFrame(lines)


def of_every_run(run: Run, table: pd.DataFrame) -> pd.DataFrame:
    """Return the table of results without the figures that examinations declare, which are many."""
    names = {figure.name for figure in run.examined_figures()}
    variants = [*run.header.catalog.variants, *run.header.variants]
    return table.drop(columns=[f"{_prefix(variant)}_{name}" for variant in variants for name in names], errors="ignore")


def batch(stages: Sequence[StageRecord]) -> Any:
    """Return the batch size of the first stage that trains; NA where none does, as for a trained file."""
    return next((stage.batch for stage in stages if stage.epochs), pd.NA)


def _not_built(run: Run, experiment: str) -> dict[str, Any]:
    """The columns of an experiment that has no model: its name and the reason."""
    reasons = dict.fromkeys(run.absence(experiment, variant) for variant in run.header.variants)
    return {"exp_id": experiment, "absent": "; ".join(reasons)}


def _columns(variants: Sequence[str], examined: Sequence[str]) -> list[_Column]:
    """The columns of the table of results, in their order; `examined` are the figures that examinations declare."""
    files = [name for name in variants if name != "keras"]
    others = [name for name in files if name not in _PUBLISHED]
    return [
        _Column("exp_id", lambda experiment: experiment.built.id),
        _Column("model", lambda experiment: experiment.built.model),
        _Column("recipe", lambda experiment: experiment.built.recipe),
        _Column("seed", lambda experiment: experiment.built.seed),
        _Column("epochs", lambda experiment: experiment.built.epochs),
        _Column("batch", lambda experiment: batch(experiment.built.info.stages)),
        _Column("test_acc", _test_accuracy),
        _Column("params", lambda experiment: experiment.built.info.parameters),
        _Column("flops", lambda experiment: experiment.built.flops),
        _Column("sparsity_est", lambda experiment: experiment.built.sparsity),
        _Column("keras_bytes", lambda experiment: _or_na(experiment.built.info.keras_bytes)),
        *(_figure_column(name, figure) for figure in ("bytes", "median_ms", "acc") for name in _PUBLISHED),
        _Column("acc_drop_int8", _accuracy_drop_int8),
        _Column("size_ratio_int8", _size_ratio_int8),
        *(_figure_column(name, figure) for name in _PUBLISHED for figure in _SPREAD),
        *(_figure_column(name, figure) for name in others for figure in ("bytes", "median_ms", "acc", *_SPREAD)),
        *(_figure_column(name, figure) for figure in ("gzip_bytes", "total_ms") for name in files),
        *(_figure_column(name, figure) for figure in examined for name in files),
        _figure_column("keras", "median_ms"),
        _figure_column("keras", "total_ms"),
        _Column("macs", lambda experiment: experiment.built.info.macs),
        _Column("prunable", lambda experiment: experiment.built.prunable),
        _Column("notes", _notes),
        _Column("absent", _absent),
    ]


def _or_na(value: float | None) -> Any:
    return pd.NA if value is None else value


def _test_accuracy(experiment: _Experiment) -> Any:
    return pd.NA if experiment.built.test is None else experiment.built.test.accuracy


def _figure_column(variant: str, figure: str) -> _Column:
    """A figure of a variant; the published tables call fp32 "float"."""
    return _Column(f"{_prefix(variant)}_{figure}", lambda experiment: _figure(experiment.rows.get(variant), figure))


def _prefix(variant: str) -> str:
    return "keras" if variant == "keras" else "tflite_float" if variant == "fp32" else f"tflite_{variant}"


def _accuracy_drop_int8(experiment: _Experiment) -> Any:
    row, reference = experiment.rows.get("int8"), experiment.built.test
    return pd.NA if row is None or reference is None else paired(reference, row.measured.test).value


def _size_ratio_int8(experiment: _Experiment) -> Any:
    row, keras_bytes = experiment.rows.get("int8"), experiment.built.info.keras_bytes
    return pd.NA if row is None or keras_bytes is None else keras_bytes / row.measured.bytes


def _notes(experiment: _Experiment) -> str:
    noted = {name: experiment.run.remarks(row) for name, row in experiment.rows.items() if row}
    return "; ".join(f"{name}: {note}" for name, note in noted.items() if note)


def _absent(experiment: _Experiment) -> str:
    run, id = experiment.run, experiment.built.id
    return "; ".join(f"{name}: {run.absence(id, name)}" for name, row in experiment.rows.items() if row is None)


def _figure(row: Row | None, figure: str) -> Any:
    """One number of a measured variant, NA where there is none."""
    if row is None:
        return pd.NA
    timing, measured = row.timing, row.measured
    if figure in measured.figures:
        return measured.figures[figure]
    p90, p99 = timing.percentile_s(90), timing.percentile_s(99)
    return {
        "acc": measured.test.accuracy,
        "bytes": measured.bytes,
        "gzip_bytes": measured.gzip_bytes,
        "median_ms": 1e3 * timing.median_s,
        "mean_ms": 1e3 * timing.mean_s,
        "p90_ms": pd.NA if p90 is None else 1e3 * p90,
        "p99_ms": pd.NA if p99 is None else 1e3 * p99,
        "min_ms": 1e3 * timing.min_s,
        "max_ms": 1e3 * timing.max_s,
        "runs": timing.rounds,
        "total_ms": 1e3 * measured.total_time_s,
    }.get(figure, pd.NA)
