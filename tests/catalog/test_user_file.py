"""A catalogue file of the user's own: read, joined to ours, refused with where and why."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from catalogs import BUILTIN

from optsuite import catalog
from optsuite.catalog import user_file
from optsuite.errors import OptsuiteError
from optsuite.spec.model import Model, OwnFit, Schedule

GOOD = """
from optsuite.catalog import QAT, Model, Recipe, Schedule
def build(): ...
FIT = Schedule(epochs=1, peak_lr=1e-3)
MODELS = [Model(name="mine", input_shape=(4,), build=build, train=FIT, finetune=FIT)]
RECIPES = [Recipe(name="mine", stages=(QAT(),))]
"""


@pytest.fixture(autouse=True)
def _alone() -> Iterator[None]:
    """Modules and the path of modules are as before, after."""
    path = list(sys.path)
    yield
    sys.path[:] = path
    for name in ("my_catalog", "nets_of_this_test", "nets_of_this_test.fits"):
        sys.modules.pop(name, None)


def _write(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "my_catalog.py"
    path.write_text(text)
    return path


def test_entries_join_ours(tmp_path: Path) -> None:
    """What was declared, and by what name it is importable elsewhere."""
    user_defined = user_file.read(_write(tmp_path, GOOD))
    assert (list(user_defined.models), list(user_defined.recipes), user_defined.datasets) == (["mine"], ["mine"], {})
    joined = BUILTIN.joined(user_defined)
    assert joined.models["mine"].build is sys.modules["my_catalog"].build
    assert list(joined.recipes) == [*BUILTIN.recipes, "mine"]
    assert "mine" not in BUILTIN.models


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (GOOD.replace("(QAT(),)", "(QAT(),), budget=5"), "recipe mine: expected a budget from 0 to 1, got 5"),
        ("x = 1", "expected lists DATASETS, MODELS, RECIPES, VARIANTS, EXAMINATIONS, TARGETS, got none of them"),
        ("MODELS = 1", "MODELS: expected a list of Model, got 1"),
        ("RECIPES = ['qat']", r"RECIPES: expected a list of Recipe, got \['qat'\]"),
        ("\n1 / 0", "my_catalog.py, line 2: ZeroDivisionError: division by zero"),
        ("MODELS = [", "SyntaxError: '\\[' was never closed"),
        ("import nothing_of_that_name", "line 1: ModuleNotFoundError"),
        (GOOD.replace('name="mine", s', 'name="qat", s'), "expected new names in RECIPES, got qat, which optsuite has"),
        (
            GOOD.replace("build=build", "build=lambda: None"),
            "MODELS mine: .*expected functions and classes at the top",
        ),
        (GOOD + "MODELS *= 2", "'mine' is given twice"),
        (GOOD.replace('"mine", input', '"../mine", input'), "expected a name of letters, digits"),
        (GOOD.replace("train=FIT, ", ""), r"model mine: expected .*, got \(build, finetune\)"),
        (GOOD.replace("build=build, train=FIT, ", ""), r"model mine: expected .*, got \(finetune\)"),
    ],
)
def test_what_can_not_join(text: str, said: str, tmp_path: Path) -> None:
    """One line; nothing of it joins."""
    with pytest.raises(OptsuiteError, match=said) as raised:
        BUILTIN.joined(user_file.read(_write(tmp_path, text)))
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("nowhere.py", "expected a catalogue file, got no such file"),
        (".", "expected a catalogue file, got no such file"),
        (
            "no-module.py",
            "expected a file name that is a Python identifier, such as optsuite_catalog.py, got 'no-module.py'",
        ),
        ("data.json", "expected a file name that is a Python identifier, such as optsuite_catalog.py, got 'data.json'"),
    ],
)
def test_no_catalogue(name: str, message: str, tmp_path: Path) -> None:
    """The message says what was expected."""
    (tmp_path / "no-module.py").touch()
    (tmp_path / "data.json").touch()
    with pytest.raises(OptsuiteError, match=message):
        user_file.read(tmp_path / name)


def test_a_second_file_is_read_with_the_modules_of_now(tmp_path: Path) -> None:
    """In one process, the helper was that of the first, and the workers built with that of the second."""
    for folder, epochs in (("one", 1), ("one", 2), ("other", 3)):
        inside = tmp_path / folder / "nets_of_this_test"
        inside.mkdir(parents=True, exist_ok=True)
        (inside / "fits.py").write_text(
            f"from optsuite.catalog import Schedule\nFIT = Schedule(epochs={epochs}, peak_lr=1e-3)\n" + epochs * "\n"
        )
        text = GOOD.replace("FIT = Schedule(epochs=1, peak_lr=1e-3)", "from nets_of_this_test.fits import FIT")
        model = user_file.read(_write(tmp_path / folder, text)).models["mine"]
        assert model.train == Schedule(epochs=epochs, peak_lr=1e-3)
    assert sys.modules["optsuite.catalog"] is catalog


def test_a_name_that_is_taken(tmp_path: Path) -> None:
    """By a module that is already there."""
    (tmp_path / "json.py").write_text(GOOD)
    with pytest.raises(OptsuiteError, match=r"expected a name that no other module has, got json, which is .*json"):
        user_file.read(tmp_path / "json.py")


def test_a_trained_model_needs_no_training(tmp_path: Path) -> None:
    """And one to be trained no file."""
    fit = Schedule(epochs=1, peak_lr=1e-3)
    Model(name="mine", input_shape=(4,), file=tmp_path / "net.keras", finetune=fit)
    expected = (
        r"expected \(build, train, finetune\) or \(build, fit\) or \(file, finetune\) or \(file, fit\), "
        r"got \(build, file, train, finetune\)"
    )
    with pytest.raises(OptsuiteError, match=expected):
        Model(name="mine", input_shape=(4,), file="net.keras", build=dict, train=fit, finetune=fit)
    with pytest.raises(OptsuiteError, match="model mine: expected fit_steps to be an integer of at least 1, got None"):
        Model(name="mine", input_shape=(4,), build=dict, fit=print)
    assert Model(name="mine", input_shape=(4,), build=dict, fit=print, fit_steps=7).own_fit == OwnFit(
        fit=print, steps=7
    )


def test_tensorflow_at_the_top_of_a_catalogue(tmp_path: Path) -> None:
    """Where it is not installed the message says what to install, or where to import it."""
    with pytest.raises(OptsuiteError, match=r"tensorflow is not installed.*optsuite\[build\].*import it inside"):
        user_file.read(
            _write(tmp_path, "raise ModuleNotFoundError(\"No module named 'tensorflow'\", name='tensorflow')")
        )


EXAMINED = """
from dataclasses import dataclass
from optsuite.catalog import Examination, ExaminationTask, Figure, Findings

@dataclass(frozen=True, kw_only=True)
class Zeros(Examination[Findings]):
    name: str = "zeros"
    figures = (Figure(name="zero_bytes", label="zero bytes", unit="bytes", better="lower", tolerance=0.01),)

    def run(self, task: ExaminationTask) -> Findings:
        return Findings(figures={"zero_bytes": task.content.count(0)})

EXAMINATIONS = [Zeros()]
"""


def test_examinations_join_ours(tmp_path: Path) -> None:
    """With their figures."""
    joined = BUILTIN.joined(user_file.read(_write(tmp_path, EXAMINED)))
    assert list(joined.examinations) == [*BUILTIN.examinations, "zeros"]
    (added,) = set(joined.figures()) - set(BUILTIN.figures())
    assert added.name == "zero_bytes"
    assert joined.names().variants == BUILTIN.names().variants


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('name: str = "zeros"', 'name: str = "size"', "expected new names in EXAMINATIONS, got size"),
        ('name="zero_bytes"', 'name="macs"', "expected a new name of small letters, .* got 'macs'"),
        ('name="zero_bytes"', 'name="latency"', "expected a new name of small letters, .* got 'latency'"),
        ('name="zero_bytes"', 'name="zero bytes"', "examination zeros: expected a new name of .* got 'zero bytes'"),
        ("[Zeros()]", "[Zeros(), Zeros(name='more')]", "examination more: expected a new name .* got 'zero_bytes'"),
        ('better="lower", tol', 'better="lower", setting="size", tol', "expected a new name of .* got 'zero_bytes'"),
        ("[Zeros()]", "[Zeros]", "EXAMINATIONS: expected a list of Examination"),
    ],
)
def test_an_examination_that_can_not_join(old: str, new: str, message: str, tmp_path: Path) -> None:
    """Its name, or that of a figure, would be another's."""
    with pytest.raises(OptsuiteError, match=message):
        BUILTIN.joined(user_file.read(_write(tmp_path, EXAMINED.replace(old, new))))


def test_examinations_of_one_name_can_not_join(tmp_path: Path) -> None:
    """That of a target, too: one would be taken for the other."""
    text = EXAMINED.replace('name: str = "zeros"', 'name: str = "size"').replace(
        "EXAMINATIONS = [Zeros()]",
        "from optsuite.catalog import Target\nTARGETS = [Target(name='mine', examinations=(Zeros(),))]",
    )
    with pytest.raises(OptsuiteError, match="expected examinations of different names, got size twice"):
        BUILTIN.joined(user_file.read(_write(tmp_path, text)))
