"""A key follows all code of the user's that a builder may use, and none of anybody else's."""

from __future__ import annotations

import functools
import importlib
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from optsuite import sources
from optsuite.build import canonical
from optsuite.models import build_dscnn
from optsuite.spec import OptsuiteError

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


def test_keys_follow(build: Callable[[str], Any]) -> None:
    """Of a builder, and of what is given to a partial one; equal where nothing changed."""
    assert canonical(build("")) == canonical(build(""))
    assert canonical(build("")) != canonical(build("far/near.py"))
    assert canonical(functools.partial(build(""), 1)) != canonical(functools.partial(build(""), 2))


def test_our_own_count_by_themselves() -> None:
    """No file is in their key: ours are under `tools`."""
    assert sources.of(build_dscnn) == {}
    assert canonical(build_dscnn).keys() == {"source"}


def test_what_is_in_no_file() -> None:
    """As typed at a prompt."""
    names: dict[str, Any] = {"__name__": "typed"}
    exec("def build(): return 1", names)
    with pytest.raises(OptsuiteError, match=r"build .*is in no file; accepted are functions of a file"):
        sources.of(names["build"])
