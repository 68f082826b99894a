"""The source of a function of the user's, with that of all that it uses and that is the user's, too."""

from __future__ import annotations

import inspect
import sysconfig
from collections.abc import Iterator
from pathlib import Path
from types import CodeType, ModuleType
from typing import Any

from optsuite.spec import OptsuiteError

_OTHERS = tuple(
    Path(path).resolve()
    for path in {sysconfig.get_path(name) for name in ("stdlib", "purelib", "platlib")} | {str(Path(__file__).parent)}
)
"""What comes from there counts by the versions of packages, or is not the user's to change."""


def of(function: Any) -> str:
    """The source; after it, by name, that of its module's functions, classes and constants that it uses, and so on.

    Raises OptsuiteError where there is no source: for what was typed at a prompt.
    """
    found: dict[str, str] = {}
    _follow(function, found)
    first, *others = found.values()
    return "\n".join([first, *sorted(others)])


def _follow(value: Any, found: dict[str, str]) -> None:
    value = inspect.unwrap(value)
    name = f"{value.__module__}.{value.__qualname__}"
    if name in found:
        return
    try:
        found[name] = inspect.getsource(value)
    except (OSError, TypeError) as error:
        raise OptsuiteError(f"{name} has no source that could be read; accepted are functions of a file") from error
    if inspect.isclass(value):
        for method in vars(value).values():
            if inspect.isfunction(method):
                _follow_names(method, found)
    else:
        _follow_names(value, found)


def _follow_names(function: Any, found: dict[str, str]) -> None:
    known = inspect.getmodule(function)
    names = vars(known) if known else {}
    closed = dict(
        zip(function.__code__.co_freevars, (cell.cell_contents for cell in function.__closure__ or ()), strict=True)
    )
    for name in dict.fromkeys(_names(function.__code__)):
        if name not in names and name not in closed:
            continue
        used = closed.get(name, names.get(name))
        if inspect.isfunction(used) or inspect.isclass(used):
            if _is_the_users(used):
                _follow(used, found)
        elif isinstance(used, ModuleType):
            if _is_the_users(used):
                found[used.__name__] = Path(inspect.getfile(used)).read_text("utf-8")
        elif isinstance(used, str | int | float | tuple | list | dict | None):
            found[f"{function.__module__}.{name}"] = f"{name} = {used!r}"


def _names(code: CodeType) -> Iterator[str]:
    """All names that a function's code, and that of the functions in it, may look up outside."""
    yield from code.co_names
    yield from code.co_freevars
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _names(constant)


def _is_the_users(value: Any) -> bool:
    try:
        file = Path(inspect.getfile(value)).resolve()
    except TypeError:  # built in
        return False
    return not any(file.is_relative_to(folder) for folder in _OTHERS)
