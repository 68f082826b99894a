"""The crash test: a file that was never run here is tried in a separate process first."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Mapping
from concurrent.futures import BrokenExecutor
from typing import TypeVar

from optsuite import spawn, tflite
from optsuite.errors import OptsuiteError
from optsuite.litert import LiteRTRunner

_TRIES = 2
"""A process may be killed by others, too."""
_LONG_S = 60
Name = TypeVar("Name")


def crashing(files: Mapping[Name, bytes]) -> list[Name]:
    """Return the names of the files that kill a process which loads and calls them, or take too long."""
    found, left = [], dict.fromkeys(files, _TRIES)
    while left:
        with spawn.executor(_silence) as process:
            for name in list(left):
                left[name] -= 1
                try:
                    process.submit(_try, files[name]).result(_LONG_S)
                except (BrokenExecutor, TimeoutError):
                    for child in (process._processes or {}).values():
                        child.kill()
                    if not left[name]:
                        found.append(name)
                        del left[name]
                    break
                del left[name]
    return found


def _silence() -> None:
    nothing = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nothing, 1)
    os.dup2(nothing, 2)


def _try(content: bytes) -> None:
    # An error that is raised is reported where the file is measured.
    with contextlib.suppress(OptsuiteError):
        tflite.kernels(content)
    with contextlib.suppress(OptsuiteError, RuntimeError):
        runner = LiteRTRunner(content)
        runner.invoke()
        runner.get()
