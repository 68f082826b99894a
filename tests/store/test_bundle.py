"""Artifacts as one file: all of it or nothing, and nothing that is not what it says."""

from __future__ import annotations

import errno
import hashlib
import itertools
import json
import os
import re
import threading
import time
import zipfile
from collections.abc import Callable
from pathlib import Path, PurePath
from typing import Any

import pytest
from runs import Smoke, run_pytest

from optsuite.__main__ import main
from optsuite.errors import OptsuiteError
from optsuite.results.reader import read
from optsuite.spec.artifact import IMPORTED, Artifact
from optsuite.store import bundle
from optsuite.store.store import Store

KEY, OTHER, THIRD = "a" * 64, "b" * 64, "c" * 64
NAME = PurePath("smoke/mnist/conv_baseline_s0/int8")


@pytest.fixture
def store(tmp_path: Path) -> Store:
    """Two artifacts, one of them in the index."""
    store = Store(tmp_path / "a store", pytest.fail)
    store.put(KEY, {"model.tflite": b"weights" * 1000})
    store.put(OTHER, {"model.h5": b"others", "info.json": b"{}"})
    store.point(NAME, KEY)
    return store


@pytest.fixture
def empty(tmp_path: Path) -> Store:
    return Store(tmp_path / "another", pytest.fail)


def _imported(store: Store, key: str) -> Artifact:
    """An artifact of a store, as it is after it was imported."""
    return {**(store.get(key) or {}), IMPORTED: b""}


def test_there_and_back(store: Store, empty: Store, tmp_path: Path) -> None:
    """All artifacts and the index; taking them over twice changes nothing."""
    path = tmp_path / "a bundle.zip"
    assert bundle.export(store, path) == 2
    for _ in range(2):
        assert bundle.load(empty, path) == 2
        assert {key: empty.get(key) for key in empty.stored()} == {key: _imported(store, key) for key in (KEY, OTHER)}
        assert empty.index() == {NAME: KEY}
    assert bundle.export(store, path, [OTHER, OTHER]) == 1
    with zipfile.ZipFile(path) as content:
        assert not any(name.startswith("index") for name in content.namelist())


def test_what_can_not_be_exported(store: Store, tmp_path: Path) -> None:
    """A key that is not there, a folder that is not there: nothing is left behind."""
    with pytest.raises(OptsuiteError, match=r"expected the key of an artifact in .* got c"):
        bundle.export(store, tmp_path / "bundle", [KEY, THIRD])
    with pytest.raises(OptsuiteError, match="can't be written"):
        bundle.export(store, tmp_path / "nowhere" / "bundle")
    assert [path.name for path in tmp_path.iterdir()] == ["a store"]


def _manifest(key: str, **files: bytes) -> bytes:
    hashes = {name: hashlib.sha256(content).hexdigest() for name, content in files.items()}
    return json.dumps({"key": key, "files": hashes}).encode()


GOOD = {f"objects/{KEY}/f": b"content", f"objects/{KEY}/manifest.json": _manifest(KEY, f=b"content")}


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({f"objects/{KEY}/f": b"contenu"}, "f is not what was stored"),
        ({f"objects/{KEY}/manifest.json": _manifest(OTHER, f=b"content")}, "its manifest names bbb"),
        ({f"objects/{KEY}/manifest.json": b"["}, "Expected `object`"),
        ({f"objects/{KEY}/more": b""}, "has files that its manifest does not name"),
        ({f"objects/{OTHER}/f": b"content"}, "There is no item named"),
        ({f"objects/{KEY}/../f": b""}, "has no place in a store"),
        ({"objects/../../f": b""}, "has no place in a store"),
        ({"/etc/passwd": b""}, "has no place in a store"),
        ({"index/smoke/mnist/../int8": KEY.encode()}, "has no place in a store"),
        ({"index/smoke/mnist/conv": KEY.encode()}, "has no place in a store"),
        ({"index/smoke/mnist/conv/int8": OTHER.encode()}, "its index names an artifact that is not in it"),
        ({"index/smoke/mnist/conv/int8": b"\xff"}, "can't decode"),
        ({f"objects/{'A' * 64}/f": b""}, "has no place in a store"),
        ({f"objects/{OTHER}/manifest.json": _manifest(OTHER)}, "its manifest names no file"),
        ({"index/smoke/mnist/.conv/int8": KEY.encode()}, "has no place in a store"),
        ({"index/smoke/mnist/conv\u202e8tni/int8": KEY.encode()}, "has no place in a store"),
        ({f"index/smoke/mnist/{'c' * 300}/int8": KEY.encode()}, "has no place in a store"),
    ],
)
def test_what_is_no_bundle_is_refused_whole(empty: Store, tmp_path: Path, changes: dict[str, bytes], said: str) -> None:
    """Altered, mislabelled, or with names that lead elsewhere: nothing of it lands."""
    path = tmp_path / "bundle.zip"
    with zipfile.ZipFile(path, "w") as content:
        for name, data in (GOOD | changes).items():
            content.writestr(name, data)
    with pytest.raises(OptsuiteError, match=said):
        bundle.load(empty, path)
    assert [found.name for found in tmp_path.iterdir()] == ["bundle.zip"]


@pytest.mark.parametrize("method", [12, 14, 95, 255])
def test_a_method_of_compression_that_is_damage(store: Store, empty: Store, tmp_path: Path, method: int) -> None:
    """One byte of the directory makes deflated data another decompressor's, each of which has errors of its own."""
    path = tmp_path / "bundle.zip"
    bundle.export(store, path)
    content = bytearray(path.read_bytes())
    content[content.index(b"PK\x01\x02") + 10] = method
    path.write_bytes(content)
    with pytest.raises(OptsuiteError, match=f"is compressed by method {method}; expected 0 or 8"):
        bundle.load(empty, path)


def test_a_damaged_artifact_is_repaired(store: Store, tmp_path: Path) -> None:
    """By the bundle that has it whole; what is whole is kept as it is."""
    said: list[str] = []
    damaged = Store(store.root, said.append)
    path = tmp_path / "bundle.zip"
    bundle.export(store, path)
    file = store.root / "objects" / KEY / "model.tflite"
    file.write_bytes(b"damaged")
    assert bundle.load(damaged, path) == 2
    assert "damaged artifact, set aside" in said[0]
    assert store.get(KEY) == {"model.tflite": b"weights" * 1000, IMPORTED: b""}
    assert IMPORTED not in (store.get(OTHER) or {})


@pytest.mark.parametrize(("function", "succeed"), [("rename", 0), ("rename", 1), ("replace", 0)])
def test_what_is_written_half_is_taken_back(
    function: str, succeed: int, store: Store, empty: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The disk is full at the first artifact, at the second, and at the index."""
    path = tmp_path / "bundle.zip"
    bundle.export(store, path)
    empty.put(THIRD, {"f": b"1"})
    empty.point(NAME, THIRD)
    before = sorted(empty.root.rglob("*"))
    real, calls = getattr(os, function), itertools.count()

    def full(*paths: Any, **options: Any) -> None:
        if next(calls) >= succeed:
            raise OSError(errno.ENOSPC, "No space left on device")
        real(*paths, **options)

    monkeypatch.setattr(os, function, full)
    with pytest.raises(OptsuiteError, match="No space left on device"):
        bundle.load(empty, path)
    assert empty.stored() == [THIRD]
    assert empty.index() == {NAME: THIRD}
    left = set(empty.root.rglob("*")) - set(before)
    assert {one.name for one in left if not one.name.startswith(".")} <= {"build.lock", "new"}


def test_importing_waits_for_a_run_that_builds(store: Store, empty: Store, tmp_path: Path) -> None:
    """Both write artifacts: one at a time."""
    path = tmp_path / "bundle.zip"
    bundle.export(store, path)
    said: list[str] = []
    waiting = Store(empty.root, said.append)
    with empty.building():
        thread = threading.Thread(target=bundle.load, args=(waiting, path))
        thread.start()
        while not said:
            time.sleep(0.01)
        assert empty.stored() == []
    thread.join()
    assert said == [f"another run is building in {empty.root}; waiting for it"]
    assert empty.stored() == [KEY, OTHER]


def test_every_damage_of_the_file_is_noticed(store: Store, empty: Store, tmp_path: Path) -> None:
    """Truncated anywhere, or with any byte of the compressed data changed: refused, or the same artifacts after all."""
    path = tmp_path / "bundle.zip"
    bundle.export(store, path)
    whole = path.read_bytes()
    for place in range(0, len(whole), 7):
        for content in (whole[:place], whole[:place] + bytes([whole[place] ^ 0xFF]) + whole[place + 1 :]):
            path.write_bytes(content)
            try:
                bundle.load(empty, path)
            except OptsuiteError:
                continue
            assert all(empty.get(key) == _imported(store, key) for key in empty.stored())
    path.unlink()
    with pytest.raises(OptsuiteError, match="No such file"):
        bundle.load(empty, path)


def test_collecting_keeps_what_is_named(store: Store, capsys: pytest.CaptureFixture[str]) -> None:
    """By the index or by a run; what was set aside goes, too."""
    store.put(THIRD, {"f": b"123"})
    (store.root / "aside").mkdir()
    assert main(["store", "ls", "--cache", str(store.root)]) == 0
    assert "3 artifacts, 0 of them examinations of files, 2 under no name" in capsys.readouterr().out
    size = store.size_bytes(THIRD)
    assert store.collect([OTHER]) == (1, size)
    assert store.stored() == [KEY, OTHER]
    assert not (store.root / "aside").exists()


def test_the_commands(
    run_json: dict[str, Any],
    write_run: Callable[[Any], Path],
    store: Store,
    empty: Store,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Export of a run, import, and gc that keeps what the runs in a folder measured."""
    run_json["benchmarks"] = run_json["benchmarks"][:1]
    run_json["benchmarks"][0]["extra_info"]["optsuite"]["key"] = OTHER
    run = write_run(run_json)
    path = tmp_path / "bundle.zip"
    assert main(["store", "export", str(path), "--run", str(run), "--cache", str(store.root)]) == 0
    assert main(["store", "import", str(path), "--cache", str(empty.root)]) == 0
    assert empty.stored() == [OTHER]
    (tmp_path / "runs").mkdir()
    assert main(["store", "gc", "--keep-runs", str(tmp_path / "runs"), "--cache", str(empty.root)]) == 2
    run.rename(tmp_path / "runs" / "run.json")
    assert main(["store", "gc", "--keep-runs", str(tmp_path / "runs"), "--cache", str(empty.root)]) == 0
    assert empty.stored() == [OTHER]
    assert main(["store", "gc", "--cache", str(empty.root)]) == 0
    assert empty.stored() == []
    assert "1 artifacts deleted" in capsys.readouterr().out


def test_measuring_from_a_bundle(smoke: Smoke, tmp_path: Path) -> None:
    """Built here, measured there, by the index: nothing is built, and TensorFlow is not needed."""
    path = tmp_path / "bundle.zip"
    assert main(["store", "export", str(path), "--run", str(smoke.json), "--cache", str(smoke.cache)]) == 0
    assert main(["store", "import", str(path), "--cache", str(tmp_path / "cache")]) == 0
    done = run_pytest(
        "--optsuite-profile=smoke",
        "--optsuite-models=tutorial",
        "--optsuite-recipes=baseline,prune-0.8",
        "--optsuite-variants=int8",
        f"--optsuite-cache={tmp_path / 'cache'}",
    )
    assert done.returncode == 0, done.stdout
    assert not re.search(r"building \d+ steps|built \d+", done.stdout)


def test_a_measured_file_is_copied_out(smoke: Smoke, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The very bytes; what is no file, or is not there, is one line and exit 2."""
    out = tmp_path / "model.tflite"
    get = ["store", "get", str(smoke.json), "tutorial_qat_s0"]
    assert main([*get, "int8", str(out), "--cache", str(smoke.cache)]) == 0
    row = read(smoke.json).row("tutorial_qat_s0", "int8")
    assert row is not None
    assert hashlib.sha256(out.read_bytes()).hexdigest() == row.measured.sha256
    for variant, cache, said in (("keras", smoke.cache, "has no .tflite file"), ("int8", tmp_path / "no", "is not in")):
        assert main([*get, variant, str(tmp_path / "other"), "--cache", str(cache)]) == 2
        assert said in capsys.readouterr().err
        assert not (tmp_path / "other").exists()
    for folder in (".", "/", str(tmp_path)):
        assert main([*get, "int8", folder, "--cache", str(smoke.cache)]) == 2
        assert "can't be written: Is a directory; expected a file in a folder" in capsys.readouterr().err
