"""`optsuite measure`: a .tflite file from elsewhere, as a run's files are measured, without TensorFlow."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from runs import Smoke, assert_same_figures

from optsuite import probe_models
from optsuite.__main__ import main
from optsuite.catalog.datasets import load_mnist
from optsuite.catalog.loaders.npz import to_evaluate
from optsuite.measure import standalone
from optsuite.results import reader
from optsuite.store.store import Store


@pytest.fixture
def files(smoke: Smoke, tmp_path: Path) -> list[Path]:
    """net.tflite, int8, and float.tflite, of the smoke run's baseline, and test.npz with its images."""
    store, run = Store(smoke.cache, print), reader.read(smoke.json)
    paths = []
    for name, variant in (("net", "int8"), ("float", "fp32")):
        row = run.row("tutorial_baseline_s0", variant)
        assert row is not None
        paths.append(tmp_path / f"{name}.tflite")
        artifact = store.get(row.measured.key)
        assert artifact is not None
        paths[-1].write_bytes(artifact["model.tflite"])
    test, validation = load_mnist("test").first(500), load_mnist("validation").first(500)
    np.savez(tmp_path / "test.npz", x_test=test.x, y_test=test.y, x_validation=validation.x, y_validation=validation.y)
    return paths


def test_it_finds_what_a_run_finds(files: list[Path], smoke: Smoke, tmp_path: Path) -> None:
    """Accuracy, sizes, weights, execution; 1,000 rounds; and TensorFlow can't be imported."""
    hide = "import sys; sys.modules.update(dict.fromkeys(['tensorflow', 'tf_keras', 'keras', 'h5py']))"
    command = f"{hide}; from optsuite.__main__ import main; sys.exit(main())"
    arguments = [
        "measure",
        *map(str, files),
        "--data",
        str(tmp_path / "test.npz"),
        "--json",
        str(tmp_path / "run.json"),
    ]
    done = subprocess.run([sys.executable, "-c", command, *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    here, there = reader.read(tmp_path / "run.json"), reader.read(smoke.json)
    (built, _), keras = here.header.built, there.header.built[0]
    assert (built.id, built.recipe, built.test) == ("net_file_s0", "file", None)
    assert (built.info.parameters, built.info.macs) == (keras.info.parameters, keras.info.macs)
    for name, variant in (("net", "int8"), ("float", "fp32")):
        found, expected = here.row(f"{name}_file_s0", "tflite"), there.row("tutorial_baseline_s0", variant)
        assert found is not None
        assert expected is not None
        for figure in ("sha256", "test", "validation", "mistakes", "bytes", "gzip_bytes", "note"):
            assert getattr(found.measured, figure) == getattr(expected.measured, figure)
        assert_same_figures(found.measured.figures, expected.measured.figures)
        assert found.measured.execution is not None
        assert expected.measured.execution is not None
        assert found.measured.execution.operators == expected.measured.execution.operators
        assert [one.zeros for one in found.measured.weights] == [one.zeros for one in expected.measured.weights]
        assert (found.timing.rounds, found.timing.iterations, len(found.timing.rounds_s)) == (1000, 1, 1000)
        accuracy = f"{name}_file_s0: accuracy {expected.measured.test.accuracy:.4f} of 500, "
        assert any(line.startswith(accuracy) for line in done.stdout.splitlines())


def test_what_a_file_uses_on_targets(
    files: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Without data, too, and of one's own targets; an unknown one is refused before anything is measured."""
    monkeypatch.setattr(sys, "path", [*sys.path])
    assert main(["measure", *map(str, files), "--targets", "ethos-u55-128"]) == 0
    shown = capsys.readouterr().out
    assert re.search(r"net: .*\n  ethos-u55-128: flash [\d,]+ bytes, sram [\d,]+ bytes, cycles [\d,]+, latency ", shown)
    assert re.search(r"float: .*\n  ethos-u55-128: no operator of it runs on the NPU", shown)
    assert main(["measure", str(files[0]), "--targets", "m4"]) == 2
    board = "Target(name='board', examinations=(EthosU(name='board', **SYSTEM),))"
    system = "dict(accelerator='ethos-u55-64', system_config='Ethos_U55_High_End_Embedded', memory_mode='Shared_Sram')"
    imports = "from optsuite.catalog import Target\nfrom optsuite.examine.ethos_u import EthosU\n"
    (tmp_path / "measured_board.py").write_text(f"{imports}SYSTEM = {system}\nTARGETS = [{board}]\n")
    assert main(["measure", str(files[0]), "--catalog", str(tmp_path / "measured_board.py")]) == 0
    assert re.search(r"net: .*\n  board: flash [\d,]+ bytes", capsys.readouterr().out)
    assert main(["measure", str(files[0]), "--targets", "m4"]) == 2
    assert "unknown target 'm4'; expected one of tflm, " in capsys.readouterr().err


EXAMINED = """
from dataclasses import dataclass
from optsuite.catalog import Examination, ExaminationTask, Figure, Findings, Target

@dataclass(frozen=True, kw_only=True)
class Length(Examination[Findings]):
    name: str = "length"
    figures = (Figure(name="length", label="length", unit="bytes", better="lower"),)

    def run(self, task: ExaminationTask) -> Findings:
        return Findings(figures={"length": len(task.content)})

@dataclass(frozen=True, kw_only=True)
class Images(Examination[Findings]):
    name: str = "images"
    needs = ("test",)
    figures = (Figure(name="images", label="images", unit="", better="higher"),)

    def run(self, task: ExaminationTask) -> Findings:
        return Findings(figures={"images": len(task.splits["test"].y)})

@dataclass(frozen=True, kw_only=True)
class Training(Images):
    name: str = "training"
    needs = ("train",)
    figures = ()

EXAMINATIONS = [Length(), Training()]
TARGETS = [Target(name="board", examinations=(Images(),), on_request=True)]
"""


def test_examinations_of_the_catalogue(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Those of EXAMINATIONS and of TARGETS; what needs data that is not there says so."""
    monkeypatch.setattr(sys, "path", [*sys.path])
    file, run, data = tmp_path / "net.tflite", tmp_path / "run.json", tmp_path / "test.npz"
    file.write_bytes(probe_models.matrix_product(batch=1, inputs=4, outputs=10, dtype="float32"))
    x, y = np.ones((9, 4), np.float32), np.zeros(9, int)
    np.savez(data, x_test=x, y_test=y, x_validation=x, y_validation=y)
    (tmp_path / "measured_length.py").write_text(EXAMINED)
    catalog = ["--catalog", str(tmp_path / "measured_length.py")]
    length = f"  length: length {file.stat().st_size:,} bytes"
    needs_data = "  training, cortex-a76-answers, board: needs --data or --dataset"
    needs_training = "  training: needs the training data, which `measure` does not use"
    assert main(["measure", str(file), *catalog, "--targets", "board,cortex-a76-answers"]) == 0
    assert capsys.readouterr().out.splitlines()[1:] == [length, needs_data]
    options = ["--data", str(data), "--json", str(run), "--targets", "board"]
    assert main(["measure", str(file), *catalog, *options]) == 0
    assert capsys.readouterr().out.splitlines()[1:] == [length, needs_training, "  board: images 9"]
    found = reader.read(run)
    assert found.rows[0].measured.figures == {"length": file.stat().st_size, "images": 9}
    assert [(one.name, one.target) for one in found.header.examinations][-2:] == [("length", ""), ("images", "board")]


def test_the_json_is_one_for_all_commands(
    files: list[Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """What is known of a file is in every table, what is not is a dash."""
    run = tmp_path / "run.json"
    assert main(["measure", str(files[0]), "--data", str(tmp_path / "test.npz"), "--json", str(run)]) == 0
    assert main(["report", str(run), "--out", str(tmp_path / "out")]) == 0
    assert main(["recommend", str(run)]) == 0
    capsys.readouterr()
    assert main(["compare", str(run), str(run), "--all"]) == 0
    assert "SAME" in capsys.readouterr().out
    (line,) = pd.read_csv(tmp_path / "out" / "results.csv").to_dict("records")
    measured = reader.read(run).rows[0].measured
    assert (line["tflite_tflite_bytes"], line["tflite_tflite_acc"]) == (measured.bytes, measured.test.accuracy)
    assert "tflite_tflite_median_us" in (tmp_path / "out" / "report.md").read_text()
    page = (tmp_path / "out" / "report.html").read_text()
    assert '"drop": null' in page


def test_a_file_beside_a_run(
    files: list[Path], smoke: Smoke, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Measured on a dataset by its name, in one report with a run, and compared with one of its rows."""
    measured = tmp_path / "measured.json"
    options = ["--dataset", "mnist", "--profile", "smoke", "--targets", "none", "--json", str(measured)]
    assert main(["measure", str(files[0]), *options]) == 0
    expected = reader.read(smoke.json).row("tutorial_baseline_s0", "int8")
    (found,) = reader.read(measured).rows
    assert expected is not None
    assert found.measured.test == expected.measured.test
    assert main(["report", str(smoke.json), str(measured), "--out", str(tmp_path / "out")]) == 0
    table = pd.read_csv(tmp_path / "out" / "results.csv").set_index("exp_id")
    assert str(table.loc["net_file_s0", "tflite_tflite_acc"]) == str(
        table.loc["tutorial_baseline_s0", "tflite_int8_acc"]
    )
    assert re.search(r"from another run, on .*, \d{4}-\d\d-\d\d: net_file_s0", (tmp_path / "out/report.md").read_text())
    capsys.readouterr()
    assert main(["compare", str(smoke.json), str(measured), "--row", "tutorial_baseline_s0", "int8", "--all"]) == 0
    same = r"^SAME +net_file tflite accuracy, bytes, gzip_bytes, latency: identical bytes$"
    assert re.search(same, capsys.readouterr().out, re.MULTILINE)
    assert main(["compare", str(smoke.json), str(measured), "--row", "tutorial_baseline_s0", "fp32"]) == 0
    assert re.search(r"^IMPROVED +net_file tflite bytes", capsys.readouterr().out, re.MULTILINE)
    for arguments, said in (
        (["compare", smoke.json, measured], "the runs have no row in common; `--row EXPERIMENT VARIANT` compares"),
        (["compare", smoke.json, measured, "--row", "none_s0", "int8"], "none_s0 int8: not selected in this run"),
        (["compare", smoke.json, smoke.json, "--row", "tutorial_baseline_s0", "int8"], "which was built"),
        (["measure", files[0], "--dataset", "none"], "unknown dataset 'none'; expected one of mnist, "),
        (["measure", files[0], "--dataset", "mnist", "--metric", "mae"], "expected neither --data nor --metric"),
    ):
        assert main([str(argument) for argument in arguments]) == 2
        assert said in capsys.readouterr().err


@pytest.mark.parametrize("content", [b"nonsense", b"", b"\x1c\0\0\0TFL3" + bytes(99)])
def test_what_is_no_model(
    content: bytes, files: list[Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """One line with its name, exit 2."""
    files[0].write_bytes(content)
    assert main(["measure", str(files[0]), "--data", str(tmp_path / "test.npz")]) == 2
    said = capsys.readouterr().err
    assert said.startswith("optsuite: ")
    assert "net" in said
    assert said.count("\n") == 1


def test_what_can_not_be_measured(files: list[Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Files, data and places, each named with what was expected."""
    data = tmp_path / "test.npz"
    other = tmp_path / "other.npz"
    np.savez(other, x_test=np.zeros((9, 4), np.float32), y_test=np.zeros(9, int))
    (tmp_path / "more").mkdir()
    (tmp_path / "more" / "net.tflite").write_bytes(files[0].read_bytes())
    for arguments, said in (
        ([tmp_path / "none.tflite", "--data", data], "none.tflite: No such file or directory; expected a .tflite"),
        ([files[0], "--data", tmp_path / "none.npz"], "none.npz: No such file"),
        ([files[0], "--data", other], "net: it takes inputs of (1, 28, 28, 1); expected (1, 4) for this data"),
        ([files[0], tmp_path / "more" / "net.tflite", "--data", data], "expected files of different names, got "),
        ([files[0], "--data", data, "--json", tmp_path / "no" / "run.json"], "a folder that exists"),
        ([files[0], "--data", data, "--json", tmp_path], "a folder that exists"),
    ):
        assert main(["measure", *map(str, arguments)]) == 2
        assert said in capsys.readouterr().err


def test_all_files_are_checked_before_the_first_is_measured(
    files: list[Path], tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A second file with another input shape was refused after six minutes."""

    def fail(*_: object) -> None:
        raise AssertionError("the first file was measured")

    monkeypatch.setattr(standalone, "stored", fail)
    monkeypatch.setattr(standalone, "Monitor", fail)
    other = tmp_path / "other.tflite"
    other.write_bytes(probe_models.matrix_product(batch=1, inputs=4, outputs=10, dtype="float32"))
    assert main(["measure", str(files[0]), str(other), "--data", str(tmp_path / "test.npz")]) == 2
    assert "other: it takes inputs of (1, 4); expected (1, 28, 28, 1) for this data" in capsys.readouterr().err


def test_names_that_are_no_text(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A file's name may be any bytes, and JSON takes text alone."""
    files = [tmp_path / os.fsdecode(name) for name in (b"net\xff.tflite", b"twin.tflite")]
    for file in files:
        file.write_bytes(probe_models.matrix_product(batch=1, inputs=4, outputs=10, dtype="float32"))
    data, run = tmp_path / os.fsdecode(b"test\xff.npz"), tmp_path / "run.json"
    x, y = np.ones((9, 4), np.float32), np.zeros(9, int)
    np.savez(data, x_test=x, y_test=y, x_validation=x, y_validation=y)
    assert main(["measure", str(files[0]), "--targets", "none"]) == 0
    assert main(["measure", str(files[0]), "--targets", "none", "--data", str(data), "--json", str(run)]) == 0
    assert "net\\udcff_file_s0: accuracy" in capsys.readouterr().out
    assert reader.read(run).header.data.name == "test\\udcff"
    assert main(["ab", *map(str, files)]) == 0


def test_images_are_set_aside_to_choose_by(tmp_path: Path) -> None:
    """A fifth, where there is no validation split; none of them is reported."""
    x = np.arange(50, dtype=np.float32).reshape(50, 1)
    np.savez(tmp_path / "data.npz", x_test=x, y_test=np.arange(50))
    splits = to_evaluate(tmp_path / "data.npz")
    assert (len(splits["test"].y), len(splits["validation"].y)) == (40, 10)
    assert set(splits["test"].y) | set(splits["validation"].y) == set(range(50))
    assert np.array_equal(splits["test"].x[:, 0], splits["test"].y)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # TensorFlow's own
def test_a_model_of_several_inputs_and_outputs_is_timed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """By `measure` without data, and by `ab`; it has no accuracy, and --json needs one."""
    from optsuite.keras import tf

    def both(x: Any, index: Any) -> Any:
        return {"sum": tf.reduce_sum(x, axis=1), "row": tf.gather(x, index, axis=1)}

    signature = tf.TensorSpec((1, 8, 4), tf.float32), tf.TensorSpec((1,), tf.int32)
    function = tf.function(both).get_concrete_function(*signature)
    content = tf.lite.TFLiteConverter.from_concrete_functions([function], tf.Module()).convert()
    files = [tmp_path / "two.tflite", tmp_path / "twin.tflite"]
    for file in files:
        file.write_bytes(content)
    assert main(["measure", *map(str, files)]) == 0
    shown = capsys.readouterr().out
    for name in ("two", "twin"):
        assert re.search(rf"^{name}: [\d,]+ bytes, \d+ gzipped, median [\d.]+ µs$", shown, re.MULTILINE)
    npus = "ethos-u55-128, ethos-u55-256, ethos-u65-256, ethos-u85-256"
    assert shown.count(f"\n  {npus}: no operator of it runs on the NPU\n") == 2
    assert main(["measure", str(files[0]), "--targets", "none"]) == 0
    assert re.fullmatch(r"two: [\d,]+ bytes, \d+ gzipped, median [\d.]+ µs\n", capsys.readouterr().out)
    assert main(["ab", *map(str, files)]) == 0
    np.savez(tmp_path / "test.npz", x_test=np.zeros((9, 8, 4), np.float32), y_test=np.zeros(9, int))
    for arguments, said in (
        (["--data", str(tmp_path / "test.npz")], "two: the model has 2 inputs: an accuracy needs a model of one input"),
        (["--json", str(tmp_path / "run.json")], "--json: expected --data or --dataset, too"),
    ):
        assert main(["measure", str(files[0]), *arguments]) == 2
        assert said in capsys.readouterr().err
