"""Entries that are looked up by their names."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Protocol, TypeVar

from optsuite.errors import OptsuiteError


class _Named(Protocol):
    @property
    def name(self) -> str: ...


Entry = TypeVar("Entry", bound=_Named)


def by_name(*entries: Entry) -> dict[str, Entry]:
    """Return the entries by name, in their order.

    Names become file names and test ids, so OptsuiteError is raised for a name with other characters, or given twice.
    """
    result: dict[str, Entry] = {}
    for entry in entries:
        if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]*", entry.name):
            raise OptsuiteError(f"expected a name of letters, digits, '.', '_' and '-', got {entry.name!r}")
        if entry.name in result:
            raise OptsuiteError(f"name {entry.name!r} is given twice")
        result[entry.name] = entry
    return result


Found = TypeVar("Found")


def pick(entries: Mapping[str, Found], names: Iterable[str], noun: str) -> list[Found]:
    """Return the entries of these names, in the order of `entries`; OptsuiteError for an unknown name."""
    needed = list(names)
    for name in needed:
        if name not in entries:
            raise OptsuiteError(f"unknown {noun} {name!r}; expected one of {', '.join(entries)}")
    return [entry for name, entry in entries.items() if name in needed]


def function_name(function: Callable[..., Any]) -> str:
    """Return the name of a user's function, for messages; a partial, or an object that is called, has none."""
    return getattr(function, "__qualname__", None) or repr(function)
