"""The real commands on the smoke profile."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path, PurePath
from typing import Any

import pandas as pd
import pytest
from catalogs import BUILTIN
from runs import (
    EXAMINATIONS,
    HANGS_S,
    ROOT,
    SMOKE,
    SMOKE_KINDS,
    TARGETS,
    WITH_TFLM,
    WITH_VALGRIND,
    Smoke,
    assert_same_artifacts,
    group_ends,
    run_pytest,
    run_sabotaged,
)

from optsuite import report
from optsuite.__main__ import main
from optsuite.build.builder import Builder
from optsuite.build.graph import step_of
from optsuite.catalog.selection import select
from optsuite.config import Config
from optsuite.errors import OptsuiteError
from optsuite.litert import LiteRTRunner
from optsuite.measure.suite import Suite
from optsuite.results import reader
from optsuite.spec.artifact import TFLITE
from optsuite.spec.data import Split
from optsuite.store.store import Store

pytestmark = pytest.mark.slow

VARIANTS = ["keras", "fp32", "fp16", "dynamic", "int8", "uint8", "int16x8", "int4", "mixed"]
LITERT_ONLY = "--optsuite-variants=fp32,fp16,dynamic,int8,uint8,int16x8"


def test_one_json_has_everything(smoke: Smoke) -> None:
    """Every row with its answers, sizes and single-call rounds; the one that can't be is marked."""
    run = reader.read(smoke.json)
    assert run.header.profile == "smoke"
    assert {built.recipe for built in run.header.built} == set(SMOKE_KINDS)
    rows = {(row.measured.experiment, row.measured.variant) for row in run.rows}
    expected = {(f"tutorial_{kind}_s0", variant) for kind in SMOKE_KINDS for variant in VARIANTS}
    assert expected - rows == {
        (f"tutorial_{kind}_s0", variant)
        for kind in ("qat", "prune-0.8_cluster-8_pcqat")
        for variant in ("int16x8", "int4", "mixed")
    }
    assert "16-bit activations" in run.absence("tutorial_qat_s0", "int16x8")
    assert "litert-quantizer leaves" in run.absence("tutorial_qat_s0", "int4")
    for row in run.rows:
        assert (row.timing.rounds, row.timing.iterations, len(row.timing.rounds_s)) == (200, 1, 200)
        assert row.measured.test.count == row.measured.validation.count == 500
        assert 0 < row.measured.gzip_bytes < row.measured.bytes
        assert row.measured.total_time_s > 0
    assert smoke.json.stat().st_size < 10e6


def test_the_models_learnt_something_and_the_files_answer_as_they_do(smoke: Smoke) -> None:
    """Two epochs on 6,000 images give over 85 %; a conversion changes little."""
    run = reader.read(smoke.json)
    keras = {built.id: built.answers.accuracy for built in run.header.built}
    assert min(keras.values()) > 0.85
    for row in run.rows:
        assert row.measured.test.accuracy == pytest.approx(keras[row.measured.experiment], abs=0.02)


def test_invariants_hold_in_keras(smoke: Smoke) -> None:
    """floor(0.8 n) zeros and 8 values in each layer that was transformed; KD and QAT add epochs."""
    built = {one.recipe: one for one in reader.read(smoke.json).header.built}
    assert built["prune-0.8"].prunable == 1.0
    for layer in built["prune-0.8"].info.layers:
        assert layer.zeros >= int(0.8 * layer.size)
    assert [layer.unique for layer in built["cluster-8"].info.layers] == [8, 8]
    assert {kind: one.epochs for kind, one in built.items()} == {
        "baseline": 2,
        "qat": 4,
        "prune-0.8": 4,
        "cluster-8": 4,
        "prune-0.8_cluster-8_pcqat": 8,
        "kd": 4,
    }


def test_the_pipelines_table_of_a_real_run(smoke: Smoke, tmp_path: Path) -> None:
    """Every method of every pipeline; what was not requested or can't be has its reason, what is odd its note."""
    report.write(reader.read(smoke.json), tmp_path)
    table = pd.read_csv(tmp_path / "pipelines.csv")
    assert list(table.columns) == ["Method", "Model optimize", "Accuracy", "Total time", "File size", "Note"]
    assert len(table) == 9 * 11
    rows = table.fillna({"Note": ""}).set_index(["Method", "Model optimize"])
    notes = rows["Note"].to_dict()
    assert notes["fp16", "quant"] == notes["dynamic", "prune_cluster_pcqat"] == "integer graph, float I/O"
    assert "16-bit activations" in notes["int16x8", "quant"]
    assert notes["int8", "prune_pqat"] == "not selected in this run"
    assert rows["Accuracy"].isna().equals(rows["Note"].str.contains("selected|16-bit|litert-quantizer"))
    assert rows["Accuracy"].min() > 85
    assert table[table["Method"] == "int8"]["File size"].max() < 24.5


def test_the_report_of_a_real_run(smoke: Smoke, tmp_path: Path) -> None:
    """The command writes all of it and prints the frontier and the place."""
    command = [sys.executable, "-m", "optsuite", "report", str(smoke.json), "--out", str(tmp_path / "report")]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert "Pareto frontier: accuracy against latency" in done.stdout
    assert str(tmp_path / "report" / "report.md") in done.stdout
    table = pd.read_csv(tmp_path / "report" / "results.csv")
    assert set(table["recipe"]) == set(SMOKE_KINDS)
    drawn = len(TARGETS)
    assert len(list((tmp_path / "report" / "figures").iterdir())) == 2 * (6 + drawn)
    assert (tmp_path / "report" / "report.html").stat().st_size < 8e6


def test_pytest_benchmarks_own_tools_read_the_json(smoke: Smoke) -> None:
    """`pytest-benchmark compare` knows nothing of us."""
    command = [sys.executable, "-m", "pytest_benchmark", "compare", str(smoke.json), "--columns=median,rounds"]
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=smoke.json.parent)
    assert "test_latency[tutorial_kd_s0-int8]" in done.stdout


def test_nothing_else_runs_while_a_round_is_timed(tmp_path: Path) -> None:
    """No garbage collection, no worker of the build before: looked at from inside of every call that is timed."""
    one = ("--optsuite-profile=smoke", "--optsuite-models=tutorial", "--optsuite-recipes=baseline", LITERT_ONLY)
    done = run_sabotaged("look around", *one, "-k", "test_latency", f"--optsuite-cache={tmp_path}")
    assert done.returncode == 0, done.stdout
    found = re.search(r"(\d+) calls: (\d+) collecting garbage, (\d+) beside a child process", done.stdout)
    assert found is not None
    calls, collecting, accompanied = map(int, found.groups())
    assert calls > 6 * 200
    assert (collecting, accompanied) == (0, 0)


def test_an_interrupted_build_goes_on_where_it_was(tmp_path: Path) -> None:
    """Ctrl-C loses the steps at work, does not wait for them, and leaves nothing running."""
    command = [sys.executable, "-m", "pytest", "benchmarks/test_invariants.py", "--optsuite-profile=smoke"]
    command += ["--optsuite-models=tutorial", "--optsuite-recipes=baseline,cluster-8", f"--optsuite-cache={tmp_path}"]
    # A signal between open() and its `with` leaves the file to the garbage collector, which warns.
    command += ["-W", "default::pytest.PytestUnraisableExceptionWarning"]
    store = Store(tmp_path, print)
    with subprocess.Popen(
        command,
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # a shell's background jobs ignore it
    ) as run:
        while not store.stored():
            assert run.poll() is None
            time.sleep(0.02)
        os.killpg(run.pid, signal.SIGINT)  # as a terminal does
        output, _ = run.communicate(timeout=HANGS_S)
    assert run.returncode == pytest.ExitCode.INTERRUPTED, output
    assert group_ends(run.pid)
    kept = store.stored()
    assert not list((tmp_path / "new").iterdir())
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    assert f"building {18 - len(kept)} steps" in done.stdout


def test_a_warm_run_builds_nothing_and_needs_no_tensorflow(smoke: Smoke) -> None:
    """All is in the store; TensorFlow can't be imported, and what else is slow is not."""
    done = run_sabotaged(
        "hide tensorflow",
        *SMOKE,
        LITERT_ONLY,
        f"--optsuite-cache={smoke.cache}",
    )
    assert done.returncode == 0, done.stdout
    assert "building" not in done.stdout.replace("building took", "")
    assert "slow modules: []" in done.stdout


def test_a_machine_where_tensorflow_is_not_installed(smoke: Smoke, tmp_path: Path) -> None:
    """The index finds the artifacts, and it says so; the Keras rows are absent, with the reason."""
    done = run_sabotaged(
        "hide tensorflow,uninstall tensorflow",
        *SMOKE,
        "--optsuite-recipes=baseline",
        f"--optsuite-cache={smoke.cache}",
        f"--benchmark-json={tmp_path / 'run.json'}",
    )
    assert done.returncode == 0, done.stdout
    assert "TensorFlow is not installed: taking the newest artifacts" in done.stdout
    run = reader.read(tmp_path / "run.json")
    assert {row.measured.variant for row in run.rows} == set(VARIANTS) - {"keras"}
    assert run.absence("tutorial_baseline_s0", "keras") == "TensorFlow is not installed"


def test_a_copied_store_is_examined_by_the_runtime_of_its_machine(smoke: Smoke, tmp_path: Path) -> None:
    """Exported, imported where TensorFlow is not and the CPU is another; killed in between, it goes on."""
    assert main(["store", "export", str(tmp_path / "bundle"), "--cache", str(smoke.cache)]) == 0
    assert main(["store", "import", str(tmp_path / "bundle"), "--cache", str(tmp_path / "cache")]) == 0
    (tmp_path / "examined").mkdir()
    few = (
        *SMOKE,
        "--optsuite-recipes=baseline",
        LITERT_ONLY,
        f"--optsuite-cache={tmp_path / 'cache'}",
        f"--benchmark-json={tmp_path / 'run.json'}",
    )
    board = "hide tensorflow,uninstall tensorflow,another cpu"
    done = run_sabotaged(f"{board},die at the fifth", *few, EXAMINED=str(tmp_path / "examined"))
    assert done.returncode == -signal.SIGKILL
    # Answers, on TFLM too, graphs, and instructions here, of six files: the rest came with the bundle.
    todo = 6 * (2 + WITH_TFLM + WITH_VALGRIND)
    assert f"examining {todo} steps" in done.stdout
    done = run_sabotaged(board, *few, EXAMINED=str(tmp_path / "examined"))
    assert done.returncode == 0, done.stdout
    left = re.search(r"examining (\d+) steps", done.stdout)
    assert left is not None
    assert todo - 5 <= int(left[1]) <= todo - 4
    here, there = reader.read(tmp_path / "run.json"), reader.read(smoke.json)
    assert len(here.rows) == 6
    for row in here.rows:
        other = there.row(row.measured.experiment, row.measured.variant)
        assert other is not None
        assert (row.measured.test, row.measured.weights) == (other.measured.test, other.measured.weights)


def test_a_store_without_the_artifact_says_what_to_do(tmp_path: Path) -> None:
    """No TensorFlow, no artifact: every row fails with one sentence."""
    done = run_sabotaged(
        "uninstall tensorflow",
        *SMOKE,
        "--optsuite-recipes=baseline",
        "--optsuite-variants=int8",
        f"--optsuite-cache={tmp_path / 'empty'}",
    )
    assert done.returncode == 1
    assert "run once where TensorFlow is installed, and copy the folder" in done.stdout


def test_two_cold_builds_are_the_same_to_the_byte(smoke: Smoke, tmp_path: Path) -> None:
    """Another store, other processes, one job instead of all: every file of every artifact is the same."""
    done = run_pytest(
        *SMOKE,
        "--optsuite-recipes=baseline,prune-0.8_cluster-8_pcqat",
        "--optsuite-jobs=1",
        "--benchmark-disable",
        f"--optsuite-cache={tmp_path}",
    )
    assert done.returncode == 0, done.stdout
    store = Store(tmp_path, pytest.fail)
    artifacts = [store.get(folder.name) or {} for folder in (tmp_path / "objects").iterdir()]
    files = {artifact[TFLITE] for artifact in artifacts if TFLITE in artifact}
    # The baseline and its eight files, two stages, a quantised model and its five files; the examinations of each file,
    # once where two are the same: mixed may be int4.
    assert len(files) in (8 + 5, 7 + 5)
    assert len(artifacts) == 9 + 2 + 6 + EXAMINATIONS * len(files)
    assert_same_artifacts(Store(tmp_path, pytest.fail), Store(smoke.cache, pytest.fail))


def test_data_in_another_order_is_refused(smoke: Smoke) -> None:
    """As a shuffled tf.data.Dataset comes: what the build's models answered was to other images."""
    selection = select(BUILTIN, profile="smoke", models=["tutorial"], recipes=["baseline"])
    (baseline,) = selection.experiments
    suite = Suite(selection, Store(smoke.cache, pytest.fail), Config(), pytest.fail)
    test = suite.split(baseline.dataset, "test")
    assert suite.built(baseline).answers.count == len(test.y)
    suite = Suite(selection, Store(smoke.cache, pytest.fail), Config(), pytest.fail)
    suite._splits["mnist", "test"] = Split(x=test.x[::-1], y=test.y[::-1])
    with pytest.raises(OptsuiteError, match="not the one that the model was built with; expected data"):
        suite.built(baseline)


def test_the_index_never_mixes_two_models(smoke: Smoke, tmp_path: Path) -> None:
    """When a model is built anew, the index forgets the files of the old one, and a baseline's all descendants."""
    selection = select(
        BUILTIN, profile="smoke", models=["tutorial"], recipes=["baseline", "qat"], variants=["keras", "int8"]
    )
    store = Store(tmp_path, pytest.fail)
    artifacts = Builder(selection, store, pytest.fail)
    rows = [(row, step_of(*row, selection.profile, BUILTIN)) for row in selection.rows()]
    artifacts._update_index(rows, {})
    names = [PurePath("smoke", "mnist", one.id, variant.name) for (one, variant), _ in rows]
    assert [store.newest(name) for name in names] == [step.key for _, step in rows]
    pair, step = rows[0]
    newer = replace(step, seed=1)
    artifacts._update_index([(pair, newer)], {})
    assert [store.newest(name) for name in names] == [newer.key, None, None, None]


def test_invariants_hold_on_depthwise_separable_networks_too(tmp_path: Path) -> None:
    """TFMOT's CQAT loses the clusters of one layer of dscnn; corrected it keeps them, in Keras and in the file."""
    done = run_pytest(
        "--optsuite-profile=smoke",
        "--optsuite-models=dscnn",
        "--optsuite-recipes=cluster-8_cqat",
        "--optsuite-variants=int8",
        f"--optsuite-cache={tmp_path}",
        "-k",
        "invariants_hold",
    )
    assert done.returncode == 0, done.stdout
    assert "2 passed" in done.stdout


def test_the_last_line_is_no_warning(tmp_path: Path) -> None:
    """Python's, of semaphores that the processes which built had not removed when they were ended."""
    done = run_pytest(
        "--optsuite-profile=smoke",
        "--optsuite-models=tutorial",
        "--optsuite-recipes=baseline",
        "--optsuite-variants=int4",
        "--optsuite-targets=none",
        f"--optsuite-cache={tmp_path}",
        "-k",
        "invariants_hold",
    )
    assert done.returncode == 0, done.stdout
    assert "leaked" not in done.stdout + done.stderr


def test_damage_is_found_and_built_again(smoke: Smoke, tmp_path: Path) -> None:
    """A flipped bit in a .tflite file is noticed, said and repaired before anything is measured."""
    cache = Path(shutil.copytree(smoke.cache, tmp_path / "cache"))
    key = (cache / "index/smoke/mnist/tutorial_baseline_s0/int8").read_text()
    path = cache / "objects" / key / "model.tflite"
    whole = path.read_bytes()
    path.write_bytes(whole[:1000] + bytes([whole[1000] ^ 1]) + whole[1001:])
    done = run_pytest(
        *SMOKE,
        "--optsuite-recipes=baseline",
        "--optsuite-variants=int8",
        f"--optsuite-cache={cache}",
    )
    assert done.returncode == 0, done.stdout
    assert "damaged artifact, set aside" in done.stdout
    assert "built 1 of 1 steps" in done.stdout
    assert path.read_bytes() == whole
    LiteRTRunner(whole).invoke()


def test_the_gate_fails_a_ruined_recipe(sabotaged: tuple[str, dict[str, Any]]) -> None:
    """Both accuracies, the accuracy drop, the budget and the changed answers, and only this recipe's gate."""
    output, _ = sabotaged
    line = next(line for line in output.splitlines() if line.startswith("E ") and "AssertionError: baseline" in line)
    for part in (
        "baseline 0.",
        " -> 0.",
        "accuracy drop 0.",
        "answers correct before and wrong after",
        "wrong before and correct after",
        "budget 0.5000",
    ):
        assert part in line
    assert [test for test in _failed(output) if "accuracy" in test] == ["test_recipe_keeps_accuracy[tutorial_ruin_s0]"]


def _failed(output: str) -> list[str]:
    return [line.split()[1].rpartition("::")[2] for line in output.splitlines() if line.startswith("FAILED")]


def test_the_last_lines_list_what_failed(sabotaged: tuple[str, dict[str, Any]]) -> None:
    """The row, the gate and what it said, one after the other, in lines of at most 100 characters."""
    output, _ = sabotaged
    shown = output[output.index("gates that failed:") :]
    assert max(map(len, shown.partition("short test summary")[0].splitlines())) <= 100
    lines = shown.replace("\n    ", " ").splitlines()[1:]
    assert re.fullmatch(
        r"  tutorial_ruin_s0  test_recipe_keeps_accuracy: baseline 0\.\d+ -> 0\.\d+, accuracy drop 0.*; budget 0\.5000"
        r' \(to change it, set tool\.optsuite\.budgets\.recipe\."tutorial_ruin" in pyproject\.toml\)',
        lines[0],
    )
    could_not_be_built = output.count("\nERROR benchmarks/")
    assert could_not_be_built
    assert "During handling of the above exception" not in output
    assert not any(line.endswith(":") for line in lines if line.startswith("  tutorial_"))
    assert sum(line.startswith("  tutorial_") for line in lines) == len(_failed(output)) + could_not_be_built


def test_a_broken_stage_is_caught_by_the_invariants(sabotaged: tuple[str, dict[str, Any]]) -> None:
    """Plain QAT under the name of PQAT: no accuracy is lost, the zeros are; in Keras and in every file."""
    output, _ = sabotaged
    assert [test for test in _failed(output) if "invariants" in test] == [
        "test_invariants_hold_after_each_stage[tutorial_false-pqat_s0]",
        "test_invariants_hold_in_the_file[tutorial_false-pqat_s0-fp32]",
        "test_invariants_hold_in_the_file[tutorial_false-pqat_s0-int8]",
    ]
    assert "after sabotage: dense: expected at least 16224 zeros of 20280, found" in output


def test_a_failed_build_fails_only_its_own(sabotaged: tuple[str, dict[str, Any]]) -> None:
    """With its real error; the other rows are measured, and the JSON says why these are absent."""
    output, run = sabotaged
    errors = {line.split()[1].rpartition("[")[2] for line in output.splitlines() if line.startswith("ERROR")}
    assert errors == {"tutorial_raise_s0-int8]", "tutorial_raise_s0-fp32]", "tutorial_raise_s0]"}
    assert "ZeroDivisionError: the real error" in output
    measured = {one["extra_info"]["optsuite"]["experiment"] for one in run["benchmarks"]}
    assert measured == {f"tutorial_{kind}_s0" for kind in ("baseline", "prune-0.8", "ruin", "die", "false-pqat")}
    reasons = {one["reason"] for one in run["optsuite"]["absences"] if one["experiment"] == "tutorial_raise_s0"}
    assert reasons == {"ZeroDivisionError: the real error"}


def test_a_killed_worker_costs_one_retry(sabotaged: tuple[str, dict[str, Any]]) -> None:
    """The step is done at the second try, and nothing else was lost."""
    _, run = sabotaged
    assert "tutorial_die_s0" in {built["id"] for built in run["optsuite"]["built"]}


def test_a_run_is_not_worse_than_itself(smoke: Smoke) -> None:
    """The gate inside pytest: each judgement a test, all of them the same by their bytes."""
    paths = (f"--optsuite-cache={smoke.cache}", f"--optsuite-reference={smoke.json}")
    done = run_pytest(*SMOKE, LITERT_ONLY, "-k", "not_worse or missing", *paths, "--optsuite-targets=ethos-u55-128")
    assert done.returncode == 0, done.stdout
    rows = 6 * 6 - 2
    promised = 3 * 6 - 1  # prune, cluster, and pcqat, which has no int16x8
    on_npu = 3 * 6 - 2 + 2 * 2  # int8, uint8 and int16x8, and of the two QAT models fp16 and dynamic, which are int8
    passed = 4 * rows + promised + on_npu
    assert f"{passed + 1} passed, {6 * rows - passed} skipped" in done.stdout


_BELOW_EIGHT_BITS = """
from optsuite.catalog import Quantize, Variant

VARIANTS = [
    Variant(name="blocks", convert=Quantize(recipe="dynamic_wi4b32_afp32")),
    Variant(name="static", convert=Quantize(recipe="static_wi8_ai8"), budget=0.5),
]
"""


def test_what_can_not_be_quantised_is_absent_and_no_failure(smoke: Smoke, tmp_path: Path) -> None:
    """With the reason of litert-quantizer; a recipe that needs calibration gets it."""
    (tmp_path / "below_eight_bits.py").write_text(_BELOW_EIGHT_BITS)
    done = run_pytest(
        *SMOKE,
        "--optsuite-recipes=baseline",
        "--optsuite-variants=blocks,static",
        "--optsuite-targets=none",
        f"--optsuite-catalog={tmp_path / 'below_eight_bits.py'}",
        f"--optsuite-cache={shutil.copytree(smoke.cache, tmp_path / 'cache')}",
        f"--benchmark-json={tmp_path / 'run.json'}",
    )
    assert done.returncode == 0, done.stdout
    run = reader.read(tmp_path / "run.json")
    assert {row.measured.variant for row in run.rows} == {"static"}
    assert run.absence("tutorial_baseline_s0", "blocks").startswith("litert-quantizer can't quantise this file")


def test_a_broken_recipe_is_found_with_all_that_descends_from_it(smoke: Smoke, tmp_path: Path) -> None:
    """A learning rate of next to nothing in one stage: the gate and the command name the same rows."""
    path = tmp_path / "run.json"
    cache = shutil.copytree(smoke.cache, tmp_path / "cache")  # the index says what is newest, and has to stay
    done = run_sabotaged(
        "break pruning",
        *SMOKE,
        "--optsuite-variants=int8,fp32",
        f"--optsuite-cache={cache}",
        f"--optsuite-reference={smoke.json}",
        f"--benchmark-json={path}",
    )
    assert done.returncode == 1, done.stdout
    failed = {test for test in _failed(done.stdout) if test.startswith("test_not_worse") and "accuracy" in test}
    worse = ("tutorial_prune-0.8", "tutorial_prune-0.8_cluster-8_pcqat")
    assert failed == {f"test_not_worse[{name}_s0-{variant}-accuracy]" for name in worse for variant in ("fp32", "int8")}
    assert "test_nothing_is_missing" not in _failed(done.stdout)
    command = [sys.executable, "-m", "optsuite", "compare", str(smoke.json), str(path), "--cache", str(cache)]
    compared = subprocess.run(command, capture_output=True, text=True, check=False)
    assert compared.returncode == 1
    regressed = [line for line in compared.stdout.splitlines() if line.startswith("REGRESSED")]
    accuracies = [line for line in regressed if " accuracy: " in line]
    assert {line.split()[1] for line in accuracies} == set(worse)
    # Variants of which the same is said share a line.
    assert sum(variant in line for line in accuracies for variant in ("fp32", "int8")) == 4
    assert "NOT SELECTED" in compared.stdout


def test_the_baseline_is_not_what_is_written(smoke: Smoke, tmp_path: Path) -> None:
    """Else a run would be judged against itself. A baseline of another profile is refused before anything is built."""
    arguments = [*SMOKE, f"--optsuite-cache={smoke.cache}", f"--optsuite-reference={smoke.json}"]
    done = run_pytest(*arguments, f"--benchmark-json={smoke.json}")
    assert done.returncode == pytest.ExitCode.USAGE_ERROR
    assert "is what --benchmark-json writes; expected another file" in done.stderr
    assert "schema" in smoke.json.read_text()
    done = run_pytest(f"--optsuite-cache={tmp_path / 'cache'}", f"--optsuite-reference={smoke.json}")
    assert done.returncode == pytest.ExitCode.USAGE_ERROR
    assert "is of profile smoke, this run of full" in done.stderr


def test_kept_runs_are_a_history(smoke: Smoke, tmp_path: Path) -> None:
    """As pytest-benchmark keeps them, without the rounds; its own tool reads them as well."""
    storage = tmp_path / "history"
    arguments = ("--benchmark-autosave", f"--benchmark-storage={storage}", f"--optsuite-cache={smoke.cache}")
    for _ in range(2):
        done = run_pytest(*SMOKE, "--optsuite-variants=int8", *arguments)
        assert done.returncode == 0, done.stdout
    assert main(["history", str(storage), "--out", str(tmp_path / "out")]) == 0
    table = pd.read_csv(tmp_path / "out" / "history.csv")
    assert list(table["model"]) == ["tutorial", "tutorial"]
    assert table["accuracy"].nunique() == 1
    assert list(table["regressed"]) == [0, 0]
    command = [sys.executable, "-m", "pytest_benchmark", "--storage", str(storage), "compare"]
    compared = subprocess.run(command, capture_output=True, text=True, check=False)
    assert compared.returncode == 0, compared.stderr
    assert "tutorial_qat_s0-int8" in compared.stdout
