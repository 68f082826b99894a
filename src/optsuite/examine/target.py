"""A target: where a file is to run, and the examinations that tell what is known of a file there."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from optsuite.examine.examination import Examination


@dataclass(frozen=True, kw_only=True)
class Target:
    """Where a file is to run.

    Attributes:
        name: The name, for options and tables.
        examinations: What tells what is known of a file there.

    """

    name: str
    examinations: tuple[Examination[Any], ...]
