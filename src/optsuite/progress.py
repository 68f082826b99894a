"""Shows a person at a terminal what is going on, how much is left and how long it may take."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TextIO

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.table import Column

from optsuite.build import Done, Step
from optsuite.scheduler import Event, Observer


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


@contextmanager
def building(seconds: Mapping[str, float], stream: TextIO) -> Iterator[Observer]:
    """A bar of steps, and also elsewhere than on a terminal what failed. `seconds` is what each may take, by key."""
    progress = bar("building", stream)
    task = progress.add_task("", total=sum(seconds.values()), left=len(seconds), now="")
    at_work: dict[str, None] = {}
    left = len(seconds)

    def observe(event: Event, step: Step, done: Done | None) -> None:
        nonlocal left
        if event == "started":
            at_work[step.label] = None  # once, also when it was begun twice
        else:
            left -= 1
            at_work.pop(step.label, None)
            progress.advance(task, seconds[step.key])
        if event == "failed":
            progress.console.print(f"failed: {step.label}", markup=False)
        progress.update(task, left=left, now=", ".join(at_work))

    with progress:
        yield observe
