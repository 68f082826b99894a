"""Files from elsewhere that bring code, and code that changes while a run builds with it."""

from __future__ import annotations

import hashlib
import json
import os
import random
import subprocess
import sys
import time
import zipfile
from collections import Counter
from collections.abc import Callable
from pathlib import Path, PurePath
from typing import Any

import pytest
from runs import HANGS_S, ROOT, SMOKE, Smoke, edited_model, run_pytest

from optsuite.errors import OptsuiteError
from optsuite.results import reader
from optsuite.spec.artifact import FINDINGS, IMPORTED, MODEL
from optsuite.store import bundle
from optsuite.store.store import Store

pytestmark = pytest.mark.filterwarnings("ignore")  # TensorFlow's and Keras's own


def _touch(x: Any) -> Any:
    import os

    open(os.environ["WITNESS"], "w").close()
    return x


def _lambda() -> dict[str, Any]:
    """A `Lambda` layer as Keras writes it: its bytecode is in the file."""
    from optsuite.keras import keras

    layer = keras.layers.Lambda(_touch, name="evil")
    return {"class_name": "Lambda", "config": layer.get_config()}


def _with_lambda(config: Any) -> None:
    config["config"]["layers"].insert(1, _lambda())


def test_an_imported_model_with_code(
    smoke: Smoke, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tally: Counter[str]
) -> None:
    """Neither measuring it nor going on from it runs the code, whatever the catalogue trusts; the code does run."""
    from optsuite import keras

    witness = tmp_path / "executed"
    monkeypatch.setenv("WITNESS", str(witness))
    theirs, ours = Store(tmp_path / "theirs", print), Store(tmp_path / "ours", print)
    key = Store(smoke.cache, print).index()[PurePath("smoke/mnist/tutorial_baseline_s0/keras")]
    good = Store(smoke.cache, print).get(key)
    assert good is not None
    evil = edited_model(good[MODEL], _with_lambda)
    theirs.put(key, {**good, MODEL: evil})
    bundle.export(theirs, tmp_path / "bundle.zip")
    bundle.load(ours, tmp_path / "bundle.zip")
    for trust in (False, True):
        trusting = ("-p", "sabotage") if trust else ()
        done = run_pytest(
            *trusting,
            *SMOKE,
            "--optsuite-recipes=baseline,qat",
            "--optsuite-variants=keras,int8",
            f"--optsuite-cache={ours.root}",
            PYTHONPATH=str(ROOT / "tests"),
            SABOTAGE="trust" if trust else "",
        )
        tally["an imported model with code"] += 1
        assert done.returncode == 1, done.stdout
        assert "its configuration names Lambda of name evil" in done.stdout
        assert "Traceback" not in done.stdout
        assert not witness.exists()
    keras.load(evil, trust=True)
    assert witness.exists()
    assert IMPORTED in (ours.get(key) or {})


def test_an_imported_row_that_can_not_be(smoke: Smoke, tmp_path: Path, tally: Counter[str]) -> None:
    """Its figures contradict each other, under hashes that fit: the row fails, and the JSON of all others is read."""
    theirs, ours = Store(smoke.cache, print), Store(tmp_path / "ours", print)
    bundle.export(theirs, tmp_path / "bundle.zip")
    key = theirs.index()[PurePath("smoke/mnist/tutorial_baseline_s0/int8@accuracy")]
    with zipfile.ZipFile(tmp_path / "bundle.zip") as whole:
        kept = {name: whole.read(name) for name in whole.namelist()}
    found = json.loads(kept[f"objects/{key}/{FINDINGS}"])
    kept[f"objects/{key}/{FINDINGS}"] = json.dumps(found | {"mistakes": [*found["mistakes"], 3]}).encode()
    digest = hashlib.sha256(kept[f"objects/{key}/{FINDINGS}"]).hexdigest()
    kept[f"objects/{key}/manifest.json"] = json.dumps({"key": key, "files": {FINDINGS: digest}}).encode()
    with zipfile.ZipFile(tmp_path / "forged.zip", "w") as forged:
        for name, content in kept.items():
            forged.writestr(name, content)
    bundle.load(ours, tmp_path / "forged.zip")
    tally["an imported row that contradicts itself"] += 1
    selected = ("--optsuite-recipes=baseline", "--optsuite-variants=int8,int16x8", "--optsuite-targets=none")
    json_path = tmp_path / "run.json"
    done = run_pytest(*SMOKE, *selected, f"--optsuite-cache={ours.root}", f"--benchmark-json={json_path}")
    assert done.returncode == 1, done.stdout
    assert "tutorial_baseline_s0 int8 has" in done.stdout
    assert [row.measured.variant for row in reader.read(json_path).rows] == ["int16x8"]


def _places(config: Any) -> list[Any]:
    """All dictionaries and lists in a configuration."""
    inner = config.values() if isinstance(config, dict) else config if isinstance(config, list) else ()
    return [*([config] if isinstance(config, dict | list) else []), *(one for value in inner for one in _places(value))]


def test_code_anywhere_in_a_model(
    smoke: Smoke,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    times: Callable[[int, int], int],
    tally: Counter[str],
) -> None:
    """Keras follows classes, functions and modules at any depth: so does what refuses them."""
    from optsuite import keras

    witness = tmp_path / "executed"
    monkeypatch.setenv("WITNESS", str(witness))
    index = Store(smoke.cache, print).index()
    models = []
    for recipe in ("baseline", "qat"):
        artifact = Store(smoke.cache, print).get(index[PurePath(f"smoke/mnist/tutorial_{recipe}_s0/keras")])
        assert artifact is not None
        models.append(artifact[MODEL])
        keras.load(models[-1])
    hidden = {"module": "tf_keras.src.layers.core.lambda_layer", "registered_name": "Lambda"}
    shell = f"touch {witness}"
    code = [
        _lambda(),
        {**_lambda(), **hidden, "class_name": "Dense"},
        {"class_name": "__lambda__", "config": {"value": _lambda()["config"]["function"][0]}},
        {"class_name": "function", "module": "os", "config": "system", "registered_name": "system"},
        {"class_name": "system", "module": "os", "config": shell, "registered_name": None},
        {"class_name": "Popen", "module": "subprocess", "config": {"args": shell, "shell": True}},
        {"class_name": "TFOpLambda", "config": {"name": "evil", "function": "io.write_file"}},
        {"class_name": "TFSMLayer", "module": "keras.layers", "config": {"filepath": str(tmp_path)}},
    ]
    rng = random.Random(0)

    def insert(config: Any) -> None:
        place = rng.choice(_places(config["config"]["layers"]))
        if isinstance(place, list):
            place.insert(rng.randint(0, len(place)), rng.choice(code))
        else:
            place[rng.choice([*place, "more"])] = rng.choice(code)

    for _ in range(times(30, 2_000)):
        with pytest.raises(OptsuiteError, match="its configuration names"):
            keras.load(edited_model(rng.choice(models), insert))
        tally["code in a model's configuration"] += 1
    assert not witness.exists()


CATALOGUE = """
from optsuite.catalog import Model, Schedule

def build():
    from optsuite.keras import keras
    layers = keras.layers
    return keras.Sequential([layers.Input((28, 28, 1)), layers.Flatten(), layers.Dense({width}), layers.Dense(10)])

short = Schedule(epochs=1, peak_lr=1e-3)
MODELS = [Model(name="mine", input_shape=(28, 28, 1), build=build, train=short, finetune=short)]
"""
PARAMETERS = {width: (784 + 1) * width + (width + 1) * 10 for width in (8, 32)}


def _command(folder: Path, *arguments: str) -> list[str]:
    rows = ["--optsuite-profile=smoke", "--optsuite-catalog=mine.py", "--optsuite-recipes=baseline,cluster-8"]
    rows += ["--optsuite-variants=fp32,int8", "--optsuite-cache=cache", "--benchmark-quiet", "-p", "no:cacheprovider"]
    return [sys.executable, "-m", "pytest", str(ROOT / "benchmarks"), f"--rootdir={folder}", *rows, *arguments]


def test_a_catalogue_edited_while_it_builds(
    tmp_path: Path, times: Callable[[int, int], int], tally: Counter[str]
) -> None:
    """Nothing of the new code is stored under the old code's keys, and the failure says what happened."""
    rng = random.Random(0)
    environment = os.environ | {"PYTHONDONTWRITEBYTECODE": "1"}
    for number in range(times(1, 8)):
        folder = tmp_path / str(number)
        folder.mkdir()
        catalogue = folder / "mine.py"
        catalogue.write_text(CATALOGUE.format(width=8))
        log = folder / "log"
        with log.open("w") as out:
            run = subprocess.Popen(_command(folder), cwd=folder, stdout=out, stderr=out, env=environment)
            while "building" not in log.read_text():
                assert run.poll() is None, log.read_text()
                time.sleep(0.01)
            time.sleep(rng.uniform(0, 12) if number else 0)  # the first is right after it says that it builds
            catalogue.write_text(CATALOGUE.format(width=32))
            code = run.wait(timeout=HANGS_S)
        tally["a catalogue edited while it builds"] += 1
        said = log.read_text()
        assert code == 0 or (code == 1 and "mine changed since the run began" in said), said
        assert code == 1 or number
        for width in (8, 32):
            catalogue.write_text(CATALOGUE.format(width=width))
            again = [*_command(folder, "--benchmark-json=run.json")]
            done = subprocess.run(again, cwd=folder, timeout=HANGS_S, check=False, capture_output=True, env=environment)
            assert done.returncode == 0, done.stdout.decode() + done.stderr.decode()
            found = reader.read(folder / "run.json").header.built
            assert {built.info.parameters for built in found} == {PARAMETERS[width]}
