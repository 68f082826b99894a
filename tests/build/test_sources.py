"""A key follows all code of the user's that a builder may use, and none of anybody else's."""

from __future__ import annotations

import importlib
import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Any

import filelock
import pytest

from optsuite.build import sources
from optsuite.build.model_step import ModelStep
from optsuite.catalog.datasets import load_mnist
from optsuite.catalog.models import build_dscnn
from optsuite.errors import OptsuiteError
from optsuite.stages.prune import Prune

FILES = {
    "mine.py": "import theirs\nfrom beside import block\ndef build():\n    import inside\n    return block(3)\n",
    "beside.py": "import far.near\nfrom far import other\ndef block(x): return far.near.one(x)\n",
    "inside.py": "x = 1\n",
    "far/__init__.py": "from .near import one\n",
    "far/near.py": "from . import other\ndef one(x): return x\n",
    "far/other.py": "y = 2\n",
    "unused.py": "z = 3\n",
    "site-packages/theirs.py": "a = 4\n",
}


@pytest.fixture
def build(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], Any]]:
    """Write the files, one of them changed, and import the builder anew."""
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.syspath_prepend(tmp_path / "site-packages")  # of whatever environment
    monkeypatch.setattr(sys, "dont_write_bytecode", True)

    def forget() -> None:
        for name in ("mine", "beside", "inside", "far", "far.near", "far.other", "theirs"):
            sys.modules.pop(name, None)
        importlib.invalidate_caches()

    def build(changed: str = "") -> Any:
        for name, text in FILES.items():
            (tmp_path / name).parent.mkdir(exist_ok=True)
            (tmp_path / name).write_text(text + ("# changed\n" if name == changed else ""))
        forget()
        return importlib.import_module("mine").build

    yield build
    forget()


@pytest.mark.parametrize("name", FILES)
def test_every_file_that_is_imported_counts(build: Callable[[str], Any], name: str) -> None:
    """Inside of functions, from packages, relative, and from what is imported; no other does."""
    first = sources.of(build(""))
    assert first.keys() == {"mine", "beside", "inside", "far", "far.near", "far.other"}
    changed = sources.of(build(name))
    assert {module for module in first if first[module] != changed[module]} == (
        set()
        if name in ("unused.py", "site-packages/theirs.py")
        else {name.removesuffix(".py").replace("/__init__", "").replace("/", ".")}
    )


def test_nobody_elses_package_is_imported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """To look for `theirs.inside.thing` imports `theirs.inside`, which may be TensorFlow."""
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.syspath_prepend(tmp_path / "site-packages")
    (tmp_path / "mine.py").write_text("def build():\n    from theirs.inside import thing\n")
    (tmp_path / "site-packages" / "theirs").mkdir(parents=True)
    for name in ("__init__", "inside"):
        (tmp_path / "site-packages" / "theirs" / f"{name}.py").write_text("raise AssertionError")
    importlib.invalidate_caches()
    sys.modules.pop("mine", None)
    assert sources.of(importlib.import_module("mine").build).keys() == {"mine"}
    sys.modules.pop("mine")


def test_imports_for_type_checkers_alone_do_not_count(build: Callable[[str], Any], tmp_path: Path) -> None:
    """They are never executed."""
    found = build("")
    (tmp_path / "mine.py").write_text("from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import unused\n")
    assert sources.of(found).keys() == {"mine"}


@pytest.mark.parametrize(
    ("text", "used"),
    [
        ("from optsuite.catalog import Prune", {"optsuite.stages.prune", "optsuite.stages.fit"}),
        ("def build():\n    from optsuite.catalog import from_npz", {"optsuite.catalog.loaders.npz"}),
        ("from optsuite.catalog import *", {"optsuite.stages.prune", "optsuite.stages.quantize"}),
        ("import optsuite.catalog", {"optsuite.stages.prune", "optsuite.stages.quantize"}),
        ("from optsuite import catalog", {"optsuite.stages.prune", "optsuite.stages.quantize"}),
        ("from optsuite.catalog.models import build_dscnn", {"optsuite.catalog.models"}),
        ("from optsuite.results import read", {"optsuite.results.reader"}),
    ],
)
def test_what_the_user_imports_of_optsuite_counts(
    build: Callable[[str], Any], tmp_path: Path, text: str, used: set[str]
) -> None:
    """Under its public name, too: a stage of the user's may run one of ours, and a model go on from one of ours."""
    found = build("")
    (tmp_path / "mine.py").write_text(f"{text}\n")
    modules = sources.of(found).keys()
    assert used <= modules
    assert ("optsuite.stages.quantize" in modules) == ("optsuite.stages.quantize" in used)


def test_a_module_that_is_not_loaded_stays_so(build: Callable[[str], Any]) -> None:
    """Looking for what a function imports runs none of it."""
    sources.of(build(""))
    assert "inside" not in sys.modules


def test_a_built_in_model_counts_by_its_own_source() -> None:
    """Another model in the same module changes no key; a loader, and all that it uses, counts by its files."""
    assert sources.of(build_dscnn) == {}
    assert {"optsuite.catalog.datasets", "optsuite.spec.data", "optsuite.spec.metric"} <= sources.of(load_mnist).keys()


def test_a_class_counts_with_its_bases() -> None:
    """A stage of the user's goes on from one of ours."""
    assert {"optsuite.stages.prune", "optsuite.stages.fit", "optsuite.spec.stage"} <= sources.of(Prune).keys()


def test_a_function_of_another_package_counts_by_its_version() -> None:
    """Its files are not the user's to edit."""
    assert sources.of(filelock.FileLock) == {"filelock": version("filelock")}


def test_what_is_in_no_file() -> None:
    """As typed at a prompt."""
    names: dict[str, Any] = {"__name__": "typed"}
    exec("def build(): return 1", names)
    with pytest.raises(OptsuiteError, match="expected functions of a file that can be imported"):
        sources.of(names["build"])


_PRINTED = """
import json
from optsuite.build import sources
from optsuite.build.model_step import ModelStep
from optsuite.stages.prune import Prune
print(json.dumps(sources.of(ModelStep, Prune)))
"""


@pytest.mark.slow
def test_an_installed_wheel_counts_as_its_checkout_does(commands: Path, tmp_path: Path) -> None:
    """Its modules count, not its version, which another commit may have too; and both can use one store."""
    done = subprocess.run(
        [commands / "python", "-c", _PRINTED], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert json.loads(done.stdout) == sources.of(ModelStep, Prune)
