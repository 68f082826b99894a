"""Does steps that a store lacks, and shows how far they are."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

from optsuite.build import progress, scheduler
from optsuite.build.durations import Durations
from optsuite.build.scheduler import Event, Workers
from optsuite.build.step import Done, Step
from optsuite.build.workers.local import LocalWorkers
from optsuite.cpu import cores
from optsuite.store.store import Store

OpenWorkers = Callable[[Collection[Step], Path], Workers]
"""Opens the workers for some steps of one sort; the path is that of the log of local processes."""


@dataclass(frozen=True)
class Doing:
    """The words for what is done: "building", "built"."""

    now: str
    then: str


BUILDING = Doing("building", "built")
EXAMINING = Doing("examining", "examined")
TRYING = Doing("trying models and their recipes:", "tried models and their recipes:")


def local_workers(jobs: int, steps: Collection[Step], log: Path) -> LocalWorkers:
    """Open at most `jobs` processes of this machine for some steps of one sort."""
    return LocalWorkers(min(jobs, len(steps)), log, start=next(iter(steps)).prepare)


def run(
    steps: Iterable[Step],
    store: Store,
    doing: Doing,
    open_workers: OpenWorkers,
    stream: TextIO,
    log: Callable[[str], object],
    name: Callable[[Mapping[str, str]], None] = lambda failures: None,
) -> dict[str, str]:
    """Do what the store lacks of `steps` and of what they start from.

    Steps that none of the workers can do are done by processes of this machine.

    Args:
        steps: Steps of one sort.
        store: Where artifacts are kept.
        doing: The words for what is done.
        open_workers: Opens the workers.
        stream: Where progress is shown.
        log: Called with each line for the user.
        name: Called with the failures: lets the index name what was made. The store is still locked then, as
            `Store.collect` deletes what has no name.

    Returns:
        Key -> reason for every step that failed, or that needs one that did.

    """
    steps = list(steps)
    failures: dict[str, str] = {}
    with contextlib.ExitStack() as until_named:
        if scheduler.missing(steps, store):
            until_named.enter_context(store.building())
            if todo := scheduler.missing(steps, store):  # another run may have done some meanwhile
                failures = _run(todo, store, doing, open_workers, stream, log)
        name(failures)
    return failures


def _run(
    todo: dict[str, Step],
    store: Store,
    doing: Doing,
    open_workers: OpenWorkers,
    stream: TextIO,
    log: Callable[[str], object],
) -> dict[str, str]:
    start = time.monotonic()
    times = Durations(store.times)
    failures: dict[str, str] = {}
    stored: set[str] = set()
    left = todo
    while left:
        workers = open_workers(left.values(), store.log)
        taken = {key: step for key, step in left.items() if workers.takes(step)}
        open_workers = _local
        if taken:
            log(f"{doing.now} {len(taken)} steps, {workers.title}")
        seconds = {key: times.of(step).seconds for key, step in taken.items()}
        with progress.steps(doing.now, doing.then, seconds, stream) as show:

            def observe(
                event: Event, step: Step | None, outcome: Done | str | None, show: scheduler.Observer = show
            ) -> None:
                show(event, step, outcome)
                if step and isinstance(outcome, Done):
                    times.add(step, outcome)
                    stored.add(step.key)

            failures |= scheduler.run(taken, store, workers, observe, seconds)
        # What these workers do not take, or do not take any more.
        left = {key: step for key, step in left.items() if key not in failures and key not in stored}
    log(f"{doing.then} {len(todo) - len(failures)} of {len(todo)} steps in {time.monotonic() - start:.0f} s")
    return failures


def _local(steps: Collection[Step], log: Path) -> Workers:
    return local_workers(cores(), steps, log)
