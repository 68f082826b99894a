"""The error classes."""

from __future__ import annotations


class OptsuiteError(Exception):
    """Something that the user gave, or that is on disk, can't be used; the message says what was expected."""


class UnavailableError(OptsuiteError):
    """Something can't be had on this machine: to be marked as absent, not a failure."""


def first_line(error: Exception) -> str:
    """Return the first line of another package's error, to be part of a message."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
