"""Shows a person what is being built, how much is left and how long it may take."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import TextIO

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from optsuite.build import Step
from optsuite.scheduler import Event, Observer


@contextmanager
def show(steps: Iterable[Step], stream: TextIO) -> Iterator[Observer]:
    """A progress bar on a terminal; on anything else only what failed."""
    todo = list(steps)
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
    bar = progress.add_task("", total=sum(step.weight for step in todo), left=len(todo), now="")
    at_work: list[str] = []
    left = len(todo)

    def observe(event: Event, step: Step) -> None:
        nonlocal left
        if event == "started":
            at_work.append(step.label)
        else:
            left -= 1
            if step.label in at_work:
                at_work.remove(step.label)
            progress.advance(bar, step.weight)
        if event == "failed":
            progress.console.print(f"failed: {step.label}", markup=False)
        progress.update(bar, left=left, now=", ".join(at_work))

    with progress:
        yield observe
