"""Files that were never run here are tried in a process of their own: one that crashes LiteRT takes nothing along."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable, Mapping
from concurrent.futures import BrokenExecutor
from importlib.metadata import version
from typing import TypeVar

from optsuite import spawn
from optsuite.convert import TFLITE
from optsuite.spec import OptsuiteError
from optsuite.store import Store

_TRIES = 2
"""A process may be killed by others, too."""
_LONG_S = 60

Name = TypeVar("Name")


def crashing(files: Mapping[Name, bytes]) -> list[Name]:
    """Which of the .tflite files kill the process that loads them and calls them once, or keep it for too long."""
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
    from optsuite import flatbuffer
    from optsuite.measure import LiteRTRunner

    # What is refused without harm is told where it is measured.
    with contextlib.suppress(OptsuiteError):
        flatbuffer.read(content)
    with contextlib.suppress(OptsuiteError, RuntimeError):
        runner = LiteRTRunner(content)
        runner.invoke()
        runner.get()


def refused(store: Store, keys: Iterable[str]) -> set[str]:
    """Of these artifacts, those whose .tflite file crashes LiteRT.

    What was seen to run is noted in the store, with the version of LiteRT, and not tried again.
    """
    runtime = version("ai-edge-litert")
    try:
        noted = set(store.vetted.read_text("utf-8", "replace").splitlines())
    except OSError:
        noted = set()
    new = [key for key in keys if f"{key} {runtime}" not in noted]
    files = {key: artifact[TFLITE] for key in new if (artifact := store.get(key)) and TFLITE in artifact}
    found = set(crashing(files))
    # A store that can't be written is tried again the next time.
    with contextlib.suppress(OSError), store.vetted.open("a", encoding="utf-8") as file:
        file.writelines(f"{key} {runtime}\n" for key in files if key not in found)
    return found
