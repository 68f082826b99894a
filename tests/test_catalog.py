"""A catalogue file of the user's own: read, joined to ours, refused with where and why."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from optsuite import catalog
from optsuite.models import MODELS
from optsuite.recipes import RECIPES
from optsuite.spec import Model, OptsuiteError, Schedule

GOOD = """
from optsuite.catalog import QAT, Model, Recipe, Schedule
def build(): ...
FIT = Schedule(epochs=1, peak_lr=1e-3)
MODELS = [Model(name="mine", kind="4", build=build, train=FIT, finetune=FIT)]
RECIPES = [Recipe(name="mine", stages=(QAT(),))]
"""


@pytest.fixture(autouse=True)
def _alone(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Catalogues, modules and the path of modules are as before, after."""
    for ours, _ in catalog._OURS.values():
        for name in list(ours):
            monkeypatch.setitem(ours, name, ours[name])
    before, path = {name: dict(ours) for name, (ours, _) in catalog._OURS.items()}, list(sys.path)
    yield
    for name, (ours, _) in catalog._OURS.items():
        ours.clear()
        ours.update(before[name])
    sys.path[:] = path
    sys.modules.pop("my_catalog", None)


def _write(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "my_catalog.py"
    path.write_text(text)
    return path


def test_entries_join_ours(tmp_path: Path) -> None:
    """What was declared, and by what name it is importable elsewhere."""
    assert catalog.join(_write(tmp_path, GOOD)) == {"MODELS": ("mine",), "RECIPES": ("mine",)}
    assert MODELS["mine"].build is sys.modules["my_catalog"].build
    assert list(RECIPES)[-1] == "mine"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (GOOD.replace("(QAT(),)", "(QAT(),), budget=5"), "recipe mine: budget 5; accepted is 0 to 1"),
        ("x = 1", "declares no entries; accepted are lists DATASETS, MODELS, RECIPES, VARIANTS"),
        ("MODELS = 1", "MODELS is 1; accepted is a list of Model"),
        ("RECIPES = ['qat']", r"RECIPES is \['qat'\]; accepted is a list of Recipe"),
        ("\n1 / 0", "my_catalog.py, line 2: ZeroDivisionError: division by zero"),
        ("MODELS = [", "SyntaxError: '\\[' was never closed"),
        ("import nothing_of_that_name", "line 1: ModuleNotFoundError"),
        (GOOD.replace('name="mine", s', 'name="qat", s'), "RECIPES has qat, which optsuite has; accepted: new names"),
        (
            GOOD.replace("build=build", "build=lambda: None"),
            "MODELS mine: .*accepted are functions and classes at the top",
        ),
        (GOOD + "MODELS *= 2", "'mine' is given twice"),
        (GOOD.replace('"mine", kind', '"../mine", kind'), "accepted are letters, digits"),
        (GOOD.replace("train=FIT, ", ""), "model mine: build given; accepted are build and train, or a trained"),
        (GOOD.replace("build=build, train=FIT, ", ""), "model mine: neither given"),
    ],
)
def test_what_can_not_join(text: str, said: str, tmp_path: Path) -> None:
    """One line; nothing of it joins."""
    before = {name: list(ours) for name, (ours, _) in catalog._OURS.items()}
    with pytest.raises(OptsuiteError, match=said) as raised:
        catalog.join(_write(tmp_path, text))
    assert "\n" not in str(raised.value)
    assert {name: list(ours) for name, (ours, _) in catalog._OURS.items()} == before


@pytest.mark.parametrize("name", ["nowhere.py", "no-module.py", "data.json", "."])
def test_no_catalogue(name: str, tmp_path: Path) -> None:
    """With what is accepted."""
    (tmp_path / "no-module.py").touch()
    (tmp_path / "data.json").touch()
    with pytest.raises(OptsuiteError, match="no such catalogue; accepted is a Python file"):
        catalog.join(tmp_path / name)


def test_a_name_that_is_taken(tmp_path: Path) -> None:
    """By a module that is already there."""
    (tmp_path / "json.py").write_text(GOOD)
    with pytest.raises(OptsuiteError, match=r"json is the name of .*accepted is one that is not taken"):
        catalog.join(tmp_path / "json.py")


def test_a_trained_model_needs_no_training(tmp_path: Path) -> None:
    """And one to be trained no file."""
    fit = Schedule(epochs=1, peak_lr=1e-3)
    Model(name="mine", kind="4", file=tmp_path / "net.keras", finetune=fit)
    with pytest.raises(OptsuiteError, match="build and train and file given"):
        Model(name="mine", kind="4", file="net.keras", build=dict, train=fit, finetune=fit)
