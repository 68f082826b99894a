"""Checks of settings where they are written, before anything is built with them."""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping
from fnmatch import fnmatchcase
from typing import TypeVar

from optsuite.errors import OptsuiteError

Setting = TypeVar("Setting")


def check_setting(
    owner: str, name: str, given: Setting | Mapping[str, Setting], expected: str, valid: Callable[[Setting], bool]
) -> None:
    """Check a setting where it is written.

    Args:
        owner: The name of the class that has the setting, such as "Prune".
        name: The name of the setting.
        given: One setting for all layers, or pattern of names -> setting.
        expected: The valid values, in words.
        valid: Whether one setting is valid.

    Raises:
        OptsuiteError: A setting is not valid, or an earlier pattern matches all that a later one matches.

    """
    patterns = list(given) if isinstance(given, Mapping) else []
    for place, pattern in enumerate(patterns):
        if hiding := next((earlier for earlier in patterns[:place] if fnmatchcase(pattern, earlier)), None):
            raise OptsuiteError(
                f"{owner}: expected {name} to have {pattern!r} before {hiding!r}, which matches the same layers: the "
                "first pattern that matches counts"
            )
    for value in given.values() if isinstance(given, Mapping) else [given]:
        try:
            is_valid = valid(value)
        except TypeError:  # no number, say
            is_valid = False
        if not is_valid:
            raise OptsuiteError(f"{owner}: expected {name} to be {expected}, got {value!r}")


def is_integer(value: object, least: int) -> bool:
    """Return whether a value is an integer of at least `least`; True and False are none."""
    return not isinstance(value, bool) and operator.index(value) >= least  # type: ignore[arg-type]
