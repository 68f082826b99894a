"""A full or read-only disk: one clear line, an exit code, and what was there before is intact."""

from __future__ import annotations

import contextlib
import json
import re
import shutil
import subprocess
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from runs import SMOKE, Smoke, run_pytest

from optsuite.__main__ import main
from optsuite.results import reader

_FEW = (*SMOKE, "--optsuite-recipes=baseline", "--optsuite-variants=int8", "--optsuite-targets=none")


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Callable[[int], Path]]:
    """A disk of so many KB, where this machine lets us have one."""
    place = tmp_path / "disk"
    place.mkdir()

    def mount(kilobytes: int) -> Path:
        command = ["mount", "-t", "tmpfs", "-o", f"size={kilobytes}k", "tmpfs", str(place)]
        if subprocess.run(command, capture_output=True, check=False).returncode:
            pytest.skip("no tmpfs can be mounted here")
        return place

    yield mount
    subprocess.run(["umount", place], capture_output=True, check=False)


def _fill(disk: Path) -> None:
    with (disk / "filler").open("wb", buffering=0) as filler, contextlib.suppress(OSError):
        while True:
            filler.write(bytes(4096))


def _read_only(disk: Path) -> None:
    subprocess.run(["mount", "-o", "remount,ro", disk], check=True)


def _content(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and path.name not in ("filler", "build.lock", "build.log")
    }


@pytest.mark.parametrize("spoil", [_fill, _read_only], ids=["full", "read-only"])
def test_a_store(
    spoil: Callable[[Path], None], small_disk: Callable[[int], Path], smoke: Smoke, tally: Counter[str]
) -> None:
    """A build that has no room says so; what is stored can still be measured."""
    disk = small_disk(20_000)
    cache = Path(shutil.copytree(smoke.cache, disk / "cache"))
    before = _content(cache)
    spoil(disk)
    tally["a store on a full or read-only disk"] += 1
    done = run_pytest(*_FEW, "--optsuite-seeds=7", f"--optsuite-cache={cache}")
    assert done.returncode == pytest.ExitCode.USAGE_ERROR, done.stdout
    said = [line for line in (done.stdout + done.stderr).splitlines() if "can't be written" in line]
    assert len(said) == 1
    assert "Traceback" not in done.stdout + done.stderr
    assert _content(cache) == before
    done = run_pytest(*_FEW, f"--optsuite-cache={cache}")
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("spoil", [_fill, _read_only], ids=["full", "read-only"])
@pytest.mark.parametrize("command", ["report", "history"])
def test_a_report(
    command: str,
    spoil: Callable[[Path], None],
    small_disk: Callable[[int], Path],
    run_json: dict[str, Any],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    tally: Counter[str],
) -> None:
    """The report of yesterday stays."""
    kept = tmp_path / "kept"
    kept.mkdir()
    (kept / "0001_run.json").write_text(json.dumps(run_json))
    out = small_disk(20_000) / "out"
    arguments = [command, str(kept / "0001_run.json" if command == "report" else kept), "--out", str(out)]
    assert main(arguments) == 0
    before = _content(out)
    spoil(out.parent)
    tally["a report on a full or read-only disk"] += 1
    capsys.readouterr()
    assert main(arguments) == 2
    said = capsys.readouterr().err
    assert "can't be written to" in said
    assert said.count("\n") == 1
    assert _content(out) == before


def test_somebody_elses_file(smoke: Smoke, tmp_path: Path, tally: Counter[str]) -> None:
    """A report of pytest's own that can't be written costs no finished run, and is not said of its JSON."""
    tally["another plugin's file that can't be written"] += 1
    path, file = tmp_path / "run.json", tmp_path / "file"
    file.touch()
    report = f"--junitxml={file / 'junit.xml'}"
    done = run_pytest(*_FEW, f"--optsuite-cache={smoke.cache}", f"--benchmark-json={path}", report)
    assert done.returncode != 0
    assert str(file) in done.stdout + done.stderr
    assert "run.json can't be written" not in done.stdout
    assert reader.read(path).rows


def test_what_pytest_benchmark_writes_beside_the_json(
    small_disk: Callable[[int], Path], smoke: Smoke, tmp_path: Path, tally: Counter[str]
) -> None:
    """Its own storage is full, or is no folder, when the JSON is whole: the run is kept."""
    full, file = small_disk(8), tmp_path / "file"
    file.touch()
    for storage, said in ((full, "No space left on device"), (file, "Not a directory|File exists")):
        tally["another plugin's file that can't be written"] += 1
        path = tmp_path / f"{storage.name}.json"
        saving = ("--benchmark-autosave", f"--benchmark-storage={storage}")
        done = run_pytest(*_FEW, f"--optsuite-cache={smoke.cache}", f"--benchmark-json={path}", *saving)
        assert done.returncode != 0
        assert re.search(said, done.stdout + done.stderr)
        assert ".json can't be written" not in done.stdout
        assert reader.read(path).rows


def test_a_json_that_can_not_be_opened(smoke: Smoke, tmp_path: Path, tally: Counter[str]) -> None:
    """One line, and what was there is left."""
    path = tmp_path / "run.json"
    path.mkdir()
    tally["a JSON on a full disk"] += 1
    done = run_pytest(*_FEW, f"--optsuite-cache={smoke.cache}", f"--benchmark-json={path}")
    assert done.returncode == pytest.ExitCode.USAGE_ERROR
    assert "run.json can't be written: Is a directory" in done.stdout
    assert "Traceback" not in done.stdout + done.stderr
    assert path.is_dir()


def test_a_json(small_disk: Callable[[int], Path], smoke: Smoke, tally: Counter[str]) -> None:
    """A run whose JSON has no room has failed, and nobody takes what is there for a run."""
    disk = small_disk(64)
    tally["a JSON on a full disk"] += 1
    rounds = "--benchmark-min-rounds=1000"  # each is kept in the JSON
    done = run_pytest(*_FEW, rounds, f"--optsuite-cache={smoke.cache}", f"--benchmark-json={disk / 'run.json'}")
    assert done.returncode == pytest.ExitCode.USAGE_ERROR
    assert "run.json can't be written: No space left on device" in done.stdout
    assert "Traceback" not in done.stdout + done.stderr
    assert "4 passed" in done.stdout  # what was found is told all the same
    assert not (disk / "run.json").exists()
    assert main(["report", str(disk / "run.json"), "--out", str(disk / "out")]) == 2
