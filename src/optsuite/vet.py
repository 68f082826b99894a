"""Files that were never run here are tried in a process of their own: one that crashes LiteRT takes nothing along."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Mapping
from concurrent.futures import BrokenExecutor, ProcessPoolExecutor
from importlib.metadata import version
from multiprocessing import get_context
from pathlib import Path
from typing import TypeVar

from optsuite.spec import OptsuiteError

_TRIES = 2
"""A process may be killed by others, too."""
_LONG_S = 60

Name = TypeVar("Name")


def crashing(files: Mapping[Name, bytes]) -> list[Name]:
    """Which of the .tflite files kill the process that loads them and calls them once, or keep it for too long."""
    found, left = [], dict.fromkeys(files, _TRIES)
    while left:
        with ProcessPoolExecutor(1, mp_context=get_context("spawn"), initializer=_silence) as process:
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
    from optsuite.measure import LiteRTRunner

    # What LiteRT refuses is told where it is measured.
    with contextlib.suppress(OptsuiteError, RuntimeError):
        runner = LiteRTRunner(content)
        runner.invoke()
        runner.get()


class Vetted:
    """The keys of the artifacts that were tried and did not crash, by this version of LiteRT; kept in a file."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._runtime = version("ai-edge-litert")
        try:
            lines = path.read_text("utf-8", "replace").splitlines()
        except OSError:
            lines = []
        self._keys = {key for key, _, runtime in (line.partition(" ") for line in lines) if runtime == self._runtime}

    def __contains__(self, key: str) -> bool:
        return key in self._keys

    def add(self, keys: list[str]) -> None:
        """Note them; a store that can't be written is tried again the next time."""
        self._keys.update(keys)
        with contextlib.suppress(OSError), self._path.open("a", encoding="utf-8") as file:
            file.writelines(f"{key} {self._runtime}\n" for key in keys)
