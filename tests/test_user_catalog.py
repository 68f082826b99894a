"""docs/tutorial/own-model.md and docs/how-to/own-training.md in an empty folder.

With optsuite installed from its wheel.
"""

from __future__ import annotations

import os
import re
import shlex
import subprocess
from pathlib import Path

import msgspec
import numpy as np
import pytest
from runs import HANGS_S, ROOT

from optsuite.catalog.datasets import load_mnist
from optsuite.results import reader

pytestmark = pytest.mark.slow

_PAGE, _TRAINING = (ROOT / "docs" / page for page in ("tutorial/own-model.md", "how-to/own-training.md"))
# One job, as by `run_pytest`; targets have tests of their own.
_SMOKE = "--optsuite-profile=smoke --optsuite-variants=fp32,int8 --optsuite-jobs=1 --optsuite-targets=none -q"
_SMOKE += " --benchmark-quiet"


def _blocks(page: Path, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", page.read_text(), re.MULTILINE | re.DOTALL)


_CATALOGUE, _OWN_TEST = _blocks(_PAGE, "python")
_INIT, _BASE, _GATE = _blocks(_PAGE, "sh")
_OWN_FIT, *_ = _blocks(_TRAINING, "python")


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """An empty folder."""
    folder = tmp_path / "a project, ünïcode"
    folder.mkdir()
    return folder


def _run(script: str, project: Path, commands: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    path = f"{commands}{os.pathsep}{os.environ['PATH']}"
    return subprocess.run(
        ["bash", "-exc", script],
        cwd=project,
        env=os.environ | {"PATH": path, "PYTEST_ADDOPTS": _SMOKE} | environment,
        capture_output=True,
        text=True,
        timeout=HANGS_S,
        check=False,
    )


def _data(project: Path) -> None:
    train, test = load_mnist("train"), load_mnist("test")
    arrays = {"x_train": train.x[:3_800], "x_test": test.x[:500]}
    arrays = {name: (255 * x).round().astype(np.uint8) for name, x in arrays.items()}
    np.savez_compressed(
        project / "data.npz", **arrays, y_train=train.y[:3_800], y_test=test.y[:500], allow_pickle=False
    )


def _declare(project: Path, catalogue: str = _CATALOGUE) -> None:
    (project / "my_catalog.py").write_text(catalogue)
    (project / "pyproject.toml").write_text('[tool.optsuite]\ncatalog = "my_catalog.py"\n')


_COMMIT = """
git add --all
git -c user.name=me -c user.email=me@localhost commit --quiet --allow-empty --message=commit
"""


def _workflow(project: Path) -> dict[str, str]:
    """The commands of each step that has a name, for a pull request of one commit."""
    steps = msgspec.yaml.decode((project / ".github/workflows/optsuite.yml").read_bytes())["jobs"]["gate"]["steps"]
    base = "${{ github.event.pull_request.base.sha }}"
    return {step["name"]: step["run"].replace(base, "HEAD~") for step in steps if "name" in step}


def test_what_init_writes_runs_as_it_stands(project: Path, commands: Path) -> None:
    """Its workflow, too: on the pull request that adds it and on the next; and it is written once."""
    places = {name: str(project / name) for name in ("GITHUB_OUTPUT", "GITHUB_STEP_SUMMARY")}
    environment = places | {"GITHUB_WORKSPACE": str(project), "PYTEST_ADDOPTS": f"{_SMOKE} --optsuite-variants=int8"}
    init, _, smoke = _INIT.partition("\n")
    ignored = "echo '*.json' > .git/info/exclude"
    done = _run(f"git init --quiet\n{ignored}\n{_COMMIT} {init} {_COMMIT}", project, commands)
    assert done.returncode == 0, done.stdout + done.stderr
    before, this, verdicts = _workflow(project).values()
    done = _run(f"({before})\ngit worktree remove ../base", project, commands, **environment)
    assert done.returncode == 0, done.stdout + done.stderr
    assert (project / "GITHUB_OUTPUT").read_text() == "without=true\n"
    assert not (project / "base.json").exists()
    done = _run(f"{smoke} {_COMMIT} ({before})\n{this}\n{verdicts}", project, commands, **environment)
    assert done.returncode == 0, done.stdout + done.stderr
    assert (project / "GITHUB_OUTPUT").read_text() == "without=true\n"
    assert re.search(r"^- \d+ SAME$", (project / "GITHUB_STEP_SUMMARY").read_text(), re.MULTILINE)
    run = reader.read(project / "try.json")
    assert {row.measured.experiment for row in run.rows} == {
        f"mine_{recipe}_s0" for recipe in ("baseline", "qat", "prune-0.8", "cluster-8", "prune-0.5_pqat")
    }
    again = _run("optsuite init", project, commands)
    assert again.returncode == 2
    assert again.stderr.splitlines()[-1].startswith("optsuite: pyproject.toml: expected no section [tool.optsuite]")
    (project / "pyproject.toml").unlink()
    again = _run("optsuite init", project, commands)
    assert "optsuite_catalog.py: expected no such file, got one" in again.stderr
    assert not (project / "pyproject.toml").exists()


def test_the_script_for_other_servers(project: Path, commands: Path) -> None:
    """docs/how-to/ci.md: a first commit with nothing to compare with, a change that is as good, and one that is not."""
    (script,) = _blocks(ROOT / "docs/how-to/ci.md", "bash")
    options = f"{_SMOKE} --optsuite-variants=int8 --optsuite-recipes=baseline"
    ignored = "printf '*.json\n*.md\n' > .git/info/exclude"
    done = _run(f"git init --quiet\n{ignored}\n{_COMMIT} {_INIT.partition(chr(10))[0]} {_COMMIT}", project, commands)
    assert done.returncode == 0, done.stdout + done.stderr
    (project / "optsuite_gate.sh").write_text(script)
    gate = "bash optsuite_gate.sh HEAD~"
    done = _run(gate, project, commands, PYTEST_ADDOPTS=options)
    assert done.returncode == 0, done.stdout + done.stderr
    assert not (project / "base.json").exists()
    done = _run(f"{_COMMIT} {gate}", project, commands, PYTEST_ADDOPTS=options)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "SAME" in (project / "verdicts.md").read_text()
    catalogue = project / "optsuite_catalog.py"
    worse = re.sub(r"layers\.Conv2D\((\d+)", "layers.Conv2D(2 * \\1", catalogue.read_text())
    assert worse != catalogue.read_text()
    catalogue.write_text(worse)
    done = _run(f"{_COMMIT} {gate}", project, commands, PYTEST_ADDOPTS=options)
    assert done.returncode == 1, done.stdout + done.stderr
    assert re.search(r"REGRESSED.* bytes", (project / "verdicts.md").read_text())


BUILDER = """
WIDTH = 8


def block(x, layers):
    return layers.ReLU()(layers.Conv2D(WIDTH, 3, strides=2, padding="same")(x))


def build():
    from optsuite.keras import keras

    layers = keras.layers
    inputs = keras.Input((28, 28, 1))
    x = layers.Flatten()(block(block(inputs, layers), layers))
    return keras.Model(inputs, layers.Dense(10, activation="softmax")(x))


"""


def test_a_model_of_ones_own_is_gated(project: Path, commands: Path) -> None:
    """A builder with helpers, PQAT of layers before a ReLU; one constant changed in a helper, and the gate fails."""
    _data(project)
    builder = _CATALOGUE.replace('file=HERE / "net.keras"', "build=build, train=Schedule(epochs=3, peak_lr=5e-3)")
    builder = builder.replace('("baseline", "finetune", "prune-0.5")', '("baseline", "prune-0.5")')
    builder = builder.replace("MODELS =", f"{BUILDER}MODELS =", 1).replace("(Prune(sparsity=0.5),)", _PQAT)
    _declare(project, builder)
    (project / "test_mine.py").write_text(_OWN_TEST)
    done = _run(f"{_BASE}\npytest test_mine.py\noptsuite report base.json --out report", project, commands)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "4 passed" in done.stdout
    assert '"png": "' in (project / "report" / "report.html").read_text("utf-8")  # images of one's own data
    _declare(project, builder.replace("WIDTH = 8", "WIDTH = 1"))
    done = _run(_GATE, project, commands)
    assert done.returncode == 1, done.stdout + done.stderr
    assert re.search(r"^REGRESSED +mine_baseline .*int8 accuracy", done.stdout, re.MULTILINE)


def test_ones_own_training(project: Path, commands: Path) -> None:
    """The function of the page trains and prunes; its source is part of the key."""
    _declare(project, _OWN_FIT)
    few = f"{_BASE} --optsuite-variants=int8 --optsuite-recipes=baseline,prune-0.5".replace("\n", " ")
    done = _run(few, project, commands)
    assert done.returncode == 0, done.stdout + done.stderr
    pruned = next(built for built in reader.read(project / "base.json").header.built if built.recipe == "prune-0.5")
    assert [len(stage.loss) for stage in pruned.info.stages] == [2, 2]  # 100 steps of 93 an epoch
    assert pruned.sparsity == pytest.approx(0.5, abs=0.01)
    again = _run(few, project, commands)
    assert "optsuite: building " not in again.stdout.replace("building took", "")
    assert _OWN_FIT.count("SGD(0.05") == 1
    _declare(project, _OWN_FIT.replace("SGD(0.05", "SGD(0.04"))
    again = _run(few, project, commands)
    assert "optsuite: building 4 steps" in again.stdout


_PQAT = '(Prune(sparsity=0.5), QAT(preserve=("sparsity",)))'


def test_a_keras_3_file_of_every_layer_is_gated(project: Path, commands: Path) -> None:
    """The page as it is, for a recipe less; then the file's weights are spoilt, and the gate fails."""
    _data(project)
    _declare(project, _CATALOGUE.replace('("baseline", "finetune", "prune-0.5")', '("baseline", "prune-0.5")'))
    make = f"python {shlex.quote(str(ROOT / 'tests' / 'keras3_model.py'))} net.keras data.npz"
    done = _run(f"{make}\n{_BASE}", project, commands)
    assert done.returncode == 0, done.stdout + done.stderr
    run = reader.read(project / "base.json")
    assert {built.recipe for built in run.header.built} == {"baseline", "prune-0.5"}
    for built in run.header.built:
        assert built.info.stages[0].note.startswith("from Keras 3.")
    assert run.header.built[0].answers.accuracy > 0.3
    done = _run(f"{make} spoilt\n{_GATE}", project, commands)
    assert done.returncode == 1, done.stdout + done.stderr
    assert re.search(r"^REGRESSED +mine_baseline .*int8 accuracy", done.stdout, re.MULTILINE)


REGRESSION = """
from pathlib import Path

from optsuite.catalog import MeanAbsoluteError, Model, Schedule, from_npz

DATASETS = [from_npz("waves", Path(__file__).with_name("waves.npz"), metric=MeanAbsoluteError())]


def build():
    from optsuite.keras import keras

    layers = keras.layers
    stack = [layers.Conv1D(8, 5, activation="relu"), layers.MaxPooling1D(2), layers.Flatten(), layers.Dense(1)]
    return keras.Sequential([layers.Input((32, 1)), *stack])


FIT = Schedule(epochs=20, peak_lr=1e-2)
MODELS = [Model(name="wave", input_shape=(32, 1), build=build, train=FIT, finetune=FIT, recipes=("baseline",))]
"""


def _waves(project: Path) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(0)
    arrays: dict[str, np.ndarray] = {}
    for split, count in (("train", 6_000), ("test", 500)):
        frequency, phase = rng.uniform(0.5, 3, count), rng.uniform(0, 6, count)
        waves = np.sin(frequency[:, np.newaxis] * np.linspace(0, 6, 32) + phase[:, np.newaxis])
        arrays |= {f"x_{split}": waves[..., np.newaxis] + rng.normal(0, 0.1, (count, 32, 1)), f"y_{split}": frequency}
    np.savez(project / "waves.npz", **arrays)  # type: ignore[arg-type]
    return arrays


def test_regression_is_gated(project: Path, commands: Path) -> None:
    """The frequency of a noisy wave, judged by its mean absolute error; with one filter left it is worse."""
    arrays = _waves(project)
    _declare(project, REGRESSION)
    done = _run(f"{_BASE}\noptsuite report base.json --out report\noptsuite recommend base.json", project, commands)
    assert done.returncode == 0, done.stdout + done.stderr
    run = reader.read(project / "base.json")
    assert run.header.data.metric == "negative mean absolute error"
    row = run.row("wave_baseline_s0", "int8")
    assert row is not None
    guessing = -np.abs(arrays["y_test"] - np.median(arrays["y_test"])).mean()
    assert guessing < row.measured.test.accuracy < 0
    _declare(project, REGRESSION.replace("Conv1D(8", "Conv1D(1"))
    done = _run(_GATE, project, commands)
    assert done.returncode == 1, done.stdout + done.stderr
    assert re.search(r"^REGRESSED +wave_baseline .*int8 accuracy.*answers worse", done.stdout, re.MULTILINE)


DIGITS = """
def small(filters=8):
    from optsuite.keras import keras

    layers = keras.layers
    stack = [layers.Conv2D(filters, 3, activation="relu"), layers.MaxPooling2D(4), layers.Flatten()]
    return keras.Sequential([layers.Input((28, 28, 1)), *stack, layers.Dense(10, activation="softmax")])


DATASETS.append(from_npz("digits", Path(__file__).with_name("data.npz")))
FIT = Schedule(epochs=3, peak_lr=5e-3)
MODELS.append(Model(name="net", input_shape=(28, 28, 1), build=small, train=FIT, finetune=FIT, recipes=("baseline",)))
MODELS.append(Model(name="odd", input_shape=(5,), build=small, train=FIT, finetune=FIT, recipes=("baseline",)))
"""


def test_a_run_of_two_datasets(project: Path, commands: Path) -> None:
    """Each model runs on the data that it takes, and each dataset has its report; one was dropped without a word."""
    _data(project)
    _waves(project)
    _declare(project, REGRESSION + DIGITS)
    each = "optsuite report base.json --out report\noptsuite recommend base.json"
    done = _run(f"{_BASE}\n{each}", project, commands)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "optsuite: not run: odd (takes 5; this run is waves, 32x1; digits, 28x28x1)" in done.stdout
    run = reader.read(project / "base.json")
    assert run.header.experiments == ("waves/wave_baseline_s0", "digits/net_baseline_s0")
    assert [data.metric for data in run.header.datasets] == ["negative mean absolute error", "accuracy"]
    assert [(part.header.data.name, len(part.rows)) for part in run.by_dataset()] == [("waves", 2), ("digits", 2)]
    for dataset, has, lacks in (("waves", "wave_baseline", "net_"), ("digits", "net_baseline", "wave")):
        table = (project / "report" / dataset / "results.csv").read_text()
        assert has in table
        assert lacks not in table
        assert f"dataset {dataset}:" in done.stdout
    assert done.stdout.count("frontier of 2 .tflite files") == 2

    one = _run("optsuite recommend base.json --models wave,net --variants int8", project, commands)
    assert one.stdout.count("1 of 1 variants is within the limits") == 2
    one = _run("optsuite recommend base.json --models net", project, commands)
    assert "dataset digits:" in one.stdout
    assert "dataset waves:" not in one.stdout

    alone = _run(_BASE.replace("base.json", "alone.json --optsuite-dataset=digits"), project, commands)
    assert alone.returncode == 0, alone.stdout + alone.stderr
    assert "optsuite: building " not in alone.stdout.replace("building took", "")  # its models have one key
    assert reader.read(project / "alone.json").header.experiments == ("net_baseline_s0",)
    refused = _run("optsuite compare base.json alone.json", project, commands)
    assert refused.returncode == 2
    assert "expected runs of the same dataset, got waves, digits and digits" in refused.stderr

    _declare(project, REGRESSION + DIGITS.replace("filters=8", "filters=1"))
    gated = _run(_GATE, project, commands)
    assert gated.returncode == 1, gated.stdout + gated.stderr
    assert re.search(r"^REGRESSED +digits/net_baseline .*int8 accuracy", gated.stdout, re.MULTILINE)
    assert not re.search("^REGRESSED +waves/.*accuracy", gated.stdout, re.MULTILINE)


def test_a_larger_network_keeps_its_invariants(project: Path, commands: Path) -> None:
    """The example: residual blocks, BatchNorm and depthwise layers through pruning, QAT and int8; fewer images."""
    example = (ROOT / "examples" / "mobilenet_catalog.py").read_text()
    images = 'IMAGES = {"train": 6_000, "validation": 1_000, "test": 1_000}'
    assert images in example
    fewer = example.replace(images, 'IMAGES = {"train": 256, "validation": 50, "test": 50}')
    (project / "examples").mkdir()
    (project / "examples" / "mobilenet_catalog.py").write_text(fewer)
    done = _run(
        "pytest --pyargs optsuite.benchmarks --optsuite-catalog=examples/mobilenet_catalog.py "
        "--optsuite-recipes=prune-0.5_pqat --optsuite-variants=int8 --benchmark-json=run.json",
        project,
        commands,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    run = reader.read(project / "run.json")
    (built,) = (one for one in run.header.built if one.recipe == "prune-0.5_pqat")
    assert built.info.parameters == 423_018
    assert built.info.macs == 10_666_928
    assert len(built.info.layers) == 53
    row = run.row(built.id, "int8")
    assert row is not None
    assert row.measured.execution is not None
    assert row.measured.execution.precision == "int8"
    zeros = sum(layer.zeros for layer in row.measured.weights) / sum(layer.size for layer in row.measured.weights)
    assert zeros > 0.45  # half of all but the depthwise kernels, which TFMOT does not prune


_NO_VALIDATION = """
import numpy as np
from optsuite.catalog import Dataset, Split

def load(name):
    counts = {"train": 64, "test": 32}
    return Split(x=np.zeros((counts[name], 28, 28, 1), np.float32), y=np.zeros(counts[name], np.int32))

DATASETS = [Dataset(name="blank", input_shape=(28, 28, 1), load=load, fingerprint="1")]
"""


def test_data_that_can_not_be_used_is_one_error(project: Path, commands: Path) -> None:
    """Before anything is built: it was the same error of every test, after training."""
    _declare(project, _NO_VALIDATION)
    done = _run(f"pytest --pyargs optsuite.benchmarks {_SMOKE} --optsuite-models=tutorial", project, commands)
    assert done.returncode == pytest.ExitCode.USAGE_ERROR
    said = "dataset blank: load(\"validation\") raised KeyError: 'validation'; expected a Split"
    assert [line for line in done.stderr.splitlines() if line and line[0] != "+"] == [f"ERROR: optsuite: {said}"]
    assert "building" not in done.stdout
