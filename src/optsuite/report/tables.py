"""The tables of a report, as DataFrames; what is missing is NA in them, and `absences` says why."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import pandas as pd

from optsuite.judge.accuracy import paired, pooled
from optsuite.judge.pareto import frontier as pareto_frontier
from optsuite.report import escape
from optsuite.results.built import Built
from optsuite.results.run import Row, Run

_PUBLISHED = ("fp32", "dynamic", "int8")
"""The variants of the published tables, whose columns come first."""
_MISSING = "—"
_SD = "_sd"
"""What is appended to a column's name for its standard deviation over the seeds."""

FRONTIERS = {"latency": "median_ms", "size": "bytes"}
"""What an int8 model costs -> the column that holds it."""


def selected(run: Run) -> list[Built]:
    """The experiments that were asked for; others in the run are only their references."""
    built = {one.id: one for one in run.header.built}
    return [built[name] for name in run.header.experiments if name in built]


def results(run: Run) -> pd.DataFrame:
    """One line an experiment: the columns of the published tables in their order, then our own."""
    lines = {built.id: _result(run, built) for built in selected(run)}
    columns = list(next(iter(lines.values()), {"exp_id": None, "absent": None}))
    return pd.DataFrame([lines.get(name) or _not_built(run, name, columns) for name in run.header.experiments])


def _not_built(run: Run, experiment: str, columns: list[str]) -> dict[str, Any]:
    """The line of an experiment of which there is nothing but the reason."""
    reasons = dict.fromkeys(run.absence(experiment, variant) for variant in run.header.variants)
    return dict.fromkeys(columns, pd.NA) | {"exp_id": experiment, "absent": "; ".join(reasons)}


def _result(run: Run, built: Built) -> dict[str, Any]:
    rows = {name: run.row(built.id, name) for name in (*run.header.catalog.variants, *run.header.variants)}
    beside = [name for name in rows if name not in (*_PUBLISHED, "keras")]
    line: dict[str, Any] = {
        "exp_id": built.id,
        "model": built.model,
        "recipe": built.recipe,
        "seed": built.seed,
        "epochs": built.epochs,
        "batch": built.info.stages[0].batch,
        "test_acc": built.test.accuracy if built.test else pd.NA,
        "params": built.info.parameters,
        "flops": built.flops,
        "sparsity_est": built.sparsity,
        "keras_bytes": built.info.keras_bytes or pd.NA,
    }
    for figure in ("bytes", "median_ms", "acc"):
        line |= {f"{_prefix(name)}_{figure}": _figure(rows.get(name), figure) for name in _PUBLISHED}
    line["acc_drop_int8"] = _drop(built, rows.get("int8"))
    int8_row = rows.get("int8")
    line["size_ratio_int8"] = line["keras_bytes"] / int8_row.measured.bytes if int8_row else pd.NA
    for name in _PUBLISHED:
        line |= {f"{_prefix(name)}_{figure}": _figure(rows.get(name), figure) for figure in _SPREAD}
    for name in beside:
        figures = ("bytes", "median_ms", "acc", *_SPREAD)
        line |= {f"{_prefix(name)}_{figure}": _figure(rows.get(name), figure) for figure in figures}
    for figure in ("gzip_bytes", "total_ms"):
        files = (name for name in rows if name != "keras")
        line |= {f"{_prefix(name)}_{figure}": _figure(rows.get(name), figure) for name in files}
    line["keras_median_ms"] = _figure(rows.get("keras"), "median_ms")
    line["keras_total_ms"] = _figure(rows.get("keras"), "total_ms")
    line["macs"] = built.info.macs
    line["prunable"] = built.prunable
    line["notes"] = "; ".join(f"{name}: {row.measured.note}" for name, row in rows.items() if row and row.measured.note)
    line["absent"] = "; ".join(f"{name}: {run.absence(built.id, name)}" for name, row in rows.items() if row is None)
    return line


_SPREAD = ("mean_ms", "p90_ms", "p99_ms", "min_ms", "max_ms", "runs")


def _prefix(variant: str) -> str:
    """Of its columns: the published tables' name of fp32; the others keep their own."""
    return "tflite_float" if variant == "fp32" else f"tflite_{variant}"


def _figure(row: Row | None, figure: str) -> Any:
    """One number of a measured variant, NA where there is none."""
    if row is None:
        return pd.NA
    timing, measured = row.timing, row.measured
    seconds = {
        "median_ms": timing.median_s,
        "mean_ms": timing.mean_s,
        "min_ms": timing.min_s,
        "max_ms": timing.max_s,
        "total_ms": measured.total_time_s,
    }
    if figure in seconds:
        return seconds[figure] * 1e3
    if figure in ("p90_ms", "p99_ms"):
        value = timing.percentile_s(float(figure[1:3]))
        return pd.NA if value is None else value * 1e3
    return {
        "acc": measured.test.accuracy,
        "bytes": measured.bytes,
        "gzip_bytes": measured.gzip_bytes,
        "runs": timing.rounds,
    }[figure]


def _drop(built: Built, row: Row | None) -> Any:
    return pd.NA if row is None or built.test is None else paired(built.test, row.measured.test).value


def over_seeds(table: pd.DataFrame, by: Sequence[str] = ("exp_id",)) -> pd.DataFrame:
    """A table with a line a seed as one with a line for all seeds; where each has but one, as it is.

    `by` names the columns that tell the lines apart, an id without its seed. Numbers are means over the seeds that have
    them, each followed by their sample standard deviation in a column of the same name and `_sd`; `seeds` counts.
    """
    keyed = table.assign(exp_id=table["exp_id"].map(without_seed)) if "exp_id" in table else table
    if not keyed.duplicated(list(by)).any():
        return table
    values = keyed.drop(columns="seed", errors="ignore").convert_dtypes()
    values = values.astype({name: "Float64" for name in values if values[name].isna().all()})
    groups = values.groupby(list(by), sort=False)
    columns: dict[str, pd.Series[Any]] = {"seeds": groups.size()}
    for name in values.columns.drop(list(by)):
        if pd.api.types.is_numeric_dtype(values[name]):
            columns |= {name: groups[name].mean(), name + _SD: groups[name].std()}
        else:
            columns[name] = groups[name].agg(_joined)
    return pd.DataFrame(columns).reset_index()


def _joined(texts: Any) -> str:
    return "; ".join(dict.fromkeys(texts.dropna()))


def without_seed(experiment: str) -> str:
    """An experiment's id without its seed."""
    return re.sub(r"_s\d+$", "", experiment)


def comparison(results: pd.DataFrame) -> pd.DataFrame:
    """Keras beside TFLite: the columns of `results` that say it."""
    columns = ["exp_id", "recipe", "test_acc", "tflite_float_acc", "tflite_dynamic_acc", "tflite_int8_acc"]
    columns += ["acc_drop_int8", "keras_bytes", "tflite_float_bytes", "tflite_int8_bytes"]
    columns += ["tflite_float_median_ms", "tflite_int8_median_ms", "size_ratio_int8"]
    return _with_spread(results, columns)


def _with_spread(results: pd.DataFrame, columns: list[str]) -> pd.DataFrame:
    return results[[name for column in columns for name in (column, column + _SD) if name in results]]


def recipes(run: Run) -> pd.DataFrame:
    """What each recipe lost against its baseline over all seeds, image by image, in Keras and in the int8 files."""
    found: dict[str, list[tuple[Built, Built]]] = {}
    for built in selected(run):
        reference = run.baseline(built)
        if reference is not None and reference is not built:
            found.setdefault(built.model_recipe, []).append((reference, built))
    return pd.DataFrame([_recipe(run, name, pairs) for name, pairs in found.items()])


def _recipe(run: Run, name: str, pairs: list[tuple[Built, Built]]) -> dict[str, Any]:
    drop = pooled([(reference.answers, built.answers) for reference, built in pairs])
    rows = [(run.row(reference.id, "int8"), run.row(built.id, "int8")) for reference, built in pairs]
    files = [(before.measured.test, after.measured.test) for before, after in rows if before and after]
    shipped = pooled(files) if len(files) == len(pairs) else None
    built = pairs[0][1]
    return {
        "recipe": name,
        "seeds": len(pairs),
        "baseline_acc": drop.reference,
        "test_acc": drop.candidate,
        "drop": drop.value,
        "p": drop.p_value(),
        "budget": built.budget,
        "newly_wrong": drop.lost,
        "newly_correct": drop.gained,
        "int8_drop": shipped.value if shipped else pd.NA,
        "int8_p": shipped.p_value() if shipped else pd.NA,
        "sparsity_est": sum(one.sparsity for _, one in pairs) / len(pairs),
        "prunable": built.prunable,
    }


def int8(results: pd.DataFrame) -> pd.DataFrame:
    """The int8 variants that were measured: accuracy, latency and size."""
    columns = ["exp_id", "model", "recipe", "params", "acc", "median_ms", "bytes", "gzip_bytes"]
    measured = results[results["tflite_int8_acc"].notna()] if "tflite_int8_acc" in results else results.iloc[:0]
    return _with_spread(measured.rename(columns=lambda name: name.removeprefix("tflite_int8_")), columns)


def frontier(results: pd.DataFrame, cost: str) -> pd.DataFrame:
    """The int8 variants that no other beats in both accuracy and `cost`, cheapest first."""
    table = int8(results)
    if table.empty:
        return table
    points = list(zip(table[FRONTIERS[cost]], table["acc"], strict=True))
    shown = [name for name in table.columns if name.removesuffix(_SD) not in ("model", "recipe", "params")]
    return table.iloc[pareto_frontier(points)][shown].reset_index(drop=True)


def markdown(table: pd.DataFrame) -> str:
    """The table for people: rounded, a dash for what is missing, mean and standard deviation in one cell."""
    if table.empty:
        return "(nothing was measured for this table)"
    spreads = [name for name in table.columns if name.removesuffix(_SD) != name]
    shown = table.drop(columns=spreads)
    shown = pd.DataFrame({name: [_shown(name, value) for value in shown[name]] for name in shown.columns})
    for spread in spreads:
        name = spread.removesuffix(_SD)
        varies = (table[spread].fillna(0) > 0).to_numpy()
        shown.loc[varies, name] += [f" ± {_shown(name, value)}" for value in table[spread][varies]]
    return shown.to_markdown(index=False, disable_numparse=True)


def _shown(column: str, value: Any) -> str:
    if pd.isna(value) or value == "":
        return _MISSING
    if isinstance(value, str):
        return escape.cell(value)
    if column.endswith("bytes"):
        return f"{value:.0f}"
    if column == "gmacs_per_s":
        return f"{value:.1f}"
    if column.startswith("difference"):
        return f"{value:+.2f}"
    if column.endswith("_us"):
        return f"{value:.2f}"
    if column == "p" or column.endswith("_p"):
        return f"{value:.1g}" if value < 0.001 else f"{value:.3f}"
    if column.endswith("_ms"):
        return f"{value:.5f}" if value < 1 else f"{value:.1f}"
    if column.startswith("size_ratio") or column in ("Accuracy", "Total time", "File size"):
        return f"{value:.2f}"
    return f"{value:.4f}" if isinstance(value, float) else str(value)
