"""Runs a graph of steps, each as soon as its inputs are there, longest path first."""

from __future__ import annotations

import heapq
import traceback
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import FIRST_COMPLETED, BrokenExecutor, Future, wait
from typing import Literal, Protocol

from optsuite.build.step import Done, Step
from optsuite.errors import OptsuiteError
from optsuite.spec.artifact import Artifact
from optsuite.store.store import Store

Event = Literal["started", "stored", "failed", "waiting"]
Observer = Callable[[Event, Step | None, Done | str | None], None]
"""Called at every event with its step; while nothing happens, every 5 s.

The third argument is the result of a step that was stored, or the reason of one that failed; None for a step that
failed because another did.
"""

_LOOK_S = 5
"""How long a worker that joins during a build waits for work, at most, in seconds."""
DEATHS_ALLOWED = 1
"""How often the process of a step may be killed before the step fails."""


class UnplacedError(Exception):
    """The end of a future whose step no worker can do any more: it is neither done nor failed."""


class Workers(Protocol):
    """The workers that do the steps: processes of this machine, or those of a cluster.

    A future ends with BrokenExecutor if the process that did the step was killed, and is cancelled if the step was lost
    in another way. It ends with UnplacedError if the last worker that could do the step left.
    """

    title: str
    """A description of the workers."""

    def takes(self, step: Step) -> bool:
        """Whether there is a worker that can do the step; some have to be done by a machine like this one."""

    def free(self) -> bool:
        """Whether a worker is free for one more step."""

    def submit(self, step: Step, inputs: list[Artifact], urgency: float) -> Future[Done]:
        """Have a step done; where there is a choice, more urgent steps go first."""

    def close(self) -> None:
        """Give up the steps at work, and end the workers."""


class Agenda:
    """The order of the steps in `todo` (from `missing`): those whose inputs are there, longest path first.

    `seconds` is how long each step may take, by key.
    """

    def __init__(self, todo: Mapping[str, Step], seconds: Mapping[str, float]) -> None:
        self._todo = todo
        self._waits_for = {
            key: {parent.key for parent in step.inputs if parent.key in todo} for key, step in todo.items()
        }
        self._children: dict[str, list[str]] = {key: [] for key in todo}
        for key, parents in self._waits_for.items():
            for parent in parents:
                self._children[parent].append(key)
        self.urgency: dict[str, float] = {}
        """The seconds of the longest path that begins with each step, by key."""
        for key in reversed(list(todo)):  # children first
            below = max((self.urgency[child] for child in self._children[key]), default=0.0)
            self.urgency[key] = seconds[key] + below
        self._ready: list[tuple[float, str]] = []
        for key, parents in self._waits_for.items():
            if not parents:
                self.again(key)

    def next(self) -> str | None:
        """The key of what to begin now, or None where all that is left waits for others."""
        return heapq.heappop(self._ready)[1] if self._ready else None

    def again(self, key: str) -> None:
        """It is to be begun (anew)."""
        heapq.heappush(self._ready, (-self.urgency[key], key))

    def done(self, key: str) -> None:
        """It is there: what waited for it alone can begin."""
        for child in self._children[key]:
            self._waits_for[child].remove(key)
            if not self._waits_for[child]:
                self.again(child)

    def dependants(self, key: str) -> list[str]:
        """All that can't be without it, itself first."""
        found = dict.fromkeys([key])
        for each in self._todo:
            if any(parent.key in found for parent in self._todo[each].inputs):
                found[each] = None
        return list(found)

    def critical_path(self) -> list[str]:
        """The keys of the longest path."""
        path: list[str] = []
        among = list(self._todo)
        while among:
            path.append(max(among, key=self.urgency.__getitem__))
            among = self._children[path[-1]]
        return path


def missing(steps: Iterable[Step], store: Store) -> dict[str, Step]:
    """Return the steps that have to be built for `steps`, by key, inputs first; inputs of stored steps are ignored."""
    todo: dict[str, Step] = {}

    def visit(step: Step) -> None:
        if step.key not in todo and store.get(step.key) is None:
            for parent in step.inputs:
                visit(parent)
            todo[step.key] = step

    for step in steps:
        visit(step)
    return todo


def run(
    todo: Mapping[str, Step],
    store: Store,
    builders: Workers,
    observe: Observer,
    seconds: Mapping[str, float],
) -> dict[str, str]:
    """Have `todo` (from `missing`) done, and store what comes; `seconds` is as `Agenda` takes it.

    Returns key -> reason for every step that failed, or that needs one that did. A step whose process was killed is
    tried again, once. `builders` are closed in the end, also by an interrupt.
    """
    agenda = Agenda(todo, seconds)
    running: dict[Future[Done], str] = {}
    deaths: Counter[str] = Counter()
    failures: dict[str, str] = {}

    def fail(key: str, reason: str) -> None:
        for each in agenda.dependants(key):
            if each not in failures:
                failures[each] = f"{todo[key].label}{reason}"
                observe("failed", todo[each], reason.removeprefix(": ") if each == key else None)

    try:
        while True:
            while builders.free() and (key := agenda.next()):
                observe("started", todo[key], None)
                inputs = _inputs(todo[key], store)
                running[builders.submit(todo[key], inputs, agenda.urgency[key])] = key
            if not running:
                return failures
            observe("waiting", None, None)
            for future in wait(running, _LOOK_S, FIRST_COMPLETED).done:
                key = running.pop(future)
                error = BrokenExecutor() if future.cancelled() else future.exception()
                if isinstance(error, BrokenExecutor) and deaths[key] < DEATHS_ALLOWED:
                    deaths[key] += 1
                    agenda.again(key)
                elif future.cancelled():
                    fail(key, ": it was cancelled, twice")
                elif isinstance(error, BrokenExecutor):
                    fail(key, f": {todo[key].death}")
                elif isinstance(error, UnplacedError):
                    continue
                elif isinstance(error, OptsuiteError):
                    fail(key, f": {error}")
                elif error is not None:
                    fail(key, f": {type(error).__name__}: {error}\n{_traceback(error)}")
                else:
                    done = future.result()
                    store.put(key, done.artifact)
                    observe("stored", todo[key], done)
                    agenda.done(key)
    finally:
        builders.close()


def _inputs(step: Step, store: Store) -> list[Artifact]:
    found = [artifact for key in step.input_keys if (artifact := store.get(key)) is not None]
    if len(found) < len(step.input_keys):
        raise OptsuiteError(f"what {step.label} starts from was damaged while the run went on; start it again")
    return found


def _traceback(error: BaseException) -> str:
    """Return the traceback of where an error was raised: a process pool adds that of its own process to it."""
    remote = str(error.__cause__ or "").strip().strip('"').strip()
    return remote if remote.startswith("Traceback") else "".join(traceback.format_exception(error))
