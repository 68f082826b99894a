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
    """The stored steps, the missing ones (inputs first), and the critical path of the missing ones.

    `wall_s` is workers -> seconds.
    """

    stored: tuple[Step, ...]
    missing: tuple[tuple[Step, Estimate], ...]
    critical_path: tuple[Step, ...]
    critical_path_s: float
    wall_s: Mapping[int, float]


def plan_build(steps: Iterable[Step], store: Store, times: Durations) -> Plan:
    """Plan the build of what `steps` need and the store does not have."""
    needed = {step.key: step for step in steps}
    todo = scheduler.missing(needed.values(), store)
    estimates = {key: times.of(step) for key, step in todo.items()}
    seconds = {key: estimate.seconds for key, estimate in estimates.items()}
    agenda = Agenda(todo, seconds)
    return Plan(
        stored=tuple(step for key, step in needed.items() if key not in todo),
        missing=tuple((todo[key], estimate) for key, estimate in estimates.items()),
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
    lines += [f"{estimate.seconds:>7.1f} s  {step.label}  ({estimate.basis})" for step, estimate in plan.missing]
    if not plan.missing:
        return "\n".join([*lines, "nothing to build"])
    work_s = sum(estimate.seconds for _, estimate in plan.missing)
    lines += [
        f"{len(plan.missing)} steps to build, {work_s:.0f} s of work",
        f"critical path, {plan.critical_path_s:.0f} s: {plan.critical_path[-1].label}",
    ]
    one_s = plan.wall_s[1]
    lines += [
        f"{workers:>9} workers: {wall_s:.0f} s, {one_s / wall_s:.1f} x" for workers, wall_s in plan.wall_s.items()
    ]
    return "\n".join(lines)
