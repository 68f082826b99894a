"""A setting as plain JSON, for the key of a build step."""

from __future__ import annotations

import enum
import functools
import inspect
import json
import tokenize
from collections.abc import Iterable, Mapping
from dataclasses import fields, is_dataclass
from types import FunctionType, MappingProxyType, NoneType
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
    if type(value) in (NoneType, bool, int, float, str):
        return value
    if isinstance(value, type):
        return {"class": _class(value, code)}
    if isinstance(value, enum.Enum):
        return {"class": _class(type(value), code), "member": value.name}
    if is_dataclass(value):
        _check_attributes(value, [part.name for part in fields(value)])
        counted = {part.name: canonical(getattr(value, part.name), code) for part in fields(value) if part.compare}
        return {"class": _class(type(value), code), "fields": counted}
    if isinstance(value, Mapping | tuple | list | str | int | float):
        return _canonical_value(value, code)
    if isinstance(value, functools.partial):
        return {"function": canonical(value.func, code), "given": canonical([value.args, value.keywords], code)}
    if inspect.ismethod(value):
        return {"method": canonical(value.__func__, code), "of": canonical(value.__self__, code)}
    if isinstance(value, functools._lru_cache_wrapper):
        return {"cached": canonical(value.__wrapped__, code)}
    if inspect.isroutine(value):
        return _canonical_function(value, code)
    raise OptsuiteError(
        f"setting {repr(value)[:200]} of type {type(value).__name__} can't be part of a key: expected a number, a "
        "string, a tuple, a mapping, a dataclass, or a function or method of these"
    )


def _class(found: type, code: list[Any]) -> str:
    code.append(found)
    return f"{found.__module__}.{found.__qualname__}"


def _check_attributes(value: Any, counted: Iterable[str]) -> None:
    """Refuse an object with attributes that are not counted, as a class without @dataclass sets them in __init__."""
    hidden = [
        name
        for name in getattr(value, "__dict__", {}).keys() - set(counted)
        if not name.startswith("__")  # such as typing's __orig_class__
        and not isinstance(inspect.getattr_static(type(value), name, None), functools.cached_property)
    ]
    if hidden:
        raise OptsuiteError(
            f"setting {repr(value)[:200]} can't be part of a key: expected a {type(value).__name__} that its fields "
            f"alone determine, got also the attributes {', '.join(sorted(hidden))}; declare them as fields, and the "
            "class as a frozen dataclass"
        )


def _canonical_value(value: Any, code: list[Any]) -> Any:
    plain: Any
    if isinstance(value, Mapping):
        items = [[canonical(name, code), canonical(item, code)] for name, item in value.items()]
        # Of patterns of layer names the first that matches counts: names are kept in their order.
        plain = {"items": items if all(isinstance(name, str) for name in value) else sorted(items, key=json.dumps)}
    elif isinstance(value, tuple | list):
        plain = [canonical(item, code) for item in value]
    else:
        plain = next(kind(value) for kind in (str, int, float) if isinstance(value, kind))
    if type(value) in (dict, MappingProxyType, tuple, list):
        return plain
    _check_attributes(value, ())  # a named tuple may be called, and its methods are code
    return {"class": _class(type(value), code), "value": plain}


def _canonical_function(function: Any, code: list[Any]) -> dict[str, Any]:
    if type(function) is not FunctionType or function.__name__ == "<lambda>":
        raise OptsuiteError(
            f"setting {function!r} can't be part of a key: expected a function written with `def`, got "
            f"{'a lambda' if inspect.isfunction(function) else type(function).__name__}"
        )
    try:
        source = inspect.getsource(function.__code__)  # of the function itself, would be that of what it wraps
    except (OSError, SyntaxError, tokenize.TokenError):
        source = ""  # `sources.of` refuses a function that is in no file, and sees that a file was edited
    code.append(function)
    closure = inspect.getclosurevars(function).nonlocals
    bound = {
        "defaults": canonical([function.__defaults__, function.__kwdefaults__], code),
        # A local function that calls itself closes over itself.
        "closure": canonical({name: one for name, one in closure.items() if one is not function}, code),
        "wrapped": canonical(getattr(function, "__wrapped__", None), code),
    }
    return {"function": f"{function.__module__}.{function.__qualname__}", "source": source, **bound}
