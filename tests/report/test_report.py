"""The report of a run: columns, marks for what is missing, all or nothing."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure
from runs import ROOT, answers, benchmark, built, watch

from optsuite import report
from optsuite.__main__ import main
from optsuite.errors import OptsuiteError
from optsuite.judge import intervals
from optsuite.report import (
    escape,
    figures,
    payoff,
    points,
    relative_figure,
    results_table,
    tables,
    target_figures,
    timing,
)
from optsuite.results import calibration, reader
from optsuite.results.calibration import Calibration, Paths, Tries
from optsuite.results.timing import Ratio

Write = Callable[[Any], Path]

# fmt: off
PUBLISHED = [
    "exp_id", "model", "recipe", "seed", "epochs", "batch", "test_acc", "params", "flops", "sparsity_est",
    "keras_bytes", "tflite_float_bytes", "tflite_dynamic_bytes", "tflite_int8_bytes", "tflite_float_median_ms",
    "tflite_dynamic_median_ms", "tflite_int8_median_ms", "tflite_float_acc", "tflite_dynamic_acc",
    "tflite_int8_acc", "acc_drop_int8", "size_ratio_int8", "tflite_float_mean_ms", "tflite_float_p90_ms",
    "tflite_float_p99_ms", "tflite_float_min_ms", "tflite_float_max_ms", "tflite_float_runs",
    "tflite_dynamic_mean_ms", "tflite_dynamic_p90_ms", "tflite_dynamic_p99_ms", "tflite_dynamic_min_ms",
    "tflite_dynamic_max_ms", "tflite_dynamic_runs", "tflite_int8_mean_ms", "tflite_int8_p90_ms",
    "tflite_int8_p99_ms", "tflite_int8_min_ms", "tflite_int8_max_ms", "tflite_int8_runs",
]

COMPARISON = [
    "exp_id", "recipe", "test_acc", "tflite_float_acc", "tflite_dynamic_acc", "tflite_int8_acc", "acc_drop_int8",
    "keras_bytes", "tflite_float_bytes", "tflite_int8_bytes", "tflite_float_median_ms", "tflite_int8_median_ms",
    "size_ratio_int8", "tflite_int4_acc", "tflite_int4_bytes", "tflite_mixed_acc", "tflite_mixed_bytes",
]

FIGURES = [
    "acc_vs_latency", "acc_vs_size", "tflite_latency_bar", "tflite_accdrop_vs_sizeratio",
    "training_curves", "recipes_relative",
]
# fmt: on


def test_results_columns(run_json: dict[str, Any], write_run: Write) -> None:
    """The published columns in their order, then our own; numbers of a known run."""
    table = results_table.results(reader.read(write_run(run_json)))
    assert list(table.columns[: len(PUBLISHED)]) == PUBLISHED
    ours = set(table.columns[len(PUBLISHED) :])
    assert {"tflite_fp16_bytes", "tflite_int16x8_acc", "tflite_int8_gzip_bytes", "keras_total_ms", "macs"} < ours
    line = table.iloc[0]
    assert line["tflite_float_median_ms"] == pytest.approx(0.0505)
    assert line["tflite_float_p90_ms"] == pytest.approx(0.0901)
    assert line["tflite_int8_max_ms"] == pytest.approx(0.05)
    assert (line["flops"], line["sparsity_est"], line["epochs"], line["batch"]) == (10_000, 0.6, 2, 128)
    assert (line["acc_drop_int8"], line["size_ratio_int8"]) == (0.01, 4.0)


def test_batch_is_that_of_the_first_stage_that_trains(run_json: dict[str, Any], write_run: Write) -> None:
    """Loading a file trains nothing, and has no batch size."""
    stage = reader.read(write_run(run_json)).header.built[0].info.stages[0]
    loaded = replace(stage, epochs=0, batch=0)
    assert results_table.batch([loaded, stage]) == 128
    assert results_table.batch([loaded]) is pd.NA


def test_what_is_missing_is_marked(run_json: dict[str, Any], write_run: Write, tmp_path: Path) -> None:
    """An empty cell in the CSV with the reason at the line's end; a dash in the report with the reason below."""
    report.write(reader.read(write_run(run_json)), tmp_path)
    line = pd.read_csv(tmp_path / "results.csv").iloc[1]
    assert pd.isna(line["tflite_int16x8_bytes"])
    assert "int16x8: TFLite cannot" in line["absent"]
    assert "fp32: not measured in this run" in line["absent"]
    assert "keras: not selected" in line["absent"]
    text = (tmp_path / "report.md").read_text()
    assert "- TFLite cannot: conv_qat_s0 int16x8" in text
    assert "- not measured in this run: conv_qat_s0 fp32" in text
    assert "nan" not in text.lower().replace("nano", "")


def test_files_that_are_not_what_they_are_called_are_marked(
    run_json: dict[str, Any], write_run: Write, tmp_path: Path
) -> None:
    """In the line of the experiment, and by name in the report."""
    run_json["benchmarks"][1]["extra_info"]["optsuite"]["note"] = "nothing quantised"
    report.write(reader.read(write_run(run_json)), tmp_path)
    assert pd.read_csv(tmp_path / "results.csv")["notes"].iloc[0] == "int8: nothing quantised"
    assert "- nothing quantised: conv_baseline_s0 int8" in (tmp_path / "report.md").read_text()


def test_a_failed_build_is_in_every_table(run_json: dict[str, Any], write_run: Write, tmp_path: Path) -> None:
    """With its reason, not as if nobody had asked for it."""
    header = run_json["optsuite"]
    header["built"].append(built("conv", "cluster-8_qat"))
    header["experiments"] += ["conv_cluster-8_qat_s0", "conv_prune-0.8_s0"]
    header["absences"].append({"experiment": "conv_prune-0.8_s0", "variant": "int8", "reason": "ValueError: why"})
    run = reader.read(write_run(run_json))
    report.write(run, tmp_path)
    line = pd.read_csv(tmp_path / "results.csv").set_index("exp_id").loc["conv_prune-0.8_s0"]
    assert pd.isna(line["test_acc"])
    assert "ValueError: why" in str(line["absent"])
    text = (tmp_path / "pipelines-conv.csv").read_text()
    assert "int8,prune,,,,ValueError: why\n" in text
    assert "int8,none,99.00,500.00,1.95,\n" in text


def test_a_second_report_leaves_nothing_of_the_first(
    run_json: dict[str, Any], write_run: Write, tmp_path: Path
) -> None:
    """A table that only an earlier run had would be taken for this one's; the user's own files stay."""
    out = tmp_path / "out"
    (out / "figures").mkdir(parents=True)
    for name in ("pipelines-old.csv", "mine.csv", "figures/mine.png", "figures/acc_vs_params.png"):
        (out / name).touch()
    run_json["benchmarks"] = run_json["benchmarks"][:1]  # the fp32 file: nothing for figures of int8 files
    report.write(reader.read(write_run(run_json)), out)
    assert sorted(path.name for path in out.glob("*.csv")) == ["execution.csv", "mine.csv", "results.csv"]
    left = {path.name for path in (out / "figures").iterdir()}
    assert "mine.png" in left
    assert "acc_vs_params.png" not in left


def test_comparison_and_frontier(run_json: dict[str, Any], write_run: Write) -> None:
    """Of all files: the fastest and the most accurate; one that is the smallest and the most accurate is alone."""
    run = reader.read(write_run(run_json))
    table = results_table.results(run)
    assert list(tables.comparison(table).columns) == COMPARISON
    on = {cost: tables.frontier(table, cost)[["exp_id", "variant"]].to_numpy().tolist() for cost in tables.FRONTIERS}
    assert on == {
        "latency": [["conv_qat_s0", "int8"], ["conv_baseline_s0", "fp32"]],
        "size": [["conv_baseline_s0", "int16x8"]],
    }


def test_files(run_json: dict[str, Any], write_run: Write) -> None:
    """A line each, whatever its format, against the Keras model."""
    table = tables.files(results_table.results(reader.read(write_run(run_json)))).set_index(["exp_id", "variant"])
    assert table["acc"].to_dict() == {
        ("conv_baseline_s0", "fp32"): 1.0,
        ("conv_baseline_s0", "int8"): 0.99,
        ("conv_baseline_s0", "int16x8"): 1.0,
        ("conv_qat_s0", "int8"): 0.99,
    }
    assert table["acc_drop"].tolist() == pytest.approx([0, 0.01, 0, -0.01])
    assert table["size_ratio"].tolist() == [2.0, 4.0, 4.0, 4.0]


def test_recipe_drops_are_paired(run_json: dict[str, Any], write_run: Write) -> None:
    """Against the baseline, image by image."""
    line = tables.recipes(reader.read(write_run(run_json))).iloc[0]
    assert (line["recipe"], line["seeds"], line["newly_wrong"], line["newly_correct"]) == ("conv_qat", 1, 2, 0)
    assert (line["drop"], line["p"]) == (pytest.approx(0.02), 0.5)
    assert (line["int8_drop"], line["int8_p"]) == (0.0, 1.0)


@pytest.fixture
def three_seeds(run_json: dict[str, Any]) -> dict[str, Any]:
    """The baseline and a pipeline, three seeds each; every seed of the pipeline gets one image more wrong."""
    header = run_json["optsuite"]
    header["built"] = [
        built("conv", kind, wrong=range(wrong + seed), id=f"conv_{kind}_s{seed}", seed=seed)
        for kind, wrong in (("baseline", 0), ("prune-0.8_qat", 10))
        for seed in range(3)
    ]
    header["experiments"] = [one["id"] for one in header["built"]]
    run_json["benchmarks"] = [
        benchmark(name, "int8", wrong=range(int(name[-1])))
        for name in header["experiments"]
        if name != "conv_baseline_s2"
    ]
    return run_json


def test_several_seeds(three_seeds: dict[str, Any], write_run: Write, tmp_path: Path) -> None:
    """Every experiment stays a line of the results; the tables to read have means and standard deviations."""
    report.write(reader.read(write_run(three_seeds)), tmp_path)
    assert len(pd.read_csv(tmp_path / "results.csv")) == 6
    lines = pd.read_csv(tmp_path / "seeds.csv").set_index("exp_id")
    line = lines.loc["conv_prune-0.8_qat"]
    assert (line["seeds"], line["test_acc"], line["test_acc_sd"]) == (3, pytest.approx(0.89), pytest.approx(0.01))
    assert (line["params"], line["params_sd"], line["model"]) == (1000, 0, "conv")
    assert lines.loc["conv_baseline", "tflite_int8_acc"] == pytest.approx(0.995)  # of the two that have one
    text = (tmp_path / "report.md").read_text()
    assert "0.8900 ± 0.0100" in text
    assert "± 0.0000" not in text
    table = pd.read_csv(tmp_path / "pipelines-conv.csv").set_index(["Method", "Model optimize"])
    (row,) = table.loc[[("int8", "prune_qat")]].to_dict("records")
    assert (row["Accuracy"], row["Accuracy_sd"], row["seeds"]) == (99, 1, 3)
    (row,) = table.loc[[("fp32", "none")]].to_dict("records")
    assert row["Note"] == "not measured in this run"


def test_drops_over_seeds_are_pooled(three_seeds: dict[str, Any], write_run: Write) -> None:
    """All seeds' images count, each with its own baseline; an int8 file that is missing leaves no number."""
    (line,) = tables.recipes(reader.read(write_run(three_seeds))).to_dict("records")
    assert (line["recipe"], line["seeds"], line["drop"]) == ("conv_prune-0.8_qat", 3, pytest.approx(0.1))
    assert (line["newly_wrong"], line["newly_correct"]) == (30, 0)
    assert line["p"] < 0.005
    assert pd.isna(line["int8_drop"])


def _drawn(report_folder: Path) -> list[str]:
    """The names of the figures, each of which is there as PNG and as SVG."""
    files = sorted((path.stem, path.suffix) for path in (report_folder / "figures").iterdir())
    assert files == sorted((name, kind) for name, _ in files[::2] for kind in (".png", ".svg"))
    return [name for name, _ in files[::2]]


def test_a_report_over_seeds_draws_every_figure(three_seeds: dict[str, Any], write_run: Write, tmp_path: Path) -> None:
    """With whiskers and bands."""
    three_seeds["benchmarks"] += [benchmark(name, "fp32") for name in three_seeds["optsuite"]["experiments"]]
    report.write(reader.read(write_run(three_seeds)), tmp_path)
    assert _drawn(tmp_path) == sorted(FIGURES)


def test_everything_is_written(run_json: dict[str, Any], write_run: Write, tmp_path: Path) -> None:
    """All files, all figures, every figure in the report, and nothing else left behind."""
    out = tmp_path / "a report"
    report.write(reader.read(write_run(run_json)), out)
    assert sorted(path.name for path in out.iterdir()) == [
        "execution.csv",
        "figures",
        "report.html",
        "report.md",
        "results.csv",
    ]
    assert _drawn(out) == sorted(FIGURES)
    text = (out / "report.md").read_text()
    for figure in FIGURES:
        assert f"(figures/{figure}.png)" in text


def test_a_run_with_nothing_measured_for_a_figure(run_json: dict[str, Any], write_run: Write, tmp_path: Path) -> None:
    """No int8 file, then none at all: what can't be drawn is left out, not drawn empty."""
    run_json["benchmarks"] = run_json["benchmarks"][:1]
    run = reader.read(write_run(run_json))
    report.write(run, tmp_path / "one")
    assert set(FIGURES) - set(_drawn(tmp_path / "one")) == {"recipes_relative"}
    report.write(replace(run, rows=()), tmp_path / "none")
    assert _drawn(tmp_path / "none") == ["training_curves"]
    assert "(nothing was measured for this table)" in (tmp_path / "none" / "report.md").read_text()


def test_files_at_one_point_share_a_label() -> None:
    """Labels on top of each other can't be read; what no other beats is labelled, the rest is not."""
    axes = Figure().add_subplot()
    table = pd.DataFrame({"model": "m", "variant": ["int4", "mixed", "int8"], "label": ["a int4", "a mixed", "a int8"]})
    x, y = pd.Series([1.0, 1.0, 2.0]), pd.Series([0.9, 0.9, 0.8])
    points.draw(axes, x, y, table, points.style(table, "model", "variant"), [0, 1])
    assert [text.get_text() for text in axes.texts] == ["a int4, a mixed"]


def test_labels_on_others_move_up() -> None:
    """With a line to their point; the lowest one stays."""
    figure = Figure(layout="constrained")
    axes = figure.add_subplot()
    table = pd.DataFrame({"model": "m", "variant": ["int4", "mixed", "int8"], "label": ["one", "two", "three"]})
    x, y = pd.Series([1.0, 1.001, 2.0]), pd.Series([0.9, 0.901, 0.95])
    points.draw(axes, x, y, table, points.style(table, "model", "variant"), [0, 1, 2])
    points.separate_labels(figure)
    labels = {text.get_text(): text for text in axes.texts if text.get_text()}
    boxes = [text.get_window_extent() for text in labels.values()]
    assert not any(a.overlaps(b) for place, a in enumerate(boxes) for b in boxes[:place])
    assert [label.xyann[1] > 2 for label in labels.values()] == [False, True, False]  # type: ignore[attr-defined]
    assert len(axes.texts) == 4


def test_an_axis_of_accuracies_is_not_about_nothing(run_json: dict[str, Any], write_run: Write) -> None:
    """Accuracies of 99.3 and 99.4 % are near to each other; there is a panel for each model."""
    axes = Figure().add_subplot()
    points.stretch(axes, pd.Series([0.993, 0.994]))
    low, high = axes.get_ylim()
    assert (1 - low) / (1 - high) == pytest.approx(4)
    figure = Figure()
    run = reader.read(write_run(run_json))
    assert figures.FIGURES["acc_vs_size"](run, results_table.results(run), figure)
    assert [axes.get_title(loc="left") for axes in figure.axes] == ["conv"]
    assert not figures.FIGURES["acc_vs_params"](run, results_table.results(run), Figure())


def test_a_curve_of_one_epoch_is_a_marker(run_json: dict[str, Any], write_run: Write) -> None:
    """A line needs two points."""
    for built_model in run_json["optsuite"]["built"]:
        for stage in built_model["info"]["stages"]:
            stage |= {"epochs": 1, "loss": [1.0], "accuracy": [0.8], "val_accuracy": [0.8]}
    figure = Figure()
    run = reader.read(write_run(run_json))
    assert figures.FIGURES["training_curves"](run, results_table.results(run), figure)
    baseline, qat = figure.axes[0].lines
    assert (baseline.get_marker(), qat.get_marker()) == ("o", "None")


def test_a_smoke_run_says_first_that_it_is_one(
    run_json: dict[str, Any], write_run: Write, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Its numbers are no basis for a choice, and look like any others."""
    run_json["optsuite"]["profile"] = "smoke"
    path = str(write_run(run_json))
    for command in (["recommend", path], ["compare", path, path]):
        assert main(command) == 0
        assert capsys.readouterr().out.startswith("This is a run of the smoke profile")
    assert main(["report", path, "--out", str(tmp_path / "out")]) == 0
    assert "# optsuite report\n\n**This is a run of the smoke profile" in (tmp_path / "out" / "report.md").read_text()


@pytest.mark.parametrize(
    ("flags", "reason"), [(["avx2"], "This CPU has no instructions"), (["avx2", "avx_vnni"], "In a small network")]
)
def test_why_int8_is_slower_is_said(
    flags: list[str], reason: str, run_json: dict[str, Any], write_run: Write, tmp_path: Path
) -> None:
    """Users expect int8 to be the faster one; nothing is said where it is."""
    run_json["machine_info"]["cpu"]["flags"] = flags
    run = reader.read(write_run(run_json))
    assert timing.slower_in_int8(run) == {}
    slow = [replace(row, timing=run.rows[0].timing) if row.measured.variant == "int8" else row for row in run.rows]
    fast = replace(run.rows[0], timing=run.rows[1].timing)
    report.write(replace(run, rows=(fast, *slow[1:])), tmp_path)
    text = (tmp_path / "report.md").read_text()
    assert f"times as long of conv_baseline_s0. {reason}" in text


def test_the_report_speaks_of_this_run(run_json: dict[str, Any], write_run: Write, tmp_path: Path) -> None:
    """Of its data, and not of MNIST."""
    run_json["optsuite"]["datasets"][0]["name"] = "sensor"
    for one in run_json["optsuite"]["built"]:
        one["dataset"] = "sensor"
    report.write(reader.read(write_run(run_json)), tmp_path)
    text = (tmp_path / "report.md").read_text()
    assert "| data | sensor: 100 validation and 100 test inputs |" in text
    assert "mnist" not in text.lower()


def test_times_of_one_call_are_in_microseconds(
    run_json: dict[str, Any], write_run: Write, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """At the terminal and in report.md; the CSV files have them in ms, as they have total times."""
    assert main(["report", str(write_run(run_json)), "--out", str(tmp_path)]) == 0
    assert re.search(r"^conv_qat_s0 +int8 +0\.9900 +20\.20 +2000 +1500$", capsys.readouterr().out, re.MULTILINE)
    text = (tmp_path / "report.md").read_text()
    assert re.search(r"^\| exp_id +\| variant +\| load_ms +\| first_ms +\| median_us ", text, re.MULTILINE)
    assert re.search(r"\| tflite_float_median_us +\|", text)
    assert not re.search(r"_(median|mean|p90|p99|min|max)_ms", text)
    assert "tflite_float_median_ms" in (tmp_path / "results.csv").read_text()


def test_the_picks_are_near_the_top(run_json: dict[str, Any], write_run: Write, tmp_path: Path) -> None:
    """One line each, with all preferences that pick it; the fp32 file of the baseline gains nothing over itself."""
    del run_json["benchmarks"][2]  # as accurate and as small as the fp32 file is
    validation = {"conv_baseline_s0 fp32": answers(wrong=[]), "conv_baseline_s0 int8": answers(wrong=[0])}
    for one in run_json["benchmarks"]:
        if measured := one["extra_info"].get("optsuite"):
            measured["validation"] = validation.get(
                f"{measured['experiment']} {measured['variant']}", answers(wrong=[0])
            )
    report.write(reader.read(write_run(run_json)), tmp_path)
    section = (tmp_path / "report.md").read_text().partition("## Picks\n")[2].partition("\n## Pareto")[0]
    lines = [re.split(r" *\| *", line.strip("| ")) for line in section.splitlines() if line.startswith("| ")]
    gain = "50 % of the size, 40 % of the latency, accuracy -0.0100"
    assert lines[1:] == [
        ["quality, balanced", "conv_baseline_s0", "fp32", "1.0000", "3.9 KB", "50.5 µs", "—"],
        ["compact", "conv_qat_s0", "int8", "0.9900", "2.0 KB", "20.2 µs", gain],
    ]


def test_gains_of_training_alone_are_shown(run_json: dict[str, Any], write_run: Write) -> None:
    """The drop against the same model, fine-tuned and not transformed: of a trained model the baseline is not."""
    run_json["optsuite"]["built"].append(built("conv", "finetune", wrong=[0]))
    (line,) = [
        line
        for line in tables.recipes(reader.read(write_run(run_json))).to_dict("records")
        if line["recipe"] == "conv_qat"
    ]
    assert (line["drop"], line["finetune_drop"]) == (pytest.approx(0.02), pytest.approx(0.01))


def test_hostile_names_stay_in_their_cell(run_json: dict[str, Any], write_run: Write) -> None:
    """A pipe would open a column of its own."""
    run_json["optsuite"]["built"][0]["recipe"] = "a|b"
    assert "a\\|b" in tables.markdown(results_table.results(reader.read(write_run(run_json))))


def test_an_unwritable_place_is_one_line_and_exit_2(
    run_json: dict[str, Any], write_run: Write, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A file stands where the folder should be."""
    (tmp_path / "file").write_text("mine")
    path = write_run(run_json)
    assert main(["report", str(path), "--out", str(tmp_path / "file" / "out")]) == 2
    assert capsys.readouterr().err.startswith("optsuite: the report can't be written to")
    assert (tmp_path / "file").read_text() == "mine"


def test_nothing_half_written(
    run_json: dict[str, Any], write_run: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """When the last figure fails, the report of yesterday is still whole."""
    run = reader.read(write_run(run_json))
    out = tmp_path / "out"
    report.write(run, out)
    before = {path: path.stat().st_mtime_ns for path in out.rglob("*")}

    def no_space(*_: object) -> list[str]:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(report.figures, "draw", no_space)
    with pytest.raises(OptsuiteError, match="No space left on device"):
        report.write(run, out)
    assert {path: path.stat().st_mtime_ns for path in out.rglob("*") if path != out} == {
        path: time for path, time in before.items() if path != out
    }


def test_where_the_time_goes(run_json: dict[str, Any], write_run: Write) -> None:
    """5,000 MACs in 25.25 us are 0.198 GMAC/s; of a peak of 4, that is 0.0495. No peak is known for int16x8."""
    run = reader.read(write_run(run_json))
    table = timing.execution(run)
    assert list(table["exp_id"] + " " + table["variant"]) == [
        "conv_baseline_s0 fp32",
        "conv_baseline_s0 int8",
        "conv_baseline_s0 int16x8",
        "conv_qat_s0 int8",
    ]
    assert set(timing.of_baselines(run, table)["exp_id"]) == {"conv_baseline_s0"}
    int8, int16x8 = table.loc[1], table.loc[2]
    assert (int8["load_ms"], int8["first_ms"], int8["heap_bytes"]) == (1.0, 0.1, 50_000)
    assert int8["gmacs_per_s"] == pytest.approx(0.198, abs=1e-3)
    assert int8["peak_share"] == pytest.approx(0.198 / 4, abs=1e-3)
    assert (int16x8["delegate"], int16x8["precision"]) == ("none", "int16x8")
    assert pd.isna(int16x8["peak_share"])
    assert timing.slowdown(run) == 60
    run_json["benchmarks"][2]["extra_info"]["optsuite"]["execution"]["undelegated"] = []
    assert timing.slowdown(reader.read(write_run(run_json))) is None


def test_an_unstable_median_is_ranked_by_its_instructions(run_json: dict[str, Any], write_run: Write) -> None:
    """Those of `host`, within an experiment; a file whose instructions were not counted has no rank."""
    declared = {"label": "x", "unit": "", "better": "lower", "resource": "instructions"}
    run_json["optsuite"]["figures"].append(declared | {"name": "host_instructions"})
    examination = {"name": "host", "figures": ["host_instructions"], "tools": {"Valgrind": "3.19"}, "target": "host"}
    run_json["optsuite"]["examinations"] = [examination]
    litert = [one for one in run_json["benchmarks"] if one["extra_info"].get("optsuite", {}).get("execution")]
    for timed, count in zip(litert, (300, 100, None, 200), strict=True):
        if count:
            timed["extra_info"]["optsuite"]["figures"] = {"host_instructions": count}
    table = timing.execution(reader.read(write_run(run_json)))
    assert table["host_instructions"].tolist() == [300, 100, pd.NA, 200]
    assert table["rank"].tolist() == [2, 1, pd.NA, 1]
    assert set(table["unstable"]) == {"", "yes"}


def test_how_far_to_trust_the_times(run_json: dict[str, Any], write_run: Write, tmp_path: Path) -> None:
    """Steadiness, floor, agreement and tries are in the report; without a calibration, how to get one."""
    run = reader.read(write_run(run_json))
    paths = Paths(
        file="conv int8",
        interpreter=(10.5e-6,),
        compiled_model=(12e-6,),
        interpreter_overhead=(0.5e-6,),
        compiled_model_overhead=(2e-6,),
    )
    tries = Tries(files=("a",), macs_ratio=1.05, ratios=(Ratio(value=1.049, low=1.04, high=1.06),))
    found = Calibration(machine="A CPU", date="today", paths=(paths,), same=tries, wider=tries)
    report.write(run, tmp_path, found)
    text = (tmp_path / "report.md").read_text()
    assert "int16x8 takes 60 times as long as int8" in text
    assert "Too few rows were timed to say how steady the machine was" in text
    assert "(not the machine of this run)" in text
    assert "The medians of 3 of 3 rows are unstable" in text  # rounds of 1 to 100 us, in this order
    assert re.search(r"conv int8 +\| 10\.50 +\| 12\.00 +\| 0\.50 +\| 2\.00 +(\| [+-]0\.00 +){3}\| yes ", text)
    assert "5 % more work: ratio 1.049 (1.049 to 1.049), found slower (the interval above 1) in 1 of 1 tries" in text
    run_json["optsuite"]["reference_times"] = [
        watch(float(i), f"v{i}", "int8", before_row_s=(1 + i / 5) * 1e-5) for i in range(9)
    ]
    report.write(reader.read(write_run(run_json)), tmp_path)
    text = (tmp_path / "report.md").read_text()
    assert "too unsteady for the times to be compared" in text
    assert "No calibration was given: `python -m optsuite.benchmarks.calibration RUN.json FILE.json`" in text


@pytest.mark.parametrize(
    ("path", "value", "reason"),
    [
        ("paths", [], "length >= 1"),
        ("paths.0.interpreter", [1e-5], "expected as many medians of each interface"),
        ("same.ratios", [], "length >= 1"),
        ("machine", 3, "Expected `str`"),
    ],
)
def test_a_calibration_that_can_not_be_used(path: str, value: Any, reason: str, tmp_path: Path) -> None:
    """One line of what is wrong with it."""
    content = json.loads((ROOT / "reports" / "mnist" / "calibration.json").read_text())
    *outer, last = path.split(".")
    place: Any = content
    for step in outer:
        place = place[int(step) if step.isdecimal() else step]
    place[last] = value
    (tmp_path / "calibration.json").write_text(json.dumps(content))
    with pytest.raises(OptsuiteError, match=f"not the JSON of a calibration: .*{reason}"):
        calibration.read(tmp_path / "calibration.json")
    (tmp_path / "calibration.json").write_text("[" * 3_000 + "]" * 3_000)
    with pytest.raises(OptsuiteError, match="not the JSON of a calibration"):
        calibration.read(tmp_path / "calibration.json")


def test_intervals(run_json: dict[str, Any], write_run: Write) -> None:
    """Wilson's of 99 of 100; of the median of 100 rounds, the 40th and the 61st; none of too few rounds."""
    row = reader.read(write_run(run_json)).rows[1]
    assert intervals.accuracy(row.measured.test) == pytest.approx((0.94551, 0.99823), abs=1e-5)
    assert intervals.median_s(row.timing) == pytest.approx((20e-6, 30.5e-6))
    for count in (0, 1, 3, 5):
        assert intervals.median_s(replace(row.timing, rounds_s=row.timing.rounds_s[:count])) is None


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("qat", "qat"),
        ("$x$", r"\$x\$"),
        ("_hidden", "hidden"),
        ("a\0b\n", "a b"),
        ("", "?"),
        ("x" * 50, "x" * 47 + "…"),
    ],
)
def test_labels(name: str, expected: str) -> None:
    """What matplotlib would take for something else is drawn as it is."""
    assert escape.label(name) == expected


def test_ticks_are_mathematics_still() -> None:
    """Only names are escaped: the powers of ten of a log axis are matplotlib's own, in dollars."""
    assert mpl.rcParams["text.parse_math"]


def test_when_a_recipe_pays(run_json: dict[str, Any], write_run: Write) -> None:
    """Golden: means over the seeds, over those of the baseline; here, and on each target."""
    (here,) = payoff.recipes(reader.read(write_run(run_json))).items()
    assert here[0] == "this machine's CPU"
    assert here[1].to_dict("records")[1] == {
        "experiment": "conv_qat",
        "acc": "0.9900",
        "latency": "0.80",
        "file": "1.00",
        "gzip": "1.00",
    }
    names = ("flash", "cycles", "arena")
    declared = {"label": "x", "unit": "", "better": "lower"}
    run_json["optsuite"]["figures"] += [declared | {"name": name, "resource": name} for name in names]
    examination = {"name": "board", "figures": names, "tools": {"vela": "5"}, "target": "board"}
    run_json["optsuite"]["examinations"] = [examination]
    found = {"conv_baseline_s0": {"flash": 200, "cycles": 50, "arena": 0}, "conv_qat_s0": {"flash": 50, "arena": 7}}
    for one in run_json["benchmarks"]:
        measured = one["extra_info"].get("optsuite")
        if measured and measured["variant"] == "int8":
            measured["figures"] = found[measured["experiment"]]
    (_, line) = payoff.recipes(reader.read(write_run(run_json)))["board"].to_dict("records")
    assert (line["experiment"], line["flash"]) == ("conv_qat", "0.25")
    assert pd.isna(line["cycles"])  # the recipe has none
    assert pd.isna(line["arena"])  # nothing is a multiple of 0


def test_the_figure_of_where_recipes_pay(run_json: dict[str, Any], write_run: Write) -> None:
    """Golden: the recipe's dot in each panel, relative to its baseline; none without a baseline."""
    run_json["optsuite"]["figures"].append(
        {"name": "flash", "label": "x", "unit": "", "better": "lower", "resource": "flash"}
    )
    examination = {"name": "npu", "figures": ["flash"], "tools": {"vela": "5"}, "target": "npu"}
    run_json["optsuite"]["examinations"] = [examination]
    for one in run_json["benchmarks"]:
        measured = one["extra_info"].get("optsuite")
        if measured and measured["variant"] == "int8":
            measured["figures"] = {"flash": 50 if measured["experiment"] == "conv_qat_s0" else 200}
            measured["test"] = answers(wrong=[0, 1] if measured["experiment"] == "conv_qat_s0" else [0])
            measured["mistakes"] = [9] * (2 if measured["experiment"] == "conv_qat_s0" else 1)
    figure = Figure()
    assert relative_figure.plot(reader.read(write_run(run_json)), pd.DataFrame(), figure)
    dots = {axes.get_title(): np.ravel(axes.lines[-1].get_xdata())[0] for axes in figure.axes}
    assert [title.replace("\n", ", ") for title in dots] == ["accuracy, points", "latency, this CPU", "flash, npu"]
    assert list(dots.values()) == pytest.approx([-1, 0.8, 0.25])
    assert [label.get_text() for label in figure.axes[0].get_yticklabels()] == ["conv_qat"]
    run_json["benchmarks"] = run_json["benchmarks"][3:]
    assert not relative_figure.plot(reader.read(write_run(run_json)), pd.DataFrame(), Figure())


def test_when_a_format_pays(run_json: dict[str, Any], write_run: Write) -> None:
    """Golden: the files of the baseline relative to fp32, with the instructions of each target that has them."""
    counted = {"name": "core_instructions", "label": "x", "unit": "", "better": "lower", "resource": "instructions"}
    run_json["optsuite"]["figures"].append(counted)
    examination = {"name": "core", "figures": [counted["name"]], "tools": {"qemu": "7"}, "target": "core"}
    run_json["optsuite"]["examinations"] = [examination]
    for one in run_json["benchmarks"]:
        measured = one["extra_info"].get("optsuite")
        if measured and measured["variant"] in ("fp32", "int8"):
            measured["figures"] = {"core_instructions": 500 if measured["variant"] == "fp32" else 600}
    int8, int16x8 = payoff.formats(reader.read(write_run(run_json))).to_dict("records")
    assert int8 == {
        "experiment": "conv_baseline",
        "variant": "int8",
        "acc": "0.9900",
        "latency": "0.50",
        "file": "0.50",
        "gzip": "1.00",
        "instructions, core": "1.20",
    }
    assert (int16x8["variant"], int16x8["latency"]) == ("int16x8", "30.00")
    assert pd.isna(int16x8["instructions, core"])


@pytest.mark.parametrize(
    "ends", [(0.1, 0.4), (0.6, 0.7), (0.83, 0.88), (0.96, 0.965), (0.95, 0.995), (1.0, 1.0), (-3.0, 9.0)]
)
def test_the_axis_of_accuracies_has_ticks(
    ends: tuple[float, float], run_json: dict[str, Any], write_run: Write
) -> None:
    """Wherever the accuracies are; and names have room at the left of the points."""
    resource = {"name": "npu_flash", "label": "x", "unit": "bytes", "better": "lower", "resource": "flash"}
    run_json["optsuite"]["figures"].append(resource)
    run_json["optsuite"]["examinations"] = [
        {"name": "npu", "figures": ["npu_flash"], "tools": {"vela": "5"}, "target": "npu"}
    ]
    for number, place in enumerate((1, 3)):
        run_json["benchmarks"][place]["extra_info"]["optsuite"]["figures"] = {"npu_flash": 1_000 + 9_000 * number}
    run = reader.read(write_run(run_json))
    table = results_table.results(run)
    table["tflite_int8_acc"] = list(ends)
    (plot,) = target_figures.plots(run).values()
    figure = Figure()
    assert plot(run, table, figure)
    for axes in figure.axes:
        low, high = axes.get_ylim()
        assert sum(low <= tick <= high for tick in axes.get_yticks()) >= 2
        assert low <= ends[0] <= ends[1] <= high
