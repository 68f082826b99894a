"""Types of numbers with their units and bounds; sizes and times as people write them."""

from __future__ import annotations

import math
import re
from typing import Annotated

from msgspec import Meta

from optsuite.errors import OptsuiteError

Fraction = Annotated[float, Meta(ge=0, le=1)]
"""A number from 0 to 1, such as an accuracy or a share; checked where it is read from a file."""
_LONGEST_S = 1e9
MOST = 2**53
"""Larger integers are not exact as float."""
Seconds = Annotated[float, Meta(ge=0, le=_LONGEST_S)]
Duration = Annotated[float, Meta(gt=0, le=_LONGEST_S)]
"""Seconds that something took, and that others are divided by."""
Count = Annotated[int, Meta(ge=0, le=MOST)]
Positive = Annotated[int, Meta(ge=1, le=MOST)]
Number = Annotated[int, Meta(ge=-MOST, le=MOST)] | float
"""A figure of any unit."""
_BYTES = {"B": 1, "KB": 1024, "MB": 1024**2}
_COUNTS = {"k": 1e3, "M": 1e6, "G": 1e9}
_SECONDS = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "ms": 1e-3, "s": 1.0}


def parse_bytes(text: str) -> int:
    """Bytes, of "40KB" or "9928"; a KB is 1,024 bytes. OptsuiteError for what is no size over 0."""
    return math.floor(_parsed(text, {"": 1, **_BYTES}))


def parse_seconds(text: str) -> float:
    """Seconds, of "30us" or "0.5 ms"; OptsuiteError for what is no time over 0."""
    return _parsed(text, _SECONDS)


def parse_count(text: str) -> float:
    """A number of things over 0, of "200k", "1.5M" or "427004"; OptsuiteError for any other."""
    return _parsed(text, {"": 1, **_COUNTS})


def parse_fraction(text: str) -> float:
    """A number from 0 to 1; OptsuiteError for any other."""
    if not re.fullmatch(r"0|1|[01]?\.\d{1,15}", text.strip()) or float(text) > 1:
        raise OptsuiteError(f"expected a fraction from 0 to 1, such as 0.98, got {text!r}")
    return float(text)


def parse_number(text: str) -> float:
    """A number that is not negative; OptsuiteError for any other."""
    if not re.fullmatch(r"\d{1,15}(\.\d{1,9})?", text.strip()):
        raise OptsuiteError(f"expected a number from 0, such as 500000, got {text!r}")
    return float(text)


def is_number(value: float) -> bool:
    """Whether a figure is a finite number, and exact if it is an integer: readers of a run refuse any other."""
    return abs(value) <= MOST if isinstance(value, int) else math.isfinite(value)


def number(value: float) -> str:
    """All digits of a whole number, with separators; six of another."""
    return f"{value:,.0f}" if float(value).is_integer() else f"{value:,.6g}"


def _parsed(text: str, units: dict[str, float]) -> float:
    found = re.fullmatch(r"(\d{1,15}(?:\.\d{1,9})?) *([A-Za-zµ]*)", text.strip())
    known = {unit.lower(): size for unit, size in units.items()}
    if not found or float(found[1]) == 0 or found[2].lower() not in known:
        expected = ", ".join(unit or "no unit" for unit in units)
        raise OptsuiteError(f"expected a number over 0 with a unit ({expected}), got {text!r}")
    return float(found[1]) * known[found[2].lower()]


def kilobytes(size: float) -> str:
    """In KB of 1,024 bytes, or in bytes where it is less than one."""
    return f"{size:.0f} B" if size < 1024 else f"{size / 1024:,.1f} KB"


def microseconds(seconds: float) -> str:
    """In µs, three digits or all before the point."""
    value = seconds * 1e6
    return f"{value:,.{2 if value < 10 else 1 if value < 100 else 0}f} µs"
