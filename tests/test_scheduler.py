"""The graph of steps: order, failures, and processes that die."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Sequence
from concurrent.futures import Executor, ProcessPoolExecutor, ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from optsuite import build, scheduler
from optsuite.build import Step, Task
from optsuite.experiments import PROFILES, select, step_of
from optsuite.scheduler import Event
from optsuite.spec import Action, Artifact
from optsuite.store import Store
from optsuite.variants import VARIANTS


@dataclass(frozen=True, kw_only=True)
class Say(Action):
    """Does nothing but tell its steps apart."""

    word: str

    def run(self, task: Task) -> Artifact:
        raise NotImplementedError


_ANY = step_of(select().experiments[0], VARIANTS["keras"], PROFILES["smoke"])


def _step(word: str, *inputs: Step) -> Step:
    return replace(_ANY, label=word, action=Say(word=word), schedule=None, inputs=inputs)


A = _step("a")
B = _step("b", A)
C = _step("c", B)
D = _step("d", A)


def _work(step: Step, inputs: Sequence[Artifact]) -> Artifact:
    assert isinstance(step.action, Say)
    return {"path": b">".join([*(one["path"] for one in inputs), step.action.word.encode()])}


def _run(
    store: Store,
    steps: Sequence[Step],
    work: object = _work,
    slots: int = 1,
    open_slot: object = lambda: ThreadPoolExecutor(1),
) -> tuple[dict[str, str], list[tuple[Event, str]]]:
    events: list[tuple[Event, str]] = []
    failures = scheduler.run(
        scheduler.missing(steps, store),
        store,
        slots,
        open_slot,  # type: ignore[arg-type]
        lambda event, step: events.append((event, step.label)),
        work,  # type: ignore[arg-type]
    )
    return failures, events


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "store", print)


def _content(store: Store, step: Step) -> bytes:
    artifact = store.get(step.key)
    assert artifact is not None
    return artifact["path"]


def test_each_step_gets_its_inputs(store: Store) -> None:
    """What was built is handed on, and stored under its key."""
    failures, _ = _run(store, [C, D], slots=2)
    assert failures == {}
    assert _content(store, C) == b"a>b>c"
    assert _content(store, D) == b"a>d"


def test_the_longest_path_goes_first(store: Store) -> None:
    """With one slot, the step that most work waits for is next."""
    long = replace(_step("long", A), schedule=_ANY.schedule)
    _, events = _run(store, [D, long])
    assert [label for event, label in events if event == "started"] == ["a", "long", "d"]


def test_what_is_stored_is_not_built_and_its_inputs_not_looked_at(store: Store) -> None:
    """Only what is missing, and what that needs."""
    store.put(B.key, {"path": b"from before"})
    assert [step.label for step in scheduler.missing([C], store).values()] == ["c"]
    _run(store, [C])
    assert _content(store, C) == b"from before>c"


def test_a_failure_takes_only_what_needs_it(store: Store) -> None:
    """The real error is handed to every step that fell with it; the rest is built."""

    def work(step: Step, inputs: Sequence[Artifact]) -> Artifact:
        if step.label == "b":
            raise ZeroDivisionError("the real error")
        return _work(step, inputs)

    failures, events = _run(store, [C, D], work)
    assert set(failures) == {B.key, C.key}
    assert all("ZeroDivisionError: the real error" in reason for reason in failures.values())
    assert failures[C.key].startswith("b:")
    assert [label for event, label in events if event == "failed"] == ["b", "c"]
    assert _content(store, D) == b"a>d"


def _die(step: Step, inputs: Sequence[Artifact]) -> Artifact:
    """Kill the own process as often as the environment says; a file a death keeps count."""
    folder = Path(os.environ["DEATHS"])
    if step.label == "b" and len(list(folder.iterdir())) < int(os.environ["HOW_MANY"]):
        (folder / f"{time.monotonic_ns()}").touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return _work(step, inputs)


@pytest.mark.parametrize(("deaths", "failed"), [(1, set()), (2, {B.key, C.key})])
def test_a_killed_worker_costs_one_retry(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, deaths: int, failed: set[str]
) -> None:
    """Once is bad luck, twice is the step's own failure; the steps beside it never notice."""
    (tmp_path / "deaths").mkdir()
    monkeypatch.setenv("DEATHS", str(tmp_path / "deaths"))
    monkeypatch.setenv("HOW_MANY", str(deaths))

    def slot() -> Executor:
        return scheduler.process_slot(tmp_path / "log")

    failures, _ = _run(store, [C, D], _die, 2, slot)
    assert set(failures) == failed
    assert all("its process was killed, twice" in reason for reason in failures.values())
    assert len(list((tmp_path / "deaths").iterdir())) == deaths
    assert _content(store, D) == b"a>d"


def test_a_worker_killed_between_two_steps_costs_nothing(store: Store, tmp_path: Path) -> None:
    """The executor notices at the next step, which goes to a new process."""
    slots: list[ProcessPoolExecutor] = []

    def slot() -> Executor:
        slots.append(scheduler.process_slot(tmp_path / "log"))
        return slots[-1]

    def observe(event: Event, step: Step) -> None:
        if (event, step.label) == ("stored", "a"):
            for process in (slots[-1]._processes or {}).values():
                process.kill()
                process.join()
            while not slots[-1]._broken:
                time.sleep(0.01)

    assert scheduler.run(scheduler.missing([C], store), store, 1, slot, observe, _work) == {}
    assert len(slots) == 2
    assert _content(store, C) == b"a>b>c"


def test_an_interrupt_keeps_what_was_finished(store: Store) -> None:
    """Ctrl-C loses the steps in progress and no other."""

    def observe(event: Event, step: Step) -> None:
        if (event, step.label) == ("started", "c"):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        scheduler.run(scheduler.missing([C], store), store, 1, lambda: ThreadPoolExecutor(1), observe, _work)
    assert [step.label for step in scheduler.missing([C], store).values()] == ["c"]


def test_workers_write_to_the_log(store: Store, tmp_path: Path) -> None:
    """What C++ prints goes there too: the file descriptors are moved."""
    log = tmp_path / "log"
    failures, _ = _run(store, [A], _shout, 1, lambda: scheduler.process_slot(log))
    assert failures == {}
    assert log.read_text() == "from below\n"


def _shout(step: Step, inputs: Sequence[Artifact]) -> Artifact:
    os.write(2, b"from below\n")
    return _work(step, inputs)


def test_builds_need_the_packages_that_build() -> None:
    """On this machine they are there; that they are looked up, not imported, is what counts."""
    versions = build.builder_versions()
    assert versions is not None
    assert set(versions) == {"tensorflow", "tf-keras", "tensorflow-model-optimization"}
