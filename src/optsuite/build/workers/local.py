"""The processes of this machine that build: one thread each, a step at a time."""

from __future__ import annotations

import os
import pickle
import sys
import time
from collections.abc import Callable
from concurrent.futures import BrokenExecutor, Future, ProcessPoolExecutor
from dataclasses import replace
from pathlib import Path

from optsuite import programs, spawn
from optsuite.build.step import Done, Step, timed
from optsuite.spec.artifact import Artifact

Work = Callable[[Step, list[Artifact]], Done]


class LocalWorkers:
    """`count` processes, whose output goes to `log`; each calls `start` once, if given, and then `work` for each step.

    Each has an executor of its own, so that a killed process is put down to the step that it was doing.
    """

    def __init__(self, count: int, log: Path, work: Work = timed, start: Callable[[], object] | None = None) -> None:
        self.title = f"{count} at a time; the workers' output is in {log}"
        self._log = log
        self._work = work
        self._start = start
        self._places = [self._opened() for _ in range(count)]
        self._at_work: list[Future[Done] | None] = [None] * count

    def _opened(self) -> ProcessPoolExecutor:
        place = spawn.executor(_prepare, self._log)
        place.submit(_begin, self._start or _nothing, time.monotonic())
        return place

    def _free(self) -> list[int]:
        return [place for place, future in enumerate(self._at_work) if future is None or future.done()]

    def takes(self, step: Step) -> bool:
        return True

    def free(self) -> bool:
        return bool(self._free())

    def submit(self, step: Step, inputs: list[Artifact], urgency: float) -> Future[Done]:
        place = self._free()[0]
        # Pickled here, so that what can't be read there is the step's failure and not the end of its process.
        task = pickle.dumps((self._work, step, inputs))
        try:
            future = self._places[place].submit(_do, task)
        except BrokenExecutor:  # killed since its last step, or at it
            self._places[place].shutdown(wait=False)
            self._places[place] = self._opened()
            future = self._places[place].submit(_do, task)
        self._at_work[place] = future
        return future

    def close(self) -> None:
        """End all processes: those that are at work, or not ready yet, at once."""
        for place, future in zip(self._places, self._at_work, strict=True):
            if future is None or not future.done():
                for process in (place._processes or {}).values():
                    process.terminate()
            # Any other ends by itself: it has semaphores to remove, of which Python would warn at the end.
            place.shutdown(cancel_futures=True)


def _prepare(log: Path) -> None:
    """Write to the log, and end with the parent also in a call into C that lets no other thread of Python run."""
    programs.end_with_parent()
    # TensorFlow and the converter write from C++; only the file descriptors catch all of it.
    target = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
    os.dup2(target, 1)
    os.dup2(target, 2)


_starts_s: list[float] = []
"""In a worker: how long it took to start, until its first step reports it."""


def _nothing() -> None:
    pass


def _begin(start: Callable[[], object], opened: float) -> None:
    start()
    _starts_s.append(time.monotonic() - opened)


def _do(task: bytes) -> Done:
    work, step, inputs = pickle.loads(task)
    done: Done = work(step, inputs)
    return replace(done, start_s=_starts_s.pop()) if _starts_s else done
