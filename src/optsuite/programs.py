"""Programs that are run for us: that they end when we do, and why they failed."""

from __future__ import annotations

import ctypes
import signal
import subprocess
import sys

_PR_SET_PDEATHSIG = 1
_libc = ctypes.CDLL(None) if sys.platform == "linux" else None


def end_with_parent(by: signal.Signals = signal.SIGKILL) -> None:
    """Have Linux send this process a signal when its parent ends: for `preexec_fn` of a program that runs for long."""
    if _libc:
        _libc.prctl(_PR_SET_PDEATHSIG, by)


def why(failed: subprocess.CompletedProcess[bytes], lines: int = 1) -> str:
    """Return the last lines that a program wrote to its standard error, or its exit status where it wrote none."""
    said = failed.stderr.decode(errors="replace").strip().splitlines()
    return "; ".join(said[-lines:]) or f"exit status {failed.returncode}"
