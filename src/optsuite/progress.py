"""Shows a person what is being built, how much is left and how long it may take."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TextIO

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from optsuite.build import Done, Step
from optsuite.scheduler import Event, Observer


@contextmanager
def show(seconds: Mapping[str, float], stream: TextIO) -> Iterator[Observer]:
    """A progress bar on a terminal; on anything else only what failed. `seconds` is what each step may take, by key."""
    progress = Progress(
        TextColumn("building {task.fields[left]} left"),
        BarColumn(),
        TimeElapsedColumn(),
        TextColumn("about"),
        TimeRemainingColumn(),
        TextColumn("{task.fields[now]}", markup=False),
        console=Console(file=stream),
        transient=True,
        disable=not stream.isatty(),
    )
    bar = progress.add_task("", total=sum(seconds.values()), left=len(seconds), now="")
    at_work: dict[str, None] = {}
    left = len(seconds)

    def observe(event: Event, step: Step, done: Done | None) -> None:
        nonlocal left
        if event == "started":
            at_work[step.label] = None  # once, also when it was begun twice
        else:
            left -= 1
            at_work.pop(step.label, None)
            progress.advance(bar, seconds[step.key])
        if event == "failed":
            progress.console.print(f"failed: {step.label}", markup=False)
        progress.update(bar, left=left, now=", ".join(at_work))

    with progress:
        yield observe
