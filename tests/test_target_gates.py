"""Gates on what a file uses of a target, through the real commands."""

from __future__ import annotations

import re
import shutil
from functools import partial
from pathlib import Path

import pandas as pd
import pytest
from runs import SMOKE, WITH_TFLM, Smoke, needs_aarch64, needs_valgrind, run_pytest, run_sabotaged

from optsuite.__main__ import main
from optsuite.results import reader

pytestmark = pytest.mark.slow

ROWS = (*SMOKE, "--optsuite-recipes=baseline,prune-0.8", "--optsuite-variants=int8")
TARGETS = "--optsuite-targets=ethos-u55-128"


@pytest.fixture(scope="module")
def store(smoke: Smoke, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the store, to which these tests add."""
    return shutil.copytree(smoke.cache, tmp_path_factory.mktemp("gates") / "store")


@pytest.mark.skipif(not WITH_TFLM, reason="tflite-micro is not installed")
def test_a_wider_layer_fails_the_gate_on_the_arena(
    smoke: Smoke, store: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """By `compare`, and as a test of the run; the figure, both values and the tolerance are named."""
    done = run_sabotaged(
        "widen",
        *ROWS,
        "--optsuite-targets=tflm",
        "--optsuite-recipes=baseline",
        f"--optsuite-cache={store}",
        f"--optsuite-reference={smoke.json}",
        f"--benchmark-json={tmp_path / 'wider.json'}",
    )
    assert done.returncode == 1, done.stdout
    assert "tutorial_baseline_s0-int8-tflm  test_not_worse: tflm_arena_bytes REGRESSED: 11872 -> " in done.stdout
    assert main(["compare", str(smoke.json), str(tmp_path / "wider.json")]) == 1
    assert "REGRESSED  tutorial_baseline int8 tflm_arena_bytes: 11872 -> " in capsys.readouterr().out


@pytest.mark.parametrize(
    "target",
    [pytest.param("host", marks=needs_valgrind), pytest.param("cortex-a76", marks=needs_aarch64)],
)
def test_a_wider_layer_fails_the_gate_on_instructions(
    target: str, smoke: Smoke, store: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The same code is the same, to the instruction or nearly so."""
    rows = (*ROWS, "--optsuite-recipes=baseline", f"--optsuite-targets={target}", f"--optsuite-cache={store}")
    path = tmp_path / "run.json"
    for runner, code, verdict in ((run_pytest, 0, "SAME"), (partial(run_sabotaged, "widen"), 1, "REGRESSED")):
        done = runner(*rows, f"--benchmark-json={path}")
        assert done.returncode == 0, done.stdout
        assert main(["compare", str(smoke.json), str(path), "--all"]) == code
        assert re.search(rf"{verdict} +tutorial_baseline int8 {target}_instructions: ", capsys.readouterr().out)


@needs_aarch64
def test_the_answers_on_an_arm_core_are_in_the_report(store: Path, tmp_path: Path) -> None:
    """Of all test images of the smoke profile: floats that are added up in another order answer the same."""
    path, out = tmp_path / "run.json", tmp_path / "report"
    rows = (*SMOKE, "--optsuite-recipes=baseline", "--optsuite-variants=fp32,int8", f"--optsuite-cache={store}")
    done = run_pytest(*rows, "--optsuite-targets=cortex-a76-answers", f"--benchmark-json={path}")
    assert done.returncode == 0, done.stdout
    assert main(["report", str(path), "--out", str(out)]) == 0
    table = pd.read_csv(out / "examined.csv").set_index("variant").filter(like="cortex-a76-answers")
    assert set(table) == {f"cortex-a76-answers_{name}" for name in ("accuracy", "changed", "steps", "difference")}
    accuracy = {row.measured.variant: row.measured.test.accuracy for row in reader.read(path).rows}
    for variant in ("fp32", "int8"):
        # Of 500 images a step in an output may change one.
        assert table["cortex-a76-answers_accuracy"][variant] == pytest.approx(accuracy[variant], abs=0.01)
    assert table["cortex-a76-answers_changed"]["fp32"] == 0
    assert 0 < table["cortex-a76-answers_difference"]["fp32"] < 1e-4


def test_a_recipe_that_prunes_less_fails_the_gate_on_flash(
    smoke: Smoke, store: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The file has as many bytes as before, but no longer in flash: what Vela compresses is less sparse."""
    path = tmp_path / "less.json"
    done = run_sabotaged("prune less", *ROWS, TARGETS, f"--optsuite-cache={store}", f"--benchmark-json={path}")
    assert done.returncode == 0, done.stdout
    assert main(["compare", str(smoke.json), str(path), "--all"]) == 1
    shown = capsys.readouterr().out
    assert re.search(r"REGRESSED +tutorial_prune-0.8 int8 ethos-u55-128_flash_bytes: ", shown)
    assert not re.search(r"REGRESSED +tutorial_baseline", shown)
    (same,) = (line for line in shown.splitlines() if " tutorial_prune-0.8 int8 bytes: " in line)
    assert same.startswith("SAME")


def test_the_same_code_in_another_arithmetic_fails_no_gate(
    store: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """What Vela finds is judged against the spread over trainings; the arena is exact."""
    seeds, other = tmp_path / "seeds.json", tmp_path / "other.json"
    every = (*ROWS, "--optsuite-targets=ethos-u55-128,tflm" if WITH_TFLM else TARGETS)
    here, elsewhere = (f"--optsuite-cache={folder}" for folder in (store, tmp_path / "elsewhere"))
    done = run_pytest(*every, here, "--optsuite-seeds=0,1,2,3,4,5", f"--benchmark-json={seeds}")
    assert done.returncode == 0, done.stdout
    done = run_pytest(*every, elsewhere, f"--benchmark-json={other}", TF_ENABLE_ONEDNN_OPTS="0")
    assert done.returncode == 0, done.stdout
    built = [reader.read(path).header.built[0].info for path in (seeds, other)]
    assert built[0].arithmetic != built[1].arithmetic
    assert main(["compare", str(seeds), str(other), "--all"]) == 0
    lines = capsys.readouterr().out.splitlines()
    for figure in ("flash_bytes", "weight_bytes", "sram_bytes", "cycles"):
        judged = [line for line in lines if f"int8 ethos-u55-128_{figure}: " in line]
        assert len(judged) == 2
        assert all(line.startswith("SAME") for line in judged)
        assert all("against the mean of 6 trainings" in line for line in judged)
    assert main(["spread", str(seeds)]) == 0
    spread = capsys.readouterr().out
    assert re.search(r"tutorial_prune-0.8 +int8 +6 +ethos-u55-128_flash_bytes +[\d,]+ +0\.\d{4} ", spread)
    if WITH_TFLM:
        assert sum(line.startswith("SAME") and "tflm_arena_bytes" in line for line in lines) == 2
