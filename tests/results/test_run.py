"""A run as tables of pandas."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import optsuite.results
from optsuite.results.figures import FIGURES

Write = Callable[[Any], Path]


def test_one_line_per_variant_and_one_column_per_figure(run_json: dict[str, Any], write_run: Write) -> None:
    """The path may be a string; the columns of every row are there, in SI units; what is absent has no line."""
    table = optsuite.results.read(str(write_run(run_json))).to_frame()
    assert list(table[["experiment", "variant"]].itertuples(index=False, name=None)) == [
        ("conv_baseline_s0", "fp32"),
        ("conv_baseline_s0", "int8"),
        ("conv_baseline_s0", "int16x8"),
        ("conv_qat_s0", "int8"),
    ]
    assert {figure.name for figure in FIGURES} <= set(table.columns)
    line = table.iloc[1]
    assert (line["dataset"], line["model"], line["recipe"], line["seed"]) == ("mnist", "conv", "baseline", 0)
    assert (line["accuracy"], line["parameters"], line["macs"], line["rounds"]) == (0.99, 1000, 5000, 100)
    assert line["median_s"] == pytest.approx(50.5e-6 / 2)
    assert line["p90_s"] == pytest.approx(90.1e-6 / 2)


def test_figures_of_examinations_are_columns(run_json: dict[str, Any], write_run: Write) -> None:
    """Missing where a file has none."""
    figure = {"name": "board_bytes", "label": "bytes", "unit": "bytes", "better": "lower"}
    run_json["optsuite"]["figures"].append(figure)
    run_json["benchmarks"][0]["extra_info"]["optsuite"]["figures"] = {"board_bytes": 7}
    table = optsuite.results.read(write_run(run_json)).to_frame()
    assert table["board_bytes"].iloc[0] == 7
    assert table["board_bytes"].iloc[1:].isna().all()


def test_curves_and_rounds(run_json: dict[str, Any], write_run: Write) -> None:
    """One line per epoch, counted anew in each stage; one per timed call."""
    run = optsuite.results.read(write_run(run_json))
    curves = run.curves()
    assert list(curves.columns[:5]) == ["experiment", "dataset", "model", "recipe", "seed"]
    qat = curves[curves["experiment"] == "conv_qat_s0"]
    assert list(zip(qat["stage"], qat["epoch"], qat["loss"], qat["validation_accuracy"], strict=True)) == [
        ("train", 1, 1.0, 0.8),
        ("train", 2, 0.5, 0.9),
        ("qat", 1, 1.0, 0.8),
        ("qat", 2, 0.5, 0.9),
    ]
    run_json["optsuite"]["built"][0]["info"]["stages"][0] |= {"accuracy": [], "val_accuracy": []}  # as of regression
    assert optsuite.results.read(write_run(run_json)).curves()["accuracy"].isna().sum() == 2
    rounds = run.rounds()
    assert len(rounds) == 400
    first = rounds[(rounds["experiment"] == "conv_baseline_s0") & (rounds["variant"] == "fp32")]
    assert list(first["round"]) == list(range(1, 101))
    assert first["time_s"].iloc[0] == pytest.approx(1e-6)


def test_the_tables_agree_with_each_other(run_json: dict[str, Any], write_run: Write) -> None:
    """The median of the rounds is the median of the table, so they can be joined."""
    run = optsuite.results.read(write_run(run_json))
    medians = run.rounds().groupby(["experiment", "variant"])["time_s"].median()
    table = run.to_frame().set_index(["experiment", "variant"])["median_s"]
    pd.testing.assert_series_equal(table.sort_index(), medians.sort_index(), check_names=False)
