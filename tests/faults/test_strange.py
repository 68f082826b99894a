"""Strange places: nothing of the user's or the machine's habits is taken for granted."""

from __future__ import annotations

import os
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest
from runs import ROOT, SMOKE, Smoke, run_sabotaged

from optsuite.results import reader

_FEW = (*SMOKE, "--optsuite-recipes=baseline", "--optsuite-variants=int8", "--optsuite-targets=none")


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


def test_a_locale_with_decimal_commas(smoke: Smoke, tmp_path: Path, tally: Counter[str]) -> None:
    """Set in every process, as a library of the user's may: a build, a measurement, a choice."""
    if subprocess.run(["localedef", "-i", "de_DE", "-f", "UTF-8", tmp_path / "de_DE.UTF-8"], check=False).returncode:
        pytest.skip("no such locale can be made here")
    (tmp_path / "sitecustomize.py").write_text(
        "import locale; locale.setlocale(locale.LC_ALL, ''); assert locale.str(1.5) == '1,5'"
    )
    tally["a locale with decimal commas"] += 1
    environment = os.environ | {"LOCPATH": str(tmp_path), "LC_ALL": "de_DE.UTF-8", "PYTHONPATH": str(tmp_path)}
    path = tmp_path / "run.json"
    command = [sys.executable, "-m", "pytest", "benchmarks/", *_FEW, f"--optsuite-cache={tmp_path / 'cache'}"]
    for arguments in (
        [*command, f"--benchmark-json={path}"],
        [sys.executable, "-m", "optsuite", "recommend", str(path), "--max-latency", "1.5s"],
    ):
        done = subprocess.run(arguments, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
    here, there = reader.read(smoke.json), reader.read(path)
    row, known = there.row("tutorial_baseline_s0", "int8"), here.row("tutorial_baseline_s0", "int8")
    assert row is not None
    assert known is not None
    assert row.measured.sha256 == known.measured.sha256
    assert f"{row.measured.test.accuracy:.4f}" in done.stdout
