"""What a recipe can't do with a model is known before anything is trained, by the plan too."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from runs import HANGS_S

from optsuite.results import reader

pytestmark = pytest.mark.slow

CATALOG = """
from pathlib import Path

from optsuite.catalog import QAT, Model, Prune, Recipe, Schedule, from_npz

DATASETS = [from_npz("sensor", Path(__file__).with_name("sensor.npz"))]


def build():
    from optsuite.keras import keras

    layers = keras.layers
    stack = [layers.Conv1D(8, 5, activation="relu", name="first"), layers.MaxPooling1D(2, name="pool")]
    stack += [layers.GlobalAveragePooling1D(), layers.Dense(3)]
    return keras.Sequential([layers.Input((64, 3)), *stack])


FIT = Schedule(epochs=2, peak_lr=1e-2)
MODELS = [
    Model(name="net", input_shape=(64, 3), build=build, train=FIT, finetune=FIT),
    Model(name="image", input_shape=(8, 8, 1), build=build, train=FIT, finetune=FIT),
]
RECIPES = [
    Recipe(name="pqat", stages=(Prune(sparsity=0.5), QAT(preserve=("sparsity",)))),
    Recipe(name="mistyped", stages=(Prune(sparsity={"frist": 0.5}),)),
]
"""
LAYER = "TFMOT can't quantise this model: Layer first"
BOTH = "add skip=('first', 'pool')"
MISTYPED = "pattern 'frist' matches no layer; expected one of first, dense"


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a catalogue of a network in one dimension, and its data."""
    folder = tmp_path_factory.mktemp("sensors")
    rng = np.random.default_rng(0)
    labels = {"y_train": rng.integers(0, 3, 5_600), "y_test": rng.integers(0, 3, 500)}
    signals = {
        f"x{name[1:]}": rng.normal(y[:, np.newaxis, np.newaxis], 1.0, (len(y), 64, 3)).astype(np.float32)
        for name, y in labels.items()
    }
    np.savez(folder / "sensor.npz", **signals, **labels)  # type: ignore[arg-type]
    (folder / "my_catalog.py").write_text(CATALOG)
    (folder / "pyproject.toml").write_text('[tool.optsuite]\ncatalog = "my_catalog.py"\n')
    return folder


def _run(project: Path, command: str, *options: str) -> subprocess.CompletedProcess[str]:
    rows = ["--pyargs", "optsuite.benchmarks", "--optsuite-profile=smoke", "--optsuite-variants=fp32,int8,int16x8"]
    rows += ["--optsuite-targets=none", "--optsuite-jobs=1"]
    return subprocess.run(
        [sys.executable, "-m", *command.split(), *rows, *options],
        cwd=project,
        capture_output=True,
        text=True,
        timeout=HANGS_S,
        check=False,
    )


def test_the_plan_knows(project: Path) -> None:
    """The recipe, the layer and the reason; and which model is left out, and why. Nothing is trained for it."""
    done = _run(project, "optsuite plan")
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"absent: net_pqat_s0: {LAYER}" in done.stdout
    assert f"absent: net_qat_s0: {LAYER}" in done.stdout
    assert done.stdout.count(BOTH) == 2  # all that TFMOT does not know, not the first alone
    assert f"absent: net_mistyped_s0: {MISTYPED}" in done.stdout
    assert "not run: image (takes 8x8x1; this run is sensor, 64x3)" in done.stdout
    assert "net s0: train > prune" in done.stdout  # prune-0.8, which it can do
    assert "> qat" not in done.stdout
    assert "optsuite: building" not in done.stdout
    assert re.search(r" 2 workers: about \d+ s, \d+ to \d+ s;", done.stdout)
    assert re.search(r"s  9 files: accuracy$", done.stdout, re.MULTILINE)  # of files that are not built yet


def test_the_plan_checks_the_data(project: Path, tmp_path: Path) -> None:
    """A catalogue is not fine because its data was never looked at."""
    (tmp_path / "my_catalog.py").write_text(CATALOG)
    with np.load(project / "sensor.npz") as arrays:
        np.savez(tmp_path / "sensor.npz", **{**arrays, "y_test": arrays["y_test"][1:]})
    done = _run(tmp_path, "optsuite plan", "--optsuite-catalog=my_catalog.py")
    assert done.returncode == pytest.ExitCode.USAGE_ERROR
    assert "expected y to be 500 labels, integers from 0, got int64 (499,)" in done.stdout + done.stderr


@pytest.mark.parametrize(
    ("edit", "said"),
    [
        (
            ("    from optsuite.keras import keras\n", '    raise RuntimeError("no weights")\n'),
            "RuntimeError: no weights",
        ),
        (("layers.Dense(3)]", "layers.Dense(2)]"), "expected one number per class from the model, at least 3"),
        (("(64, 3)), *stack", "(32, 3)), *stack"), "the model takes inputs of (32, 3), the train split has (64, 3)"),
    ],
    ids=["raises", "answers", "inputs"],
)
def test_a_model_that_can_not_be_made_is_one_error(
    project: Path, tmp_path: Path, edit: tuple[str, str], said: str
) -> None:
    """Before anything is trained: it was the same traceback of every test."""
    (tmp_path / "my_catalog.py").write_text(CATALOG.replace(*edit))
    (tmp_path / "sensor.npz").symlink_to(project / "sensor.npz")
    done = _run(tmp_path, "pytest", "--optsuite-catalog=my_catalog.py")
    assert done.returncode == pytest.ExitCode.USAGE_ERROR, done.stdout + done.stderr
    printed = done.stdout + done.stderr
    assert f"model net can't be used: {said}" in printed
    assert printed.count(said) <= 3  # once more as the last line of its traceback, and in the line of the failed step
    assert printed.count("Traceback") <= 1
    assert "building" not in printed


def test_a_recipe_that_was_asked_for_is_an_error(project: Path) -> None:
    """In one line, before anything is trained."""
    done = _run(project, "pytest", "--optsuite-recipes=baseline,pqat")
    assert done.returncode == pytest.ExitCode.USAGE_ERROR
    said = done.stdout + done.stderr
    assert said.count("TFMOT can't quantise") == 1
    assert f"net_pqat_s0 can't be built: {LAYER}" in said
    assert "building" not in said


def test_by_default_it_is_absent(project: Path) -> None:
    """Everything else is measured; the rows are skipped, and stand in the JSON with the reason."""
    done = _run(project, "pytest", "--benchmark-json=run.json", "--benchmark-quiet")
    assert done.returncode == 0, done.stdout + done.stderr
    run = reader.read(project / "run.json")
    assert {row.measured.experiment for row in run.rows} == {
        "net_baseline_s0",
        "net_prune-0.8_s0",
        "net_cluster-8_s0",
    }
    assert run.absence("net_pqat_s0", "int8").startswith(LAYER)
    # One reason, also for a form that no QAT model has.
    whole = {one.reason for one in run.header.absences if one.experiment == "net_pqat_s0"}
    assert len(whole) == 1
    assert run.absence("net_mistyped_s0", "fp32") == MISTYPED
