"""Settings that differ from layer to layer, by patterns of the names of layers."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from fnmatch import fnmatchcase
from typing import TypeVar

from optsuite.errors import OptsuiteError

Setting = TypeVar("Setting")


def by_layer(
    given: Setting | Mapping[str, Setting], names: Collection[str], skip: Iterable[str] = ()
) -> dict[str, Setting]:
    """Return the setting of each layer, in the order of `names`; layers without one are left out.

    Args:
        given: One setting for all layers, or pattern of names -> setting, the first pattern that matches counting.
            In a pattern "*" stands for any characters.
        names: The names of the layers that can have the setting.
        skip: Patterns of names of layers that have none.

    Raises:
        OptsuiteError: A pattern matches no layer; the message lists the layers.

    """
    skipped = matching(skip, names)
    if not isinstance(given, Mapping):
        return {name: given for name in names if name not in skipped}
    found: dict[str, Setting] = {}
    for pattern, setting in reversed(list(given.items())):  # an earlier one replaces what later ones said
        found |= dict.fromkeys(matching((pattern,), names), setting)
    return {name: found[name] for name in names if name in found and name not in skipped}


def matching(patterns: Iterable[str], names: Collection[str]) -> set[str]:
    """Return the names of layers that a pattern matches; OptsuiteError for a pattern that matches none."""
    found: set[str] = set()
    for pattern in patterns:
        matched = {name for name in names if fnmatchcase(name, pattern)}
        if not matched:
            raise OptsuiteError(f"pattern {pattern!r} matches no layer; expected one of {', '.join(names)}")
        found |= matched
    return found
