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
    patterns = given if isinstance(given, Mapping) else {"*": given}
    skipped = matching(skip, names)
    matching(patterns if isinstance(given, Mapping) else (), names)
    found = {name: [pattern for pattern in patterns if fnmatchcase(name, pattern)] for name in names}
    return {name: patterns[first[0]] for name, first in found.items() if first and name not in skipped}


def matching(patterns: Iterable[str], names: Collection[str]) -> set[str]:
    """Return the names of layers that a pattern matches; OptsuiteError for a pattern that matches none."""
    found: set[str] = set()
    for pattern in patterns:
        matched = {name for name in names if fnmatchcase(name, pattern)}
        if not matched:
            raise OptsuiteError(f"pattern {pattern!r} matches no layer; expected one of {', '.join(names)}")
        found |= matched
    return found
