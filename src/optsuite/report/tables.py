"""The tables of a report, as DataFrames; what is missing is NA in them, and `absences` says why."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import pandas as pd

from optsuite import terminal
from optsuite.judge import budgets
from optsuite.judge.accuracy import pooled
from optsuite.judge.pareto import frontier as pareto_frontier
from optsuite.report import escape
from optsuite.results.built import Built
from optsuite.results.run import Run

_MISSING = "—"
_SD = "_sd"
"""The ending of the columns with standard deviations over the seeds."""
_OF_ONE_CALL = re.compile(rf"(?<![^_])(median|mean|p90|p99|min|max)_ms(?=({_SD})?$)")
"""The names of the columns with times of one call, which people read in µs."""
_NOTHING = "(nothing was measured for this table)"

FRONTIERS = {"latency": "median_ms", "size": "bytes"}
"""The column of each cost of a file."""


def selected(run: Run) -> list[Built]:
    """Return the experiments that were requested; others in the run are only their references."""
    built = {one.id: one for one in run.header.built}
    return [built[name] for name in run.header.experiments if name in built]


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
    """Return the columns of the results that compare Keras and TFLite."""
    columns = ["exp_id", "recipe", "test_acc", "tflite_float_acc", "tflite_dynamic_acc", "tflite_int8_acc"]
    columns += ["acc_drop_int8", "keras_bytes", "tflite_float_bytes", "tflite_int8_bytes"]
    columns += ["tflite_float_median_ms", "tflite_int8_median_ms", "size_ratio_int8"]
    columns += ["tflite_int4_acc", "tflite_int4_bytes", "tflite_mixed_acc", "tflite_mixed_bytes"]
    return _with_spread(results, columns)


def _with_spread(results: pd.DataFrame, columns: list[str]) -> pd.DataFrame:
    return results[[name for column in columns for name in (column, column + _SD) if name in results]]


def recipes(run: Run) -> pd.DataFrame:
    """Return the accuracy drop of each recipe against its baseline over all seeds, in Keras and in the int8 files."""
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
    drop_of_files = pooled(files) if len(files) == len(pairs) else None
    built = pairs[0][1]
    controls = [(control, one) for _, one in pairs if (control := run.sibling(one, "finetune")) and control is not one]
    against_control = pooled([(control.answers, one.answers) for control, one in controls]) if controls else None
    return {
        "recipe": name,
        "seeds": len(pairs),
        "baseline_acc": drop.reference,
        "test_acc": drop.candidate,
        "drop": drop.value,
        "p": drop.p_value(),
        **(
            {"finetune_drop": against_control.value, "finetune_p": against_control.p_value()} if against_control else {}
        ),
        "budget": built.budget,
        "newly_wrong": drop.lost,
        "newly_correct": drop.gained,
        "int8_drop": drop_of_files.value if drop_of_files else pd.NA,
        "int8_p": drop_of_files.p_value() if drop_of_files else pd.NA,
        "sparsity_est": sum(one.sparsity for _, one in pairs) / len(pairs),
        "prunable": built.prunable,
    }


def over_budget(run: Run) -> pd.DataFrame:
    """Return what is over its budget, with the verdict of its gate."""
    return pd.DataFrame(
        [
            {
                "exp_id": built.id,
                "what": judged.what,
                "drop": judged.drop.value,
                "budget": judged.budget,
                "newly_wrong": judged.drop.lost,
                "newly_correct": judged.drop.gained,
                "verdict": "violated" if judged.violated else "may be chance",
            }
            for built, judged in budgets.over(run)
        ]
    )


def files(results: pd.DataFrame) -> pd.DataFrame:
    """Return a line for each .tflite file that was measured, by the order of the experiments.

    `acc_drop` is against the Keras model, `size_ratio` the bytes of the Keras model over those of the file.
    """
    known = [str(name) for name in results]
    variants = [name.removeprefix("tflite_").removesuffix("_acc") for name in known if name.endswith("_acc")]
    columns = ["exp_id", "model", "recipe", "params", "test_acc", "keras_bytes", *_OF_A_FILE]
    parts = []
    for variant in variants:
        prefix = f"tflite_{variant}_"
        if f"{prefix}median_ms" in known and results[f"{prefix}acc"].notna().any():
            names = {name: name.removeprefix(prefix) for name in known}
            part = _with_spread(results[results[f"{prefix}acc"].notna()].rename(columns=names), columns)
            parts.append(part.assign(variant={"float": "fp32"}.get(variant, variant)))
    if not parts:
        return pd.DataFrame(columns=[*columns, "variant", "acc_drop", "size_ratio"])
    table = pd.concat(parts).sort_index(kind="stable")
    return table.assign(acc_drop=table["test_acc"] - table["acc"], size_ratio=table["keras_bytes"] / table["bytes"])


_OF_A_FILE = ("acc", "median_ms", "p90_ms", "bytes", "gzip_bytes")


def frontier(results: pd.DataFrame, cost: str) -> pd.DataFrame:
    """Return the files that no other beats in both accuracy and `cost`, cheapest first."""
    table = files(results)
    points = list(zip(table[FRONTIERS[cost]], table["acc"], strict=True))
    shown = ["exp_id", "variant", "acc", "median_ms", "bytes", "gzip_bytes"]
    return _with_spread(table.iloc[pareto_frontier(points)], shown).reset_index(drop=True)


def markdown(table: pd.DataFrame) -> str:
    """The table for people, as Markdown; see `_texts`."""
    return _NOTHING if table.empty else _texts(table).map(escape.cell).to_markdown(index=False, disable_numparse=True)


def plain(table: pd.DataFrame) -> str:
    """The table for people, at a terminal; see `_texts`."""
    if table.empty:
        return _NOTHING
    rows = _texts(table).to_dict("records")
    return terminal.table([{str(name): text for name, text in row.items()} for row in rows])


def _texts(table: pd.DataFrame) -> pd.DataFrame:
    """The cells as texts: rounded, a dash for what is missing, mean and standard deviation in one cell.

    Times of one call are in µs, although the CSV files have them in ms, as total times are.
    """
    table = _in_microseconds(table)
    spreads = [name for name in table.columns if name.removesuffix(_SD) != name]
    shown = table.drop(columns=spreads)
    shown = pd.DataFrame({name: [_shown(name, value) for value in shown[name]] for name in shown.columns})
    for spread in spreads:
        name = spread.removesuffix(_SD)
        varies = (table[spread].fillna(0) > 0).to_numpy()
        shown.loc[varies, name] += [f" ± {_shown(name, value)}" for value in table[spread][varies]]
    return shown


def _in_microseconds(table: pd.DataFrame) -> pd.DataFrame:
    columns = {name: _OF_ONE_CALL.sub(r"\1_us", str(name)) for name in table.columns}
    renamed = {name: other for name, other in columns.items() if other != name}
    return table.assign(**{name: 1e3 * table[name] for name in renamed}).rename(columns=renamed)


def _shown(column: str, value: Any) -> str:
    if pd.isna(value) or value == "":
        return _MISSING
    if isinstance(value, str):
        return value
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
