"""Strange places: nothing of the user's or the machine's habits is taken for granted."""

from __future__ import annotations

import os
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest
from runs import ROOT, SMOKE, Smoke, run_sabotaged

_FEW = (*SMOKE, "--optsuite-recipes=baseline", "--optsuite-variants=int8")


def test_a_clock_that_jumps(smoke: Smoke, tmp_path: Path, tally: Counter[str]) -> None:
    """Years ahead and back, from one look to the next: a build and a measurement."""
    tally["a clock that jumps"] += 1
    done = run_sabotaged("jump the clock", *_FEW, f"--optsuite-cache={tmp_path}")
    assert done.returncode == 0, done.stdout
    assert "built 2 of 2 steps" in done.stdout


@pytest.mark.parametrize(
    "environment",
    [{"HOME": "/nonexistent"}, {"HOME": ""}, {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}],
    ids=["no home", "an empty home", "a locale without µ"],
)
def test_an_environment_without(environment: dict[str, str], smoke: Smoke, tmp_path: Path, tally: Counter[str]) -> None:
    """A run, and a command that prints more than ASCII."""
    tally["an environment without a home or a µ"] += 1
    given = {name: value for name, value in (os.environ | environment).items() if value}
    command = [sys.executable, "-m", "pytest", "benchmarks/", *_FEW, f"--optsuite-cache={smoke.cache}"]
    for arguments in (command, [sys.executable, "-m", "optsuite", "recommend", str(smoke.json)]):
        done = subprocess.run(arguments, cwd=ROOT, env=given, capture_output=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
