"""The instructions that one call of a file executes: the same on any machine, under any load."""

from __future__ import annotations

from abc import ABC
from dataclasses import dataclass
from typing import ClassVar

from optsuite.examine.examination import Examination
from optsuite.results.examined import Findings
from optsuite.results.figures import Figure

CALLS = 10
"""How many calls are counted."""
WARM_UP_CALLS = 2
"""How many calls come before: the first allocates memory."""
LIMIT_S = 600
"""How many seconds counting one file may take."""


@dataclass(frozen=True, kw_only=True)
class Instructions(Examination[Findings], ABC):
    """Counts the instructions of one call, of LiteRT on one thread, on the inputs on which files are timed.

    The count is no time: an instruction takes more or fewer cycles, a cache misses or not, and a clock has a frequency.
    """

    slow: ClassVar[bool] = True

    @property
    def figures(self) -> tuple[Figure, ...]:
        return (
            Figure(
                name=self._figure,
                label=f"instructions of one call on {self.name} ({self._counter})",
                unit="",
                better="lower",
                tolerance=0.01,
                resource="instructions",
            ),
        )

    @property
    def _figure(self) -> str:
        return f"{self.name}_instructions"

    @property
    def _counter(self) -> str:
        """The name of what counts."""
        raise NotImplementedError

    def _findings(self, instructions: int) -> Findings:
        """Return the record of a count of `CALLS` calls."""
        return Findings(figures={self._figure: round(instructions / CALLS)})
