"""A key follows all code of the user's that a builder uses, and none of anybody else's."""

from __future__ import annotations

import functools
import importlib
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from optsuite import sources
from optsuite.build import canonical
from optsuite.models import build_dscnn
from optsuite.spec import OptsuiteError

MODULE = """
import numpy as np
import helpers
WIDTH = 8
def block(x):
    return x * WIDTH
def build():
    def inner(x):
        return block(np.zeros(x)) + helpers.more(x) + Layer().call()
    return inner(3)
def unused():
    return 1
class Layer:
    def call(self):
        return other()
def other():
    return 5
def closed(number):
    def build():
        return number
    return build
"""


@pytest.fixture
def write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """Write the module, with a change, and import it anew."""
    monkeypatch.syspath_prepend(tmp_path)

    def write(old: str = "", new: str = "", helpers: str = "def more(x): return x") -> Any:
        for name, text in (("helpers", helpers), ("mine", MODULE.replace(old, new) if old else MODULE)):
            (tmp_path / f"{name}.py").write_text(text)
            sys.modules.pop(name, None)
        importlib.invalidate_caches()
        import linecache

        linecache.clearcache()
        sys.dont_write_bytecode = True
        return importlib.import_module("mine")

    before = sys.dont_write_bytecode
    yield write
    sys.dont_write_bytecode = before
    for name in ("mine", "helpers"):
        sys.modules.pop(name, None)


@pytest.mark.parametrize(
    ("old", "new", "other"),
    [
        ("x * WIDTH", "x + WIDTH", True),
        ("WIDTH = 8", "WIDTH = 9", True),
        ("return 5", "return 6", True),
        ("inner(3)", "inner(4)", True),
        ("return 1", "return 2", False),
    ],
)
def test_what_is_used_counts(write: Any, old: str, new: str, other: bool) -> None:
    """Through nested functions and classes; what is not used does not."""
    first = sources.of(write().build)
    assert (sources.of(write(old, new).build) != first) == other
    assert sources.of(write().build) == first


def test_modules_beside_count_whole(write: Any) -> None:
    """They are the user's too."""
    first = sources.of(write().build)
    assert sources.of(write(helpers="def more(x): return 2 * x").build) != first


def test_what_is_closed_over_or_given_counts(write: Any) -> None:
    """The number that makes one builder another."""
    mine = write()
    assert sources.of(mine.closed(1)) != sources.of(mine.closed(2))
    assert canonical(functools.partial(mine.block, x=1)) != canonical(functools.partial(mine.block, x=2))
    assert canonical(functools.partial(mine.block, x=1)) == canonical(functools.partial(mine.block, x=1))


def test_our_own_count_by_themselves() -> None:
    """No package's code is in them."""
    assert sources.of(build_dscnn).count("def ") == 2


def test_what_has_no_source() -> None:
    """As typed at a prompt."""
    names: dict[str, Any] = {"__name__": "typed"}
    exec("def build(): return 1", names)
    with pytest.raises(OptsuiteError, match=r"typed\.build has no source .* accepted are functions of a file"):
        sources.of(names["build"])
