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
def tally() -> Iterator[Counter[str]]:
    """What was injected, and what came of it: count it as `FAULT`, `lost: FAULT` or `wrong: FAULT`."""
    counts: Counter[str] = Counter()
    yield counts
    if FAULTS:
        faults = [fault for fault in counts if not fault.startswith(("lost: ", "wrong: "))]
        lines = [
            f"| {fault} | {counts[fault]} | {counts[f'lost: {fault}']} | {counts[f'wrong: {fault}']} |"
            for fault in faults
        ]
        total = [sum(counts[f"{kind}{fault}"] for fault in faults) for kind in ("", "lost: ", "wrong: ")]
        text = [
            "# Faults injected into the real program",
            "",
            "By `make faults`. Lost is a result that was finished and had to be made again, or could not be; wrong is",
            "one that was believed and is not what it should be.",
            "",
            "| fault | injected | lost | wrong |",
            "|---|---|---|---|",
            *lines,
            f"| all | {total[0]} | {total[1]} | {total[2]} |",
        ]
        Path(FAULTS).write_text("\n".join(text) + "\n")
