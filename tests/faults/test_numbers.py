"""Models that answer nonsense, runs at the ends of the scale, and runs that found nothing: told as they are."""

from __future__ import annotations

import copy
import shutil
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from runs import SMOKE, Smoke, answering, answers, benchmark, built, run_sabotaged

from optsuite.__main__ import main
from optsuite.results import reader


def test_models_that_answer_nonsense(smoke: Smoke, tmp_path: Path, tally: Counter[str]) -> None:
    """NaN for everything, or the same for everything: the gates fail, and the numbers are what they have to be."""
    tally["a model that answers nonsense"] += 2
    path = tmp_path / "run.json"
    few = ("--optsuite-recipes=baseline,nan,constant", "--optsuite-variants=keras,fp32,int8")
    cache = shutil.copytree(smoke.cache, tmp_path / "cache")
    done = run_sabotaged("", *SMOKE, *few, f"--optsuite-cache={cache}", f"--benchmark-json={path}")
    assert done.returncode == pytest.ExitCode.TESTS_FAILED
    run = reader.read(path)
    found = {(row.measured.experiment, row.measured.variant): row.measured for row in run.rows}
    zeros = sum(label == 0 for label in run.header.data.labels) / len(run.header.data.labels)
    for variant in ("keras", "fp32"):
        assert found["tutorial_nan_s0", variant].test.accuracy == 0
        assert "500 of 500 answers are not finite" in found["tutorial_nan_s0", variant].note
    for variant in ("keras", "fp32", "int8"):  # of equal answers the first counts
        assert found["tutorial_constant_s0", variant].test.accuracy == zeros
    failed = [line for line in done.stdout.splitlines() if line.startswith("FAILED")]
    for recipe in ("nan", "constant"):
        assert any(f"test_recipe_keeps_accuracy[tutorial_{recipe}_s0]" in line for line in failed)
    for command in (["report", str(path), "--out", str(tmp_path / "out")], ["recommend", str(path)]):
        assert main(command) == 0


def _all_commands(path: Path, tmp_path: Path) -> list[int]:
    return [
        main(["report", str(path), "--out", str(tmp_path / "out")]),
        main(["recommend", str(path)]),
        main(["compare", str(path), str(path), "--all"]),
    ]


@pytest.mark.parametrize("wrong", [range(100), range(0)], ids=["all wrong", "all right"])
def test_the_ends_of_the_scale(
    wrong: range, run_json: dict[str, Any], write_run: Callable[[Any], Path], tmp_path: Path
) -> None:
    """An accuracy of 0 and of 1 has an interval, a place in each figure, and is the same as itself."""
    for row in run_json["benchmarks"][:-1]:
        row["extra_info"]["optsuite"] |= answering(wrong=wrong) | {"validation": answers(wrong=wrong)}
    for one in run_json["optsuite"]["built"]:
        one |= {"test": answers(wrong=wrong), "validation": answers(wrong=wrong)}
    assert _all_commands(write_run(run_json), tmp_path) == [0, 0, 0]


def test_two_at_one_point_of_the_frontier(
    run_json: dict[str, Any],
    write_run: Callable[[Any], Path],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Neither hides the other."""
    twin = copy.deepcopy(run_json["benchmarks"][1])
    twin["extra_info"]["optsuite"]["variant"] = "uint8"
    run_json["benchmarks"].insert(2, twin)
    run_json["optsuite"]["variants"] = ["fp32", "int8", "uint8", "int16x8"]
    assert _all_commands(write_run(run_json), tmp_path) == [0, 0, 0]
    said = capsys.readouterr().out
    assert "conv_baseline_s0 uint8" in said
    assert "conv_baseline_s0 int8" in said


def test_a_run_of_one_row(run_json: dict[str, Any], write_run: Callable[[Any], Path], tmp_path: Path) -> None:
    """Is a run."""
    run_json["benchmarks"] = [benchmark("conv_baseline_s0", "int8")]
    run_json["optsuite"] |= {"experiments": ["conv_baseline_s0"], "variants": ["int8"], "absences": []}
    run_json["optsuite"]["built"] = [built("conv", "baseline")]
    run_json["optsuite"]["reference_times"] = run_json["optsuite"]["reference_times"][1:2]
    assert _all_commands(write_run(run_json), tmp_path) == [0, 0, 0]


def test_nothing_measured_is_no_pass(
    run_json: dict[str, Any], write_run: Callable[[Any], Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Where a run has no row, every command that answers something says that it can't."""
    run_json["benchmarks"] = run_json["benchmarks"][-1:]
    run_json["optsuite"]["absences"] = [
        {"experiment": experiment, "variant": variant, "reason": "the disk burnt"}
        for experiment in run_json["optsuite"]["experiments"]
        for variant in run_json["optsuite"]["variants"]
    ]
    path = write_run(run_json)
    assert main(["recommend", str(path)]) == 2
    assert main(["compare", str(path), str(path)]) == 2
    assert "nothing was compared" in capsys.readouterr().err
    assert main(["report", str(path), "--out", str(tmp_path / "out")]) == 0
    assert (tmp_path / "out" / "report.md").read_text().count("the disk burnt") >= 6
