"""The plan of a build: its steps, its critical path, and its time with any number of workers."""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from optsuite.build import scheduler
from optsuite.build.durations import Durations, Estimate
from optsuite.build.scheduler import Agenda
from optsuite.build.step import Step
from optsuite.store.store import Store

WORKERS = (1, 2, 8, 64)


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What there is to do, and how long it may take.

    Attributes:
        stored: The stored steps that make models and files.
        missing: The missing ones, inputs first, with the time that each may take.
        examined: How many examinations are stored.
        to_examine: The missing examinations of files that are stored, with the time that each may take.
        not_built: How many files are not built yet, and so not examined.
        critical_path: The longest path of what is missing.
        critical_path_s: How long that path may take, in seconds.
        wall_s: Number of workers -> how long all that is missing may take, in seconds.

    """

    stored: tuple[Step, ...]
    missing: tuple[tuple[Step, Estimate], ...]
    examined: int
    to_examine: tuple[tuple[Step, Estimate], ...]
    not_built: int
    critical_path: tuple[Step, ...]
    critical_path_s: float
    wall_s: Mapping[int, float]


def plan_build(
    steps: Iterable[Step], examinations: Iterable[Step], not_built: int, store: Store, times: Durations
) -> Plan:
    """Plan what the store lacks of some steps, of what they start from, and of some examinations.

    Args:
        steps: Steps that make models and files.
        examinations: Examinations of files that are stored.
        not_built: How many files are not built yet: their examinations are not known.
        store: Where artifacts are kept.
        times: The times of past steps.

    """
    needed, examined = ({step.key: step for step in one} for one in (steps, examinations))
    todo = scheduler.missing([*needed.values(), *examined.values()], store)
    estimates = {key: times.of(step) for key, step in todo.items()}
    seconds = {key: estimate.seconds for key, estimate in estimates.items()}
    agenda = Agenda(todo, seconds)
    return Plan(
        stored=tuple(step for key, step in needed.items() if key not in todo),
        missing=tuple((step, estimates[key]) for key, step in todo.items() if key not in examined),
        examined=len(examined.keys() - todo.keys()),
        to_examine=tuple((step, estimates[key]) for key, step in todo.items() if key in examined),
        not_built=not_built,
        critical_path=tuple(todo[key] for key in agenda.critical_path()),
        critical_path_s=max(agenda.urgency.values(), default=0.0),
        wall_s={workers: simulate(todo, seconds, workers, times.start_s) for workers in WORKERS},
    )


def simulate(todo: Mapping[str, Step], seconds: Mapping[str, float], workers: int, start_s: float) -> float:
    """When the last step ends, in the order of `scheduler.run`, if all workers begin after `start_s`."""
    agenda = Agenda(todo, seconds)
    now = start_s
    at_work: list[tuple[float, str]] = []
    while True:
        while len(at_work) < workers and (key := agenda.next()):
            heapq.heappush(at_work, (now + seconds[key], key))
        if not at_work:
            return now
        now, key = heapq.heappop(at_work)
        agenda.done(key)


def text(plan: Plan) -> str:
    """The plan, for people."""
    lines = [f"{'stored':>9}  {step.label}" for step in plan.stored]
    if plan.examined:
        lines.append(f"{'stored':>9}  {plan.examined} examinations")
    lines += [f"{estimate.seconds:>7.1f} s  {step.label}  ({estimate.basis})" for step, estimate in plan.missing]
    for name in dict.fromkeys(step.actions[-1] for step, _ in plan.to_examine):
        found = [estimate.seconds for step, estimate in plan.to_examine if step.actions[-1] == name]
        lines.append(f"{sum(found):>7.1f} s  {len(found)} files: {name}")
    if plan.not_built:
        lines.append(f"{plan.not_built} files are not built yet, and so not examined: that is not in the times below")
    todo = [*plan.missing, *plan.to_examine]
    if not todo:
        return "\n".join([*lines, "nothing to build"])
    work_s = sum(estimate.seconds for _, estimate in todo)
    lines += [
        f"{len(todo)} steps to build, {work_s:.0f} s of work",
        f"critical path, {plan.critical_path_s:.0f} s: {plan.critical_path[-1].label}",
    ]
    one_s = plan.wall_s[1]
    lines += [
        f"{workers:>9} workers: {wall_s:.0f} s, {one_s / wall_s:.1f} x" for workers, wall_s in plan.wall_s.items()
    ]
    return "\n".join(lines)
