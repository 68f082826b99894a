"""Runs the graph of build steps, each as soon as its inputs are there, longest path first."""

from __future__ import annotations

import heapq
import os
import sys
import traceback
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import FIRST_COMPLETED, BrokenExecutor, Executor, Future, ProcessPoolExecutor, wait
from multiprocessing import get_context
from pathlib import Path
from typing import Literal

from optsuite import build
from optsuite.build import Step
from optsuite.spec import Artifact, OptsuiteError
from optsuite.store import Store

Event = Literal["started", "stored", "failed"]
Observer = Callable[[Event, Step], None]

_DEATHS_ALLOWED = 1


def missing(steps: Iterable[Step], store: Store) -> dict[str, Step]:
    """What has to be built for `steps`, by key, inputs first. The inputs of what is stored are not looked at."""
    todo: dict[str, Step] = {}

    def visit(step: Step) -> None:
        if step.key not in todo and store.get(step.key) is None:
            for parent in step.inputs:
                visit(parent)
            todo[step.key] = step

    for step in steps:
        visit(step)
    return todo


def process_slot(log: Path) -> ProcessPoolExecutor:
    """One worker process, spawned (TensorFlow does not survive a fork), whose output goes to `log`."""
    return ProcessPoolExecutor(1, mp_context=get_context("spawn"), initializer=_redirect, initargs=(log,))


def _redirect(log: Path) -> None:
    # TensorFlow and the converter write from C++; only the file descriptors catch all of it.
    target = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
    os.dup2(target, 1)
    os.dup2(target, 2)


def run(
    todo: dict[str, Step],
    store: Store,
    slots: int,
    open_slot: Callable[[], Executor],
    observe: Observer,
    work: Callable[[Step, Sequence[Artifact]], Artifact] = build.run,
) -> dict[str, str]:
    """Build `todo` (from `missing`) on `slots` executors that do one step at a time, and store what comes.

    Returns key -> reason for every step that failed, or that needs one that did. A slot of its own for each step at
    work means that a killed process is put down to the step that it was doing: that one is tried again, once.
    """
    waiting = {key: {parent.key for parent in step.inputs if parent.key in todo} for key, step in todo.items()}
    urgency = _urgency(todo)
    ready = [(-urgency[key], key) for key, parents in waiting.items() if not parents]
    heapq.heapify(ready)
    idle = [open_slot() for _ in range(min(slots, len(todo)))]
    running: dict[Future[Artifact], tuple[str, Executor]] = {}
    deaths = dict.fromkeys(todo, 0)
    failures: dict[str, str] = {}

    def reopened(broken: Executor) -> Executor:
        broken.shutdown(wait=False)
        return open_slot()

    def fail(key: str, reason: str) -> None:
        failures[key] = reason
        observe("failed", todo[key])
        for child, step in todo.items():
            if child not in failures and any(parent.key == key for parent in step.inputs):
                fail(child, reason)

    try:
        while ready or running:
            while ready and idle:
                key = heapq.heappop(ready)[1]
                slot = idle.pop()
                observe("started", todo[key])
                inputs = [_stored(store, one) for one in todo[key].inputs]
                try:
                    future = slot.submit(work, todo[key], inputs)
                except BrokenExecutor:  # its process was killed between two steps
                    slot = reopened(slot)
                    future = slot.submit(work, todo[key], inputs)
                running[future] = key, slot
            for future in wait(running, return_when=FIRST_COMPLETED).done:
                key, slot = running.pop(future)
                error = future.exception()
                if isinstance(error, BrokenExecutor):
                    slot = reopened(slot)
                    deaths[key] += 1
                    if deaths[key] <= _DEATHS_ALLOWED:
                        heapq.heappush(ready, (-urgency[key], key))
                    else:
                        fail(
                            key,
                            f"{todo[key].label}: its process was killed, twice; its last words are in the build log",
                        )
                elif error is not None:
                    fail(key, f"{todo[key].label}:\n{''.join(traceback.format_exception(error))}")
                else:
                    store.put(key, future.result())
                    observe("stored", todo[key])
                    for child, parents in waiting.items():
                        if key in parents:
                            parents.remove(key)
                            if not parents:
                                heapq.heappush(ready, (-urgency[child], child))
                idle.append(slot)
    finally:
        for slot in [*idle, *(slot for _, slot in running.values())]:
            slot.shutdown(cancel_futures=True)
    return failures


def _stored(store: Store, step: Step) -> Artifact:
    artifact = store.get(step.key)
    if artifact is None:
        raise OptsuiteError(f"{step.label} was damaged while the run went on; start it again")
    return artifact


def _urgency(todo: dict[str, Step]) -> dict[str, int]:
    """The weight of the longest path that starts with each step."""
    below = dict.fromkeys(todo, 0)
    for key, step in reversed(todo.items()):
        for parent in step.inputs:
            if parent.key in todo:
                below[parent.key] = max(below[parent.key], below[key] + step.weight)
    return {key: below[key] + step.weight for key, step in todo.items()}
