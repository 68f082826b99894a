"""A target: where a file is to run, and the examinations that tell what is known of a file there."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass, replace
from typing import Any

from optsuite.examine.examination import Examination

NO_TARGET = "none"
"""What is requested instead of targets to have files examined for none; no target has this name."""


@dataclass(frozen=True, kw_only=True)
class Target:
    """Where a file is to run.

    Attributes:
        name: The name, for options and tables.
        examinations: What tells what is known of a file there.
        on_request: Whether files are examined for it only where it is named, as for one that takes long.

    """

    name: str
    examinations: tuple[Examination[Any], ...]
    on_request: bool = False


def fast(targets: Collection[Target]) -> list[Target]:
    """Return the targets without their slow examinations, and none that has no others."""
    left = {one.name: tuple(each for each in one.examinations if not each.slow) for one in targets}
    return [replace(one, examinations=left[one.name]) for one in targets if left[one.name]]


def examinations(targets: Iterable[Target]) -> list[Examination[Any]]:
    """Return the examinations of all targets."""
    return [one for target in targets for one in target.examinations]


def names(targets: Iterable[Target]) -> dict[str, str]:
    """Return the name of each examination of the targets -> that of its target."""
    return {one.name: target.name for target in targets for one in target.examinations}
