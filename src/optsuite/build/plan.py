"""The plan of a build: its steps, its critical path, and its time with any number of workers."""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from optsuite.build import scheduler
from optsuite.build.durations import Durations, Estimate
from optsuite.build.scheduler import Agenda
from optsuite.build.step import Step
from optsuite.store.store import Store
from optsuite.terminal import wrapped

WORKERS = (1, 2, 8, 64)


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What there is to do, and how long it may take.

    Attributes:
        stored: The stored steps that make models and files.
        missing: The missing ones, inputs first, with the time that each may take.
        examined: How many examinations are stored.
        to_examine: The missing examinations, with the time that each may take. Those of files that are not built yet
            may be fewer: files that are the same are examined once.
        critical_path: The longest path of what is missing.
        critical_path_s: How long that path may take, in seconds.
        wall_s: Number of workers -> how long all that is missing may take, in seconds: likely, at least, at most.

    """

    stored: tuple[Step, ...]
    missing: tuple[tuple[Step, Estimate], ...]
    examined: int
    to_examine: tuple[tuple[Step, Estimate], ...]
    critical_path: tuple[Step, ...]
    critical_path_s: float
    wall_s: Mapping[int, tuple[float, float, float]]


def plan_build(
    steps: Iterable[Step],
    examinations: Iterable[Step],
    later: Sequence[Step],
    store: Store,
    times: Durations,
) -> Plan:
    """Plan what the store lacks of some steps, of what they start from, and of some examinations.

    Args:
        steps: Steps that make models and files.
        examinations: Examinations of files that are stored.
        later: Examinations of files that are not built yet: they have no key, and begin when all files are built.
        store: Where artifacts are kept.
        times: The times of past steps.

    """
    needed, examined = ({step.key: step for step in one} for one in (steps, examinations))
    todo = scheduler.missing([*needed.values(), *examined.values()], store)
    estimates = {key: times.of(step) for key, step in todo.items()}
    agenda = Agenda(todo, {key: estimate.seconds for key, estimate in estimates.items()})
    then = [(step, times.of(step)) for step in later]

    def wall_s(workers: int, case: int) -> float:
        seconds = {key: estimate.cases_s[case] for key, estimate in estimates.items()}
        afterwards = [estimate.cases_s[case] for _, estimate in then]
        built_at = simulate(todo, seconds, workers, times.start_s)
        return built_at + max([sum(afterwards) / workers, *afterwards])

    return Plan(
        stored=tuple(step for key, step in needed.items() if key not in todo),
        missing=tuple((step, estimates[key]) for key, step in todo.items() if key not in examined),
        examined=len(examined.keys() - todo.keys()),
        to_examine=(*((step, estimates[key]) for key, step in todo.items() if key in examined), *then),
        critical_path=tuple(todo[key] for key in agenda.critical_path()),
        critical_path_s=max(agenda.urgency.values(), default=0.0),
        wall_s={workers: (wall_s(workers, 0), wall_s(workers, 1), wall_s(workers, 2)) for workers in WORKERS},
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
    lines += [f"{estimate.seconds:>7.1f} s  {step.label}  (by {estimate.basis})" for step, estimate in plan.missing]
    for name in dict.fromkeys(step.actions[-1] for step, _ in plan.to_examine):
        found = [estimate.seconds for step, estimate in plan.to_examine if step.actions[-1] == name]
        lines.append(f"{sum(found):>7.1f} s  {len(found)} files: {name}")
    todo = [*plan.missing, *plan.to_examine]
    if not todo:
        return _wrapped([*lines, "nothing to build"])
    work_s = sum(estimate.seconds for _, estimate in todo)
    lines.append(
        f"{len(plan.missing)} steps to build and {len(plan.to_examine)} to examine files, {work_s:.0f} s of work"
    )
    if plan.critical_path:
        lines.append(f"critical path, {plan.critical_path_s:.0f} s: {plan.critical_path[-1].label}")
    one_s = plan.wall_s[1][0]
    lines += [
        f"{workers:>9} workers: about {likely:.0f} s, {least:.0f} to {most:.0f} s; {one_s / likely:.1f} x"
        for workers, (likely, least, most) in plan.wall_s.items()
    ]
    lines.append("timing is not included: less than a second for most rows")
    return _wrapped(lines)


def _wrapped(lines: list[str]) -> str:
    """Long labels go on below themselves, beside the times."""
    return "\n".join(wrapped(line, hanging=13) for line in lines)
