"""The user's own files that a function depends on: its module's, and all that those import."""

from __future__ import annotations

import ast
import hashlib
import importlib.util
import inspect
import sysconfig
from collections.abc import Iterator
from importlib.machinery import ModuleSpec
from pathlib import Path
from typing import Any

from optsuite.spec import OptsuiteError

_OTHERS = (Path(sysconfig.get_path("stdlib")).resolve(), Path(__file__).parent.resolve())
_INSTALLED = {"site-packages", "dist-packages"}
"""What comes from there counts by the versions of packages, or is not the user's to change."""


def of(value: Any) -> dict[str, str]:
    """Module -> SHA-256 of its file, for the user's module that a function or class is in, and those that it imports.

    An import counts wherever it stands. For what is optsuite's own or another package's, nothing. Raises OptsuiteError
    for what is in no file.
    """
    module = inspect.getmodule(inspect.unwrap(value))
    spec = getattr(module, "__spec__", None)
    if spec is None or not spec.origin:
        raise OptsuiteError(f"{value!r} is in no file; accepted are functions of a file that can be imported")
    found: dict[str, str] = {}
    _follow(spec, found)
    return found


def _follow(spec: ModuleSpec, found: dict[str, str]) -> None:
    if spec.name in found or not spec.origin or not _is_the_users(Path(spec.origin)):
        return
    content = Path(spec.origin).read_bytes()
    found[spec.name] = hashlib.sha256(content).hexdigest()
    for name in _imported(ast.parse(content), spec.parent or ""):
        parts = name.split(".")
        for count in range(len(parts)):
            try:
                inner = importlib.util.find_spec(".".join(parts[: count + 1]))
            except (ImportError, ValueError, AttributeError):  # no module: a name in one, or what is not installed
                break
            # To look for what is inside of a package imports it: TensorFlow, say.
            if inner is None or (inner.origin and not _is_the_users(Path(inner.origin))):
                break
            _follow(inner, found)


def _imported(tree: ast.AST, package: str) -> Iterator[str]:
    """All names that may be those of modules, in import statements anywhere in a file of that package."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            outer = package.split(".")[: len(package.split(".")) - node.level + 1] if node.level else []
            base = ".".join(filter(None, [*outer, node.module]))
            names = [base, *(f"{base}.{alias.name}" for alias in node.names)]
        else:
            continue
        yield from names


def _is_the_users(path: Path) -> bool:
    found = path.resolve()
    installed = _INSTALLED & {*found.parts, *path.parts}
    return path.suffix == ".py" and not installed and not any(found.is_relative_to(folder) for folder in _OTHERS)
