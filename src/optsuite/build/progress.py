"""Shows a person at a terminal what is going on, how much is left and how long it may take."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import TextIO

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.table import Column

from optsuite.build.scheduler import Event, Observer
from optsuite.build.step import Done, Step

Clock = Callable[[], float]
_LINE_EVERY_S = 60


def bar(doing: str, stream: TextIO, *, redraw: bool = True) -> Progress:
    """A bar on a terminal, nothing on anything else. Without `redraw` only `refresh` draws it, and no thread runs."""
    whole = Column(no_wrap=True)
    return Progress(
        TextColumn(f"{doing} {{task.fields[left]}} left", table_column=whole),
        BarColumn(bar_width=16),
        TimeElapsedColumn(table_column=whole),
        TextColumn("about", table_column=whole),
        TimeRemainingColumn(table_column=whole),
        TextColumn("{task.fields[now]}", markup=False, table_column=Column(ratio=1, no_wrap=True, overflow="ellipsis")),
        console=Console(file=stream),
        expand=True,
        transient=True,
        auto_refresh=redraw,
        disable=not stream.isatty(),
    )


class _Lines:
    """A line a minute, for a log that nobody watches: what is done, what is left, how long that may take.

    `seconds` is what each step may take, by key; `done` is the word for what was done, such as "built".
    """

    def __init__(self, done: str, seconds: Mapping[str, float], stream: TextIO, clock: Clock) -> None:
        self._done = done
        self._seconds = dict(seconds)
        self._stream = stream
        self._clock = clock
        self._start = self._last = clock()
        self._steps, self._work_s = len(seconds), sum(seconds.values())

    def observe(self, event: Event, step: Step | None) -> None:
        if step and event != "started":
            self._seconds.pop(step.key, None)
        now = self._clock()
        if now - self._last < _LINE_EVERY_S:
            return
        self._last = now
        left_s = sum(self._seconds.values())
        done_s = self._work_s - left_s
        estimate = f"about {left_s / done_s * (now - self._start):.0f} s left" if done_s else "no estimate yet"
        finished = self._steps - len(self._seconds)
        self._stream.write(
            f"optsuite: {self._done} {finished} of {self._steps} steps in {now - self._start:.0f} s, {estimate}\n"
        )
        self._stream.flush()


@contextmanager
def steps(
    doing: str, did: str, seconds: Mapping[str, float], stream: TextIO, clock: Clock = time.monotonic
) -> Iterator[Observer]:
    """A bar of steps on a terminal, a line a minute elsewhere, and what failed on both.

    `doing` and `did` are the words for it; `seconds` is what each step may take, by key.
    """
    progress = bar(doing, stream)
    task = progress.add_task("", total=sum(seconds.values()), left=len(seconds), now="")
    at_work: dict[str, None] = {}
    left = len(seconds)
    lines = None if stream.isatty() else _Lines(did, seconds, stream, clock)

    def observe(event: Event, step: Step | None, outcome: Done | str | None) -> None:
        nonlocal left
        if lines:
            lines.observe(event, step)
        if step is None:
            return
        if event == "started":
            at_work[step.label] = None  # once, also when it was begun twice
        else:
            left -= 1
            at_work.pop(step.label, None)
            progress.advance(task, seconds[step.key])
        if event == "failed":
            words = [step.label, *(outcome.splitlines()[:1] if isinstance(outcome, str) else [])]
            progress.console.print(f"failed: {': '.join(words)}", markup=False, soft_wrap=True)
        progress.update(task, left=left, now=", ".join(at_work))

    with progress:
        yield observe
