"""SIGKILL at random moments: the next run finishes, with nothing that is not whole, and nothing made twice."""

from __future__ import annotations

import hashlib
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from runs import HANGS_S, ROOT, SMOKE, Smoke, group_ends

from optsuite.errors import OptsuiteError
from optsuite.results import reader
from optsuite.store.store import Store

_FEW = ("--optsuite-recipes=baseline,qat", "--optsuite-variants=fp32,int8", "--optsuite-targets=none")


def _start(cache: Path, *arguments: str) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "pytest", "benchmarks/", *SMOKE, *_FEW, "--benchmark-quiet", *arguments]
    with (cache.parent / "output.log").open("wb") as log:
        return subprocess.Popen(
            [*command, f"--optsuite-cache={cache}", "-p", "no:cacheprovider"],
            cwd=ROOT,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )


def _kill_after(run: subprocess.Popen[bytes], seconds: float) -> bool:
    """Kill it and all its workers; whether it was still running."""
    try:
        run.wait(timeout=seconds)
    except subprocess.TimeoutExpired:
        os.killpg(run.pid, signal.SIGKILL)
        run.wait()
        return True
    return False


def _state(cache: Path) -> dict[str, tuple[int, str]]:
    """Of each artifact: when its manifest was written, and what the files in it are."""
    store = Store(cache, pytest.fail)
    found = {}
    for key in store.stored():
        artifact = store.get(key)
        assert artifact is not None
        digest = hashlib.sha256(b"".join(artifact[name] for name in sorted(artifact))).hexdigest()
        found[key] = ((cache / "objects" / key / "manifest.json").stat().st_mtime_ns, digest)
    return found


def test_builds(smoke: Smoke, tmp_path: Path, times: Callable[[int, int], int], tally: Counter[str]) -> None:
    """Whatever moment it is, what was finished stays as it is, and in the end all is as if nothing had happened."""
    expected = {key: digest for key, (_, digest) in _state(smoke.cache).items()}
    rng = random.Random(0)
    wanted, killed, cache = times(2, 40), 0, tmp_path / "cache"
    while killed < wanted:
        before = _state(cache)
        run = _start(cache, "-k", "test_invariants_hold_after_each_stage or test_invariants_hold_in_the_file")
        alive = _kill_after(run, rng.uniform(0.2, 12))
        killed += alive
        tally["a build killed"] += alive
        after = _state(cache)
        assert {key: after.get(key) for key in before} == before
        assert {key: digest for key, (_, digest) in after.items()}.items() <= expected.items()
        if not alive:  # it was finished before the blow
            assert run.returncode == 0
            shutil.rmtree(cache)
    before = _state(cache)
    assert _start(cache).wait(timeout=HANGS_S) == 0, (tmp_path / "output.log").read_text()
    after = _state(cache)
    assert {key: after[key] for key in before} == before
    assert {key: digest for key, (_, digest) in after.items()}.items() <= expected.items()


def test_measurements(smoke: Smoke, tmp_path: Path, times: Callable[[int, int], int], tally: Counter[str]) -> None:
    """The JSON is whole or is none; the next run finishes and finds what it would have found."""
    expected = {
        (row.measured.experiment, row.measured.variant): row.measured.test for row in reader.read(smoke.json).rows
    }
    cache, path = tmp_path / "cache", tmp_path / "run.json"
    shutil.copytree(smoke.cache, cache)
    before = _state(cache)
    rng = random.Random(1)
    for _ in range(times(2, 10)):
        alive = _kill_after(_start(cache, f"--benchmark-json={path}"), rng.uniform(0.5, 3.5))
        tally["a measurement killed"] += alive
        try:
            found = reader.read(path)
        except OptsuiteError:
            continue  # none, or cut short: it says so, and is not believed
        assert all(row.measured.test == expected[row.measured.experiment, row.measured.variant] for row in found.rows)
    assert _start(cache, f"--benchmark-json={path}").wait(timeout=HANGS_S) == 0
    rows = reader.read(path).rows
    assert len(rows) == 4
    assert all(row.measured.test == expected[row.measured.experiment, row.measured.variant] for row in rows)
    assert _state(cache) == before


def test_the_workers_of_a_killed_run_end(
    smoke: Smoke, tmp_path: Path, times: Callable[[int, int], int], tally: Counter[str]
) -> None:
    """Only the parent is killed, in the middle of a step that has no end: nothing is left running."""
    cache = shutil.copytree(smoke.cache, tmp_path / "cache")
    command = [sys.executable, "-m", "pytest", "-p", "sabotage", "benchmarks/test_invariants.py", *SMOKE]
    command += ["--optsuite-recipes=hang", f"--optsuite-cache={cache}", "-p", "no:cacheprovider"]
    for number in range(times(1, 10)):
        begun = tmp_path / f"begun {number}"
        environment = os.environ | {"PYTHONPATH": str(ROOT / "tests"), "SABOTAGE_FILE": str(begun)}
        pid = _killed_once(begun, command, cwd=ROOT, env=environment, stdout=subprocess.DEVNULL)
        tally["a run killed without its workers"] += 1
        assert group_ends(pid)


def _killed_once(begun: Path, command: list[str], **options: Any) -> int:
    """Start a process group, kill its first process alone once the file is there, and return its number."""
    with subprocess.Popen(command, start_new_session=True, **options) as run:
        while not begun.exists():
            assert run.poll() is None
            time.sleep(0.1)
        run.kill()
    return run.pid


_HOLDS = "import ctypes; ctypes.PyDLL(None).pause()"  # it keeps Python's lock, as some of C and C++ do
_WORKERS = "from optsuite.build.workers.local import LocalWorkers as W; W(1, Path('log'), exec).submit({}, {{}}, 0)"
_EXECUTOR = "from optsuite import spawn; spawn.executor().submit(exec, {})"


@pytest.mark.parametrize(
    ("start", "work"),
    [
        pytest.param(_WORKERS, _HOLDS, marks=pytest.mark.skipif(sys.platform != "linux", reason="of Linux alone")),
        (_EXECUTOR, "import time; time.sleep(1e6)"),
    ],
)
def test_what_is_at_work_for_a_killed_process_ends(start: str, work: str, tmp_path: Path, tally: Counter[str]) -> None:
    """A worker in the midst of a call, and what loads the data for one."""
    begun = tmp_path / "begun"
    submitted = repr(f"open({str(begun)!r}, 'w').close(); {work}")
    code = f"from pathlib import Path; {start.format(submitted)}; input()"
    pid = _killed_once(begun, [sys.executable, "-c", code], cwd=tmp_path, stdin=subprocess.PIPE)
    tally["a run killed without its workers"] += 1
    assert group_ends(pid)
