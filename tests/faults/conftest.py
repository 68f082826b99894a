"""Faults that are injected into the real program, and a count of them.

The short form runs with all tests. OPTSUITE_FAULTS=FILE.md asks for the long one, and names where its counts go.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from runs import FAULTS


@pytest.fixture(scope="session")
def times() -> Callable[[int, int], int]:
    """How often to inject: the first number in the short form, the second in the long."""
    return lambda short, long: long if FAULTS else short


@pytest.fixture(scope="session")
def tally(request: pytest.FixtureRequest) -> Iterator[Counter[str]]:
    """How often each fault was injected.

    Each test fails where a result is lost or wrong, or code is executed: then nothing is written.
    """
    counts: Counter[str] = Counter()
    yield counts
    if FAULTS and not request.session.testsfailed:
        text = [
            "# Faults injected into the real program",
            "",
            "By `make faults`, which writes this only where all tests passed: each fails where a result that was",
            "finished had to be made again, where one was believed that is not what it should be, or where code was",
            "executed that came with a file.",
            "",
            "| fault | injected | lost | wrong | executed |",
            "|---|---|---|---|---|",
            *(f"| {fault} | {count} | 0 | 0 | 0 |" for fault, count in (*counts.items(), ("all", counts.total()))),
        ]
        Path(FAULTS).write_text("\n".join(text) + "\n")
