"""Several runs on one store at once: each step is built once, and all of them succeed."""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest
from runs import FAULTS, HANGS_S, ROOT, SMOKE


@pytest.mark.parametrize("count", [2, 4] if FAULTS else [2])
def test_at_once(count: int, tmp_path: Path, tally: Counter[str]) -> None:
    """Whoever comes second waits for the first, and then has nothing to build."""
    command = [sys.executable, "-m", "pytest", "benchmarks/", *SMOKE, "--optsuite-recipes=baseline,qat"]
    command += [
        "--optsuite-targets=none",
        "--optsuite-variants=fp32,int8",
        f"--optsuite-cache={tmp_path / 'cache'}",
        "-p",
        "no:cacheprovider",
    ]
    runs = [
        subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        for _ in range(count)
    ]
    outputs = [run.communicate(timeout=HANGS_S)[0] for run in runs]
    assert [run.returncode for run in runs] == [0] * count, outputs
    tally["runs at once on one store"] += count
    durations = [json.loads(line) for line in (tmp_path / "cache/times.jsonl").read_text().splitlines()]
    built = [(one["model"], *one["actions"]) for one in durations]
    assert len(built) == len(set(built)) == len(list((tmp_path / "cache/objects").iterdir()))
    # Whoever comes first to build may come second to examine.
    assert sum("another run is building" in output for output in outputs) >= count - 1
