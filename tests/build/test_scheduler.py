"""The graph of steps: order, failures, and processes that die."""

from __future__ import annotations

import io
import os
import signal
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import BrokenExecutor, Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from catalogs import BUILTIN

from optsuite.build import progress, scheduler
from optsuite.build.graph import step_of
from optsuite.build.model_step import ModelStep
from optsuite.build.scheduler import Event, Workers
from optsuite.build.step import Done, Step
from optsuite.build.workers.local import LocalWorkers, Work
from optsuite.catalog.profiles import PROFILES
from optsuite.catalog.selection import select
from optsuite.catalog.variants import VARIANTS
from optsuite.errors import OptsuiteError
from optsuite.spec.artifact import Artifact
from optsuite.spec.stage import Conversion
from optsuite.spec.task import Task
from optsuite.stages import packages
from optsuite.store.store import Store


@dataclass(frozen=True, kw_only=True)
class Say(Conversion):
    """Does nothing but tell its steps apart."""

    word: str

    def run(self, task: Task) -> Artifact:
        raise NotImplementedError


_ANY = step_of(select(BUILTIN).experiments[0], VARIANTS["keras"], PROFILES["smoke"], BUILTIN)


def _step(word: str, *inputs: Step) -> ModelStep:
    return replace(_ANY, model=word, actions=("say",), action=Say(word=word), schedule=None, inputs=inputs)


A = _step("a")
B = _step("b", A)
C = _step("c", B)
D = _step("d", A)


def _work(step: Step, inputs: Sequence[Artifact]) -> Done:
    assert isinstance(step, ModelStep)
    assert isinstance(step.action, Say)
    return Done(artifact={"path": b">".join([*(one["path"] for one in inputs), step.action.word.encode()])}, seconds=1)


class Threads:
    """Workers without processes."""

    title = "threads"

    def __init__(self, count: int, work: Work) -> None:
        self._executor = ThreadPoolExecutor(count)
        self._count = count
        self._work = work
        self._at_work: list[Future[Done]] = []

    def takes(self, step: Step) -> bool:
        return True

    def free(self) -> bool:
        return sum(not future.done() for future in self._at_work) < self._count

    def submit(self, step: Step, inputs: list[Artifact], urgency: float) -> Future[Done]:
        self._at_work.append(self._executor.submit(self._work, step, inputs))
        return self._at_work[-1]

    def close(self) -> None:
        self._executor.shutdown()


def _run(
    store: Store, steps: Sequence[Step], builders: Workers, seconds: Mapping[str, float] | None = None
) -> tuple[dict[str, str], list[tuple[Event, str]]]:
    events: list[tuple[Event, str]] = []
    todo = scheduler.missing(steps, store)

    def observe(event: Event, step: Step | None, outcome: Done | str | None) -> None:
        if step:
            events.append((event, step.model))

    failures = scheduler.run(todo, store, builders, observe, seconds or dict.fromkeys(todo, 1.0))
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
    failures, _ = _run(store, [C, D], Threads(2, _work))
    assert failures == {}
    assert _content(store, C) == b"a>b>c"
    assert _content(store, D) == b"a>d"


def test_the_longest_path_goes_first(store: Store) -> None:
    """With one worker, the step that most work waits for is next."""
    long = _step("long", A)
    _, events = _run(store, [D, long], Threads(1, _work), {A.key: 1, D.key: 1, long.key: 2})
    assert [label for event, label in events if event == "started"] == ["a", "long", "d"]


def test_what_is_stored_is_not_built_and_its_inputs_not_looked_at(store: Store) -> None:
    """Only what is missing, and what that needs."""
    store.put(B.key, {"path": b"from before"})
    assert [step.model for step in scheduler.missing([C], store).values()] == ["c"]
    _run(store, [C], Threads(1, _work))
    assert _content(store, C) == b"from before>c"


def test_a_failure_takes_only_what_needs_it(store: Store) -> None:
    """The real error is handed to every step that fell with it; the rest is built."""

    def work(step: Step, inputs: Sequence[Artifact]) -> Done:
        if step.model == "b":
            raise ZeroDivisionError("the real error")
        return _work(step, inputs)

    failures, events = _run(store, [C, D], Threads(1, work))
    assert set(failures) == {B.key, C.key}
    assert all("ZeroDivisionError: the real error" in reason for reason in failures.values())
    assert failures[C.key].startswith("b s0: say:")
    assert [label for event, label in events if event == "failed"] == ["b", "c"]
    assert _content(store, D) == b"a>d"


def test_a_step_that_fell_twice_is_told_of_once(store: Store) -> None:
    """With the first of its inputs to fail."""

    def work(step: Step, inputs: Sequence[Artifact]) -> Done:
        if step.model in ("b", "d"):
            raise ZeroDivisionError
        return _work(step, inputs)

    _, events = _run(store, [_step("both", B, D)], Threads(1, work))
    assert sorted(label for event, label in events if event == "failed") == ["b", "both", "d"]


def test_what_the_user_can_mend_comes_without_a_traceback(store: Store) -> None:
    """One line, as everywhere."""

    def work(step: Step, inputs: Sequence[Artifact]) -> Done:
        raise OptsuiteError("expected that, got this")

    failures, _ = _run(store, [A], Threads(1, work))
    assert failures == {A.key: "a s0: say: expected that, got this"}


def test_what_a_cluster_cancels_has_failed(store: Store) -> None:
    """Once it is tried again; twice is no reason to wait for ever, nor to fall over."""

    class Cancels(Threads):
        def submit(self, step: Step, inputs: list[Artifact], urgency: float) -> Future[Done]:
            future: Future[Done] = Future()
            future.cancel()
            future.set_running_or_notify_cancel()
            return future

    failures, _ = _run(store, [C], Cancels(1, _work))
    assert set(failures) == {A.key, B.key, C.key}
    assert failures[A.key] == "a s0: say: it was cancelled, twice"


def _die(step: Step, inputs: Sequence[Artifact]) -> Done:
    """Kill the own process as often as the environment says; a file a death keeps count."""
    folder = Path(os.environ["DEATHS"])
    if step.model == "b" and len(list(folder.iterdir())) < int(os.environ["HOW_MANY"]):
        (folder / f"{time.monotonic_ns()}").touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return _work(step, inputs)


def _nothing() -> None:
    """What these processes begin with, in the place of TensorFlow."""


def _processes(count: int, folder: Path, work: Work = _work) -> LocalWorkers:
    return LocalWorkers(count, folder / "log", work, _nothing)


@pytest.mark.parametrize(("deaths", "failed"), [(1, set()), (2, {B.key, C.key})])
def test_a_killed_worker_costs_one_retry(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, deaths: int, failed: set[str]
) -> None:
    """Once is bad luck, twice is the step's own failure; the steps beside it never notice."""
    (tmp_path / "deaths").mkdir()
    monkeypatch.setenv("DEATHS", str(tmp_path / "deaths"))
    monkeypatch.setenv("HOW_MANY", str(deaths))
    failures, _ = _run(store, [C, D], _processes(2, tmp_path, _die))
    assert set(failures) == failed
    assert all("the process that ran the step was killed twice" in reason for reason in failures.values())
    assert len(list((tmp_path / "deaths").iterdir())) == deaths
    assert _content(store, D) == b"a>d"


def test_a_worker_killed_between_two_steps_costs_nothing(store: Store, tmp_path: Path) -> None:
    """The executor notices at the next step, which goes to a new process."""
    builders = _processes(1, tmp_path)
    (first,) = builders._places

    def observe(event: Event, step: Step | None, outcome: Done | str | None) -> None:
        if step and (event, step.model) == ("stored", "a"):
            for process in (first._processes or {}).values():
                process.kill()
                process.join()
            while not first._broken:
                time.sleep(0.01)

    todo = scheduler.missing([C], store)
    assert scheduler.run(todo, store, builders, observe, dict.fromkeys(todo, 1.0)) == {}
    assert builders._places != [first]
    assert _content(store, C) == b"a>b>c"


def test_without_a_terminal_there_is_a_line_a_minute(store: Store) -> None:
    """A log says what is done and left, and how long that may take; nothing before the first minute is over."""
    todo = scheduler.missing([C], store)
    seconds = dict(zip(todo, (10.0, 10.0, 20.0), strict=True))
    stream, now = io.StringIO(), 0.0
    with progress.steps("building", "built", seconds, stream, clock=lambda: now) as observe:

        def passing(event: Event, step: Step | None, outcome: Done | str | None) -> None:
            nonlocal now
            now += 20
            observe(event, step, outcome)

        assert scheduler.run(todo, store, Threads(1, _work), passing, seconds) == {}
    # Three events a step, 20 s each: it is started, waited for and stored.
    assert stream.getvalue().splitlines() == [
        "optsuite: built 1 of 3 steps in 60 s, about 180 s left",
        "optsuite: built 2 of 3 steps in 120 s, about 120 s left",
        "optsuite: built 3 of 3 steps in 180 s, about 0 s left",
    ]
    waiting = io.StringIO()
    with progress.steps("building", "built", seconds, waiting, clock=lambda: now) as observe:
        now += 60
        observe("waiting", None, None)
    assert waiting.getvalue() == "optsuite: built 0 of 3 steps in 60 s, no estimate yet\n"


def test_an_interrupt_keeps_what_was_finished(store: Store) -> None:
    """Ctrl-C loses the steps in progress and no other."""

    def observe(event: Event, step: Step | None, outcome: Done | str | None) -> None:
        if step and (event, step.model) == ("started", "c"):
            raise KeyboardInterrupt

    todo = scheduler.missing([C], store)
    with pytest.raises(KeyboardInterrupt):
        scheduler.run(todo, store, Threads(1, _work), observe, dict.fromkeys(todo, 1.0))
    assert [step.model for step in scheduler.missing([C], store).values()] == ["c"]


def _sleep(step: Step, inputs: Sequence[Artifact]) -> Done:
    time.sleep(600)
    return _work(step, inputs)


def test_closing_does_not_wait_for_what_is_at_work(tmp_path: Path) -> None:
    """Who presses Ctrl-C does not want to see an epoch to its end."""
    builders = _processes(1, tmp_path, _sleep)
    future = builders.submit(A, [], 1.0)
    while not future.running():
        time.sleep(0.01)
    builders.close()
    assert isinstance(future.exception(), BrokenExecutor)


def test_workers_write_to_the_log(store: Store, tmp_path: Path) -> None:
    """What C++ prints goes there too: the file descriptors are moved."""
    failures, _ = _run(store, [A], _processes(1, tmp_path, _shout))
    assert failures == {}
    assert (tmp_path / "log").read_text() == "from below\n"


def _shout(step: Step, inputs: Sequence[Artifact]) -> Done:
    os.write(2, b"from below\n")
    return _work(step, inputs)


@dataclass(frozen=True, kw_only=True)
class Unreadable(Say):
    """Can be sent, and not be received."""

    def __reduce__(self) -> tuple[object, ...]:
        return int, ("no number",)


def test_a_step_that_a_worker_cannot_read_has_its_own_error(store: Store, tmp_path: Path) -> None:
    """It kills no process."""
    step = replace(A, model="unreadable", actions=("done",), action=Unreadable(word="u"))
    failures, _ = _run(store, [step, D], _processes(1, tmp_path))
    assert set(failures) == {step.key}
    assert "invalid literal for int() with base 10: 'no number'" in failures[step.key]


def test_the_first_step_of_a_process_tells_how_long_it_took_to_start(tmp_path: Path) -> None:
    """And the others do not."""
    builders = _processes(1, tmp_path)
    first, second = (builders.submit(step, [], 1.0).result() for step in (A, _step("other")))
    builders.close()
    assert first.start_s is not None
    assert first.start_s > 0
    assert second.start_s is None


def test_builds_need_the_packages_that_build() -> None:
    """On this machine they are there; that they are looked up, not imported, is what counts."""
    versions = packages.builder_versions()
    assert versions is not None
    assert set(versions) == {"tensorflow", "tf-keras", "tensorflow-model-optimization", "numpy"}
