"""Building on a Dask cluster: a real scheduler, and two worker processes that get killed."""

from __future__ import annotations

import hashlib
import importlib
import io
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path, PurePath

import pytest
from catalogs import BUILTIN
from distributed import Client, LocalCluster
from runs import EXAMINATIONS, HANGS_S, NPUS, ROOT, SMOKE, Smoke, assert_same_artifacts, run_pytest

from optsuite import cpu
from optsuite.build import scheduler
from optsuite.build.examiner import Examiner, StoredFile
from optsuite.build.graph import step_of
from optsuite.build.step import Step
from optsuite.build.workers import dask as workers
from optsuite.catalog.profiles import PROFILES
from optsuite.catalog.selection import select
from optsuite.catalog.variants import VARIANTS
from optsuite.errors import OptsuiteError
from optsuite.examine.examination import Examination, ExaminationTask
from optsuite.results.examined import Findings
from optsuite.results.figures import Figure
from optsuite.spec.artifact import TFLITE, Artifact
from optsuite.spec.data import Split
from optsuite.spec.stage import Conversion
from optsuite.spec.task import Task
from optsuite.store.store import Store

pytestmark = pytest.mark.slow


@dataclass(frozen=True, kw_only=True)
class Count(Conversion):
    """Tells which process did it, and of what data."""

    word: str = ""

    def run(self, task: Task) -> Artifact:
        images = len(task.splits["train"].x), len(task.splits["test"].x)
        return {"found": f"{self.word}{os.getpid()} {images}".encode()}


@dataclass(frozen=True, kw_only=True)
class Kill(Conversion):
    """Kills its own process, which it writes down."""

    folder: str

    def run(self, task: Task) -> Artifact:
        (Path(self.folder) / str(os.getpid())).touch()
        os.kill(os.getpid(), signal.SIGKILL)
        raise AssertionError


_ANY = step_of(select(BUILTIN).experiments[0], VARIANTS["keras"], PROFILES["smoke"], BUILTIN)
COUNT = replace(_ANY, model="count", actions=("done",), action=Count(), schedule=None)


@pytest.fixture(scope="module")
def dask() -> Iterator[LocalCluster]:
    """Two workers of one thread; Dask's own nannies start them again."""
    with LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=":0", silence_logs=50) as local:
        yield local


@pytest.fixture
def address(dask: LocalCluster) -> str:
    """Of the scheduler, once both workers are there: a test before may have killed one."""
    with Client(dask.scheduler_address, set_as_default=False) as client:
        try:
            client.wait_for_workers(2, timeout=60)
        except TimeoutError:
            # A nanny gives up where the scheduler has not yet seen that the name of its killed worker is free.
            dask.scale(0)
            dask.scale(2)
            client.wait_for_workers(2, timeout=HANGS_S)
    return str(dask.scheduler_address).removeprefix("tcp://")


@dataclass(frozen=True, kw_only=True)
class Where(Examination[Findings]):
    """Leaves the number of its process in a folder; its result would differ on another CPU."""

    name: str = "where"
    folder: str = ""
    figures = (Figure(name="first_byte", label="first byte", unit="", better="lower"),)

    def tools(self) -> Mapping[str, str]:
        return {"cpu": cpu.features()}

    def run(self, task: ExaminationTask) -> Findings:
        (Path(self.folder) / f"{os.getpid()}-{time.monotonic_ns()}").touch()
        return Findings(figures={"first_byte": task.content[0]})


def _another_cpu() -> None:
    """In a worker: be a machine with other instruction sets."""
    cpu.features = lambda: "x86_64 sse4_1"  # type: ignore[assignment]


def _this_cpu() -> None:
    """In a worker: be what it is."""
    importlib.reload(cpu)


def _run(address: str, steps: list[Step], store: Store) -> dict[str, str]:
    todo = scheduler.missing(steps, store)
    builders = workers.DaskWorkers(address, steps)
    return scheduler.run(todo, store, builders, lambda *_: None, dict.fromkeys(todo, 1.0))


def test_the_workers_get_the_data_that_the_profile_allows(address: str, tmp_path: Path) -> None:
    """It came with no step, and `load` could not be called there."""

    def load(split: str) -> Split:
        assert os.getpid() == here, "the data was loaded on the worker"
        return _ANY.dataset.load(split)

    here = os.getpid()
    step = replace(COUNT, dataset=replace(_ANY.dataset, load=load))
    store = Store(tmp_path, print)
    assert _run(address, [step], store) == {}
    artifact = store.get(step.key)
    assert artifact is not None
    assert artifact["found"].decode().endswith(" (6000, 500)")
    assert not artifact["found"].decode().startswith(f"{here} ")


def test_a_step_that_kills_two_workers_has_failed(address: str, tmp_path: Path) -> None:
    """Neither is it tried for ever, nor does it take others with it."""
    (tmp_path / "killed").mkdir()
    kill = replace(COUNT, model="kill", actions=("done",), action=Kill(folder=str(tmp_path / "killed")))
    beside = [replace(COUNT, model=f"beside {i}", actions=("done",), action=Count(word=str(i))) for i in range(20)]
    store = Store(tmp_path / "store", print)
    failures = _run(address, [kill, *beside], store)
    assert set(failures) == {kill.key}
    assert failures[kill.key].startswith("kill s0: done: it killed 2 workers, the last at tcp://127.0.0.1:")
    assert len(list((tmp_path / "killed").iterdir())) == 2


def test_a_worker_of_another_version_builds_nothing(address: str, tmp_path: Path) -> None:
    """What it would make does not belong under this key."""
    step = replace(COUNT)
    step.__dict__["parts"] = {**step.parts, "packages": {**step.parts["packages"], "tensorflow": "1.0"}}
    failures = _run(address, [step], Store(tmp_path, print))
    assert failures[step.key].startswith(
        "count s0: done: tensorflow changed since the run began, or differ in the process"
    )


def test_a_worker_with_other_settings_builds_nothing(address: str, tmp_path: Path) -> None:
    """Not all that is in a key is in a file: the worker computes the key, and believes none."""
    step = replace(COUNT)
    step.__dict__["key"] = "f" * 64
    failures = _run(address, [step], Store(tmp_path, print))
    assert "count s0: done: its settings changed since the run began" in failures[step.key]


def test_runs_on_one_cluster_do_not_meet(address: str, tmp_path: Path) -> None:
    """The same step for two, of which the first is interrupted."""
    first = workers.DaskWorkers(address, [COUNT])
    first.submit(COUNT, [], 1.0)
    second = workers.DaskWorkers(address, [COUNT])
    answer = second.submit(COUNT, [], 1.0)
    first.close()
    assert answer.result(timeout=HANGS_S).artifact["found"].endswith(b" (6000, 500)")
    second.close()


def test_a_closed_client_says_that_the_scheduler_is_gone(address: str) -> None:
    """Whatever Dask raises then."""
    builders = workers.DaskWorkers(address, [COUNT])
    builders._client.close()
    with pytest.raises(OptsuiteError, match="is gone"):
        builders.free()
    with pytest.raises(OptsuiteError, match="is gone"):
        builders.submit(COUNT, [], 1.0)
    builders.close()


def test_data_that_can_not_be_had_leaves_nothing_behind(address: str) -> None:
    """A cluster that can't be used is one line, and no client of it stays."""

    def load(split: str) -> Split:
        raise OSError("no such file")

    with Client(address) as client:
        before = len(client.run_on_scheduler(lambda dask_scheduler: list(dask_scheduler.clients)))
        with pytest.raises(OptsuiteError, match=r"can't build .*raised OSError: no such file"):
            workers.DaskWorkers(address, [replace(COUNT, dataset=replace(_ANY.dataset, load=load))])
        assert len(client.run_on_scheduler(lambda dask_scheduler: list(dask_scheduler.clients))) == before


def test_a_scheduler_that_does_not_answer_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """One line."""
    monkeypatch.setattr(workers, "_CONNECT_S", 0.5)
    with pytest.raises(OptsuiteError, match=r"no Dask scheduler answers at 127\.0\.0\.1:9"):
        workers.DaskWorkers("127.0.0.1:9", [COUNT])


def test_a_scheduler_that_goes_is_named(tmp_path: Path) -> None:
    """In the middle of a build; this one had no workers yet, for which the build would have waited."""
    command = [sys.executable, "-m", "distributed.cli.dask_scheduler", "--host=127.0.0.1", "--port=0", "--no-dashboard"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        address = next(found[1] for line in process.stderr if (found := re.search(r"tcp://(\S+)", line)))
        builders = workers.DaskWorkers(address, [_ANY])
        assert "on 0 workers" in builders.title
        threading.Timer(1, process.kill).start()
        with pytest.raises(OptsuiteError, match="is gone"):
            scheduler.run({_ANY.key: _ANY}, Store(tmp_path, print), builders, lambda *_: None, {_ANY.key: 1.0})


def test_a_build_survives_a_worker_and_is_the_same_to_the_byte(address: str, smoke: Smoke, tmp_path: Path) -> None:
    """The real command; the worker is killed at a step, and what comes is what the processes of this machine make."""
    command = [sys.executable, "-m", "pytest", "benchmarks/test_accuracy.py", f"--optsuite-builders=dask://{address}"]
    command += ["--optsuite-profile=smoke", "--optsuite-models=tutorial", "--optsuite-recipes=baseline,qat"]
    command += ["--optsuite-variants=fp32,int8", f"--optsuite-cache={tmp_path}", "-p", "no:cacheprovider"]
    command += [SMOKE[-1]]  # the targets
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as run, Client(address) as client:
        before = client.run(os.getpid)
        while not (busy := [worker for worker, keys in client.processing().items() if keys]):
            assert run.poll() is None
            time.sleep(0.05)
        os.kill(before[busy[0]], signal.SIGKILL)
        output, _ = run.communicate(timeout=HANGS_S)
        assert before[busy[0]] not in client.run(os.getpid).values()
    assert run.returncode == 0, output
    assert "on 2 workers of the Dask scheduler" in output
    built, local = Store(tmp_path, print), Store(smoke.cache, print)
    assert len(built.stored()) == 6 + 4 * EXAMINATIONS  # four of them are files
    assert_same_artifacts(built, local)


def _examined(address: str, folder: Path, where: Where) -> set[int]:
    """Examine ten files, and return the processes that did it."""
    (folder / "done").mkdir()
    store = Store(folder / "store", print)
    files = []
    for number in range(10):
        content = bytes([number]) * 100
        key = hashlib.sha256(content).hexdigest()
        store.put(key, {TFLITE: content})
        name = PurePath("full", "mnist", f"net{number}_baseline_s0", "int8")
        files.append(
            StoredFile(
                model=f"net{number}",
                dataset=_ANY.dataset,
                seed=0,
                actions=("int8",),
                index_name=name,
                key=key,
                sha256=key,
            )
        )
    examiner = Examiner([where], _ANY.profile, _ANY.profile.split, store, print)
    examiner.examine(files, lambda steps, log: workers.DaskWorkers(address, steps), io.StringIO())
    assert [examiner.find(file, where).figures["first_byte"] for file in files] == list(range(10))
    return {int(path.name.partition("-")[0]) for path in (folder / "done").iterdir()}


def test_workers_examine_only_where_they_are_like_this_machine(address: str, tmp_path: Path) -> None:
    """Both of them; then one of them has another CPU; then both have, and processes of this machine do it."""
    with Client(address, set_as_default=False) as client:
        pids = client.run(os.getpid)
        first, second = pids
        try:
            for number, (changed, expected) in enumerate(
                [([], set(pids.values())), ([first], {pids[second]}), ([second], set())]
            ):
                if changed:
                    client.run(_another_cpu, workers=changed)
                folder = tmp_path / str(number)
                folder.mkdir()
                found = _examined(address, folder, Where(folder=str(folder / "done")))
                assert found & set(pids.values()) == expected
                assert len(found) >= 1
        finally:
            client.run(_this_cpu)


@dataclass(frozen=True, kw_only=True)
class KillsOnce(Where):
    """Kills its process the first time."""

    def run(self, task: ExaminationTask) -> Findings:
        died = Path(self.folder).parent / "died"
        if not died.exists():
            died.touch()
            os.kill(os.getpid(), signal.SIGKILL)
        return super().run(task)


def test_what_only_a_lost_worker_could_do_is_done_by_its_successor(address: str, tmp_path: Path) -> None:
    """It has another address, for which Dask would not wait."""
    with Client(address, set_as_default=False) as client:
        first, *_ = before = client.run(os.getpid)
        client.run(_another_cpu, workers=[first])
        try:
            found = _examined(address, tmp_path, KillsOnce(folder=str(tmp_path / "done")))
            after = client.run(os.getpid)
        finally:
            client.run(_this_cpu)
    assert found == set(after.values()) - {before[first]}


def test_workers_examine_the_answers_of_a_run(address: str, smoke: Smoke, tmp_path: Path) -> None:
    """The real command on files that are built and not examined: the same is found as by processes of this machine."""
    cache = shutil.copytree(smoke.cache, tmp_path / "cache")
    for path in cache.glob("objects/*/findings.json"):
        shutil.rmtree(path.parent)
    done = run_pytest(
        *SMOKE, "--optsuite-recipes=baseline,qat", f"--optsuite-builders=dask://{address}", f"--optsuite-cache={cache}"
    )
    assert done.returncode == 0, done.stdout
    after = list(cache.glob("objects/*/findings.json"))
    # Of 11 files; a file that has a reason instead of findings, as floats have on an NPU, is not examined again.
    assert 11 * 4 + 8 * NPUS <= len(after) < 11 * EXAMINATIONS
    assert f"examining {len(after)} steps, on 2 workers of the Dask scheduler" in done.stdout, done.stdout
    assert_same_artifacts(Store(cache, print), Store(smoke.cache, print))
