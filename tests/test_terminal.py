"""What a person sees of a run, at a terminal and elsewhere."""

from __future__ import annotations

import os
import pty
import re
import subprocess
import sys

from runs import ROOT, SMOKE, Smoke

_FEW = ("--optsuite-recipes=baseline,qat", "--optsuite-variants=fp32,int8")


def test_elsewhere_there_are_dots_and_no_colours(smoke: Smoke) -> None:
    """No bar, no line a file, and the frontier at the end."""
    assert "\x1b" not in smoke.output
    assert re.search(r"^\.{20,} +\[ +\d+%\]$", smoke.output, re.MULTILINE)
    assert "measuring 1 left" not in smoke.output
    ends = smoke.output.index(".tflite files, test accuracy against latency:")
    assert re.search(r"\n  tutorial_\S+ +\S+ +[01]\.\d{4} +[\d,]+ bytes +[\d.]+ us\n", smoke.output[ends:])


def _at_a_terminal(*arguments: str) -> str:
    """What the real command writes to one of 80 columns."""
    ours, theirs = pty.openpty()
    command = [sys.executable, "-m", "pytest", "benchmarks/", *SMOKE, *_FEW, "--benchmark-quiet", *arguments]
    with subprocess.Popen(
        command, cwd=ROOT, stdout=theirs, stderr=theirs, env=os.environ | {"TERM": "xterm", "COLUMNS": "80"}
    ):
        os.close(theirs)
        written = b""
        try:
            while some := os.read(ours, 65_536):
                written += some
        except OSError:  # how Linux says that the other side is gone
            os.close(ours)
    return written.decode()


def test_at_a_terminal_a_bar_says_what_is_measured_and_what_is_left(smoke: Smoke) -> None:
    """Redrawn at each test, and gone at the end; no dots beside it. -v leaves pytest's own lines."""
    written = _at_a_terminal(f"--optsuite-cache={smoke.cache}", "-rA")
    assert "measuring 15 left" in written
    assert re.search(r"measuring 1 left .* about .*tutorial_qat_s0-int8", written)
    assert "[100%]" not in written
    assert "15 passed" in written
    assert "PASSED\x1b[0m benchmarks/test_latency.py" in written  # pytest's summary has its words again
    verbose = _at_a_terminal(f"--optsuite-cache={smoke.cache}", "-v")
    assert "left" not in verbose
    assert "[100%]" in verbose
