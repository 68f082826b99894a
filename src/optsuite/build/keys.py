"""A setting as plain JSON, for the key of a build step."""

from __future__ import annotations

import functools
import inspect
import json
import tokenize
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from typing import Any

from optsuite.errors import OptsuiteError


def canonical(value: Any, code: list[Any] | None = None) -> Any:
    """Return a setting as plain JSON that is equal when, and only when, it determines the same result.

    A dataclass stands for the fields that it compares by. A function stands for its source, its default arguments,
    and what it is bound to or closes over.

    Args:
        value: The setting.
        code: Collects the functions and classes that the setting refers to: their files count besides.

    Raises:
        OptsuiteError: Two settings of this kind could look the same and differ.

    """
    code = [] if code is None else code
    if value is None or isinstance(value, str | int | float):
        return value
    if isinstance(value, Mapping):
        items = [[canonical(name, code), canonical(item, code)] for name, item in value.items()]
        # Of patterns of layer names the first that matches counts: names are kept in their order.
        return items if all(isinstance(name, str) for name in value) else sorted(items, key=json.dumps)
    if isinstance(value, tuple | list):
        return [canonical(item, code) for item in value]
    if isinstance(value, type):
        code.append(value)
        return {"class": f"{value.__module__}.{value.__qualname__}"}
    if is_dataclass(value):
        counted = {part.name: canonical(getattr(value, part.name), code) for part in fields(value) if part.compare}
        return canonical(type(value), code) | counted
    if isinstance(value, functools.partial):
        return {"function": canonical(value.func, code), "given": canonical([value.args, value.keywords], code)}
    if inspect.ismethod(value):
        return {"method": canonical(value.__func__, code), "of": canonical(value.__self__, code)}
    if hasattr(value, "__wrapped__"):  # a decorated function: what the decorator adds, and what it was given
        added = _bound(value, code) if inspect.isfunction(value) else None
        return {"wrapped": canonical(value.__wrapped__, code), "by": added}
    if inspect.isroutine(value):
        return _canonical_function(value, code)
    raise OptsuiteError(
        f"setting {repr(value)[:200]} of type {type(value).__name__} can't be part of a key: expected a number, a "
        "string, a tuple, a mapping, a dataclass, or a function or method of these"
    )


def _canonical_function(function: Any, code: list[Any]) -> dict[str, Any]:
    if not inspect.isfunction(function) or function.__name__ == "<lambda>":
        raise OptsuiteError(
            f"setting {function!r} can't be part of a key: expected a function written with `def`, got "
            f"{'a lambda' if inspect.isfunction(function) else type(function).__name__}"
        )
    try:
        source = inspect.getsource(function)
    except (OSError, SyntaxError, tokenize.TokenError):
        source = ""  # `sources.of` refuses a function that is in no file, and sees that a file was edited
    code.append(function)
    return {"function": f"{function.__module__}.{function.__qualname__}", "source": source, **_bound(function, code)}


def _bound(function: Any, code: list[Any]) -> dict[str, Any]:
    """Return what a function uses besides its source and module: default arguments and closed-over values."""
    closure = inspect.getclosurevars(function).nonlocals
    return {
        "defaults": canonical([function.__defaults__, function.__kwdefaults__], code),
        # A local function that calls itself closes over itself.
        "closure": canonical({name: one for name, one in closure.items() if one is not function}, code),
    }
