"""What tools print that can't be asked otherwise: from C++, or straight to the terminal."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Callable
from contextlib import redirect_stderr, redirect_stdout


def printed_by(call: Callable[[], object]) -> str:
    """Return what a call writes to standard output and to standard error, from Python or from below."""
    with tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace") as file:
        sys.stdout.flush()
        sys.stderr.flush()
        kept = {stream: os.dup(stream) for stream in (1, 2)}
        try:
            for stream in kept:
                os.dup2(file.fileno(), stream)
            with redirect_stdout(file), redirect_stderr(file):
                call()
        finally:
            file.flush()
            for stream, copy in kept.items():
                os.dup2(copy, stream)
                os.close(copy)
        file.seek(0)
        return file.read()
