"""The source files that a function or class depends on: its module's, and those of all modules that this imports."""

from __future__ import annotations

import ast
import functools
import hashlib
import importlib.util
import inspect
import sys
from collections.abc import Iterable, Iterator
from importlib.machinery import ModuleSpec, PathFinder
from importlib.metadata import packages_distributions, version
from pathlib import Path
from types import ModuleType
from typing import Any

from optsuite.errors import OptsuiteError
from optsuite.files import is_python_of_user

_PACKAGE = Path(__file__).parents[1].resolve()
_LISTS = {"optsuite", "optsuite.catalog", "optsuite.results"}
"""Packages that list names of other modules, or nothing: who imports a name depends on the module that it is from."""
_MODELS = "optsuite.catalog.models"
"""A function in it counts by its own source alone, so that a new model rebuilds nothing."""


def of(*values: Any) -> dict[str, str]:
    """Return what the functions and classes depend on besides their settings.

    Args:
        values: Functions and classes. A class counts with its base classes.

    Returns:
        For each module of optsuite or of the user that they are in, or that these import anywhere, the SHA-256 of its
        file as hex. For a function of another installed package, the package and its version.

    Raises:
        OptsuiteError: A function or class is in no file.

    """
    found: dict[str, str] = {}
    for value in values:
        for spec in _specs(value):
            if spec is None or not spec.origin:
                raise OptsuiteError(f"expected functions of a file that can be imported, got {value!r}")
            if spec.name == _MODELS:
                continue
            if _is_followed(Path(spec.origin)):
                for loaded in _modules(spec.name, tuple(sys.path)):  # its packages, too
                    _follow(loaded, found)
            else:
                found |= _distribution(spec.name.partition(".")[0])
    return found


_loaded_from: dict[str, tuple[ModuleType | None, str]] = {}
"""By the last call of `outdated`: the module of that name, None where it was not loaded, and the hash of its file."""


def outdated(files: Iterable[tuple[str, str]]) -> set[str]:
    """Return the modules that this process may have loaded from other files than those of now.

    A worker of a cluster outlives a run. After an edit it goes on with the code that it imported before.

    Args:
        files: Names of modules, with the SHA-256 of their files of now.

    """
    found = set()
    for name, now in files:
        module = sys.modules.get(name)
        known, then = _loaded_from.get(name, (module, now))
        if module is None:
            loaded = now  # what is loaded later is the file of then: the next call compares
        elif module is known:
            loaded = then
        elif known is None and then != now:
            loaded = ""  # loaded and edited since the last call: nobody knows which came first
        else:
            loaded = now
        _loaded_from[name] = module, loaded
        if loaded != now:
            found.add(name)
    return found


def _specs(value: Any) -> list[ModuleSpec | None]:
    """The modules that a function, or a class with its base classes, was defined in."""
    if inspect.isclass(value):
        modules = [inspect.getmodule(one) for one in inspect.getmro(value)]
    else:
        function = value if inspect.isfunction(value) else inspect.unwrap(value)
        # Its `__module__` may be that of a function which it wraps.
        modules = [sys.modules.get(function.__globals__.get("__name__", ""))]
    return [getattr(module, "__spec__", None) for module in modules]


def _follow(spec: ModuleSpec, found: dict[str, str]) -> None:
    if spec.name in found or spec.name in _LISTS or not spec.origin:
        return
    path = Path(spec.origin)
    try:
        now = path.stat()
        found[spec.name], names = _read(path, spec.parent or "", now.st_mtime_ns, now.st_size)
    except OSError as error:
        raise OptsuiteError(f"{path} can't be read: {error.strerror}; expected the file that was imported") from error
    for name in names:
        for origin in (name, *_listed(name)):
            for inner in _modules(origin, tuple(sys.path)):
                _follow(inner, found)


@functools.cache
def _listed(name: str) -> tuple[str, ...]:
    """What a name in a package of lists stands for, such as `optsuite.catalog.Prune`; for the package, all of them."""
    package, _, part = (name, "", "*") if name in _LISTS else name.rpartition(".")
    if package not in _LISTS:
        return ()
    tree = ast.parse((_PACKAGE.parent / package.replace(".", "/") / "__init__.py").read_bytes())
    return tuple(one for one in _imported(tree, package) if part in ("*", one.rpartition(".")[2]))


@functools.cache
def _read(path: Path, package: str, changed_ns: int, size: int) -> tuple[str, tuple[str, ...]]:
    """The SHA-256 of a file, and the names that it imports; read again when its time or size is another."""
    content = path.read_bytes()
    digest = hashlib.sha256(content).hexdigest()
    try:
        return digest, tuple(dict.fromkeys(_imported(ast.parse(content), package)))
    except (SyntaxError, ValueError):  # somebody is editing it; the hash is another already
        return digest, ()


@functools.cache
def _modules(name: str, path: tuple[str, ...]) -> tuple[ModuleSpec, ...]:
    """The modules, of optsuite or the user, that importing this name loads while sys.path is `path`.

    None of them is imported for it.
    """
    found: list[ModuleSpec] = []
    outer: ModuleSpec | None = None
    for part in name.split("."):
        full = f"{outer.name}.{part}" if outer else part
        try:
            if full in sys.modules:
                spec = sys.modules[full].__spec__
            elif outer:
                spec = PathFinder.find_spec(full, outer.submodule_search_locations)
            else:
                spec = importlib.util.find_spec(full)
        except (ImportError, ValueError, AttributeError):
            break
        if spec is None or (spec.origin and not _is_followed(Path(spec.origin))):
            break
        found.append(spec)
        if spec.submodule_search_locations is None:  # what follows is a name in this module
            break
        outer = spec
    return tuple(found)


def _imported(tree: ast.AST, package: str) -> Iterator[str]:
    """All names that may be those of modules, in import statements anywhere in a file of that package.

    Imports for type checkers alone are left out: they are not executed.
    """
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.If) and ast.unparse(node.test) in ("TYPE_CHECKING", "typing.TYPE_CHECKING"):
            continue
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            outer = package.split(".")[: len(package.split(".")) - node.level + 1] if node.level else []
            base = ".".join(filter(None, [*outer, node.module]))
            yield from (f"{base}.{alias.name}" for alias in node.names)
        else:
            yield from _imported(node, package)


@functools.cache
def _is_followed(path: Path) -> bool:
    """Whether it is a Python file of optsuite or of the user, not of Python or another installed package."""
    return (path.suffix == ".py" and path.resolve().is_relative_to(_PACKAGE)) or is_python_of_user(path)


@functools.cache
def _distribution(package: str) -> dict[str, str]:
    """The distributions of an installed package, with their versions; nothing for Python's own modules."""
    if package in sys.stdlib_module_names:
        return {}
    return {name: version(name) for name in packages_distributions().get(package, ())}
