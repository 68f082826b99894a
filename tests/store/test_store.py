"""Artifacts on disk: whole or not at all, and never believed unread."""

from __future__ import annotations

import errno
import os
import threading
from collections.abc import Callable
from pathlib import Path, PurePath
from typing import Any

import pytest

from optsuite.errors import OptsuiteError
from optsuite.store.store import Store

KEY, OTHER = "a" * 64, "b" * 64
ARTIFACT = {"model.h5": b"weights", "info.json": b"{}"}


@pytest.fixture
def said() -> list[str]:
    return []


@pytest.fixture
def store(tmp_path: Path, said: list[str]) -> Store:
    store = Store(tmp_path / "a store", said.append)
    store.put(KEY, ARTIFACT)
    return store


def test_what_is_put_is_got(store: Store) -> None:
    """By its key; nothing under another."""
    assert store.get(KEY) == ARTIFACT
    assert store.get(OTHER) is None


def test_what_is_no_key_names_no_folder(store: Store) -> None:
    """A key may come from a stranger's run: nothing outside of the objects is read, let alone set aside."""
    (store.root / "mine").mkdir()
    for key in ("../mine", str(store.root / "mine"), "", ".", "A" * 64):
        assert store.get(key) is None
    assert (store.root / "mine").is_dir()


def test_a_moved_folder_is_the_same_store(store: Store, tmp_path: Path) -> None:
    """Build here, copy, measure there."""
    store.root.rename(tmp_path / "elsewhere")
    assert Store(tmp_path / "elsewhere", print).get(KEY) == ARTIFACT


def test_putting_twice_keeps_the_first(store: Store) -> None:
    """Two builders of one key made the same thing."""
    store.put(KEY, ARTIFACT)
    assert store.get(KEY) == ARTIFACT
    assert list((store.root / "new").iterdir()) == []


@pytest.mark.parametrize("file", ["model.h5", "manifest.json"])
@pytest.mark.parametrize("damage", [b"", b"weightz", None])
def test_damage_is_said_and_set_aside(store: Store, said: list[str], file: str, damage: bytes | None) -> None:
    """Truncated, altered or gone: not returned, kept for a look, and free to be built again."""
    path = store.root / "objects" / KEY / file
    path.unlink()
    if damage is not None:
        path.write_bytes(damage)
    assert store.get(KEY) is None
    assert "damaged artifact, set aside" in said[0]
    assert len(list((store.root / "aside").iterdir())) == 1
    store.put(KEY, ARTIFACT)
    assert store.get(KEY) == ARTIFACT


@pytest.mark.parametrize("code", [errno.EMFILE, errno.EACCES])
def test_what_can_not_be_read_now_is_not_damaged(
    store: Store, said: list[str], monkeypatch: pytest.MonkeyPatch, code: int
) -> None:
    """Too many open files, or another user's: it is left where it is, and can be read later."""

    def fail(path: Path) -> bytes:
        raise OSError(code, os.strerror(code), str(path))

    with monkeypatch.context() as patched:
        patched.setattr(Path, "read_bytes", fail)
        with pytest.raises(OptsuiteError, match=f"can't be read: {os.strerror(code)}; it is left as it is"):
            store.get(KEY)
    assert said == []
    assert store.get(KEY) == ARTIFACT


@pytest.mark.parametrize(
    "folder", ["index", "index/full", "index/full/mnist", "index/full/mnist/conv_qat_s0", "objects"]
)
@pytest.mark.parametrize("code", [errno.EMFILE, errno.EACCES])
def test_a_folder_that_can_not_be_read_now_is_not_empty(
    store: Store, said: list[str], monkeypatch: pytest.MonkeyPatch, folder: str, code: int
) -> None:
    """Else the artifacts that its entries name would be named by none, and `collect` would delete them."""
    store.point(PurePath("full", "mnist", "conv_qat_s0", "int8"), KEY)

    def fails(function: Callable[..., Any]) -> Callable[..., Any]:
        def failing(path: Any = ".") -> Any:
            if Path(path) == store.root / folder:
                raise OSError(code, os.strerror(code), str(path))
            return function(path)

        return failing

    with monkeypatch.context() as patched:
        for name in ("listdir", "scandir"):
            patched.setattr(os, name, fails(getattr(os, name)))
        with pytest.raises(OptsuiteError, match=f"can't be read: {os.strerror(code)}; it is left as it is"):
            store.collect([])
    assert said == []
    assert store.get(KEY) == ARTIFACT
    assert store.collect([]) == (0, 0)


def test_an_artifact_under_anothers_key_is_damage(store: Store, said: list[str]) -> None:
    """The manifest knows whose it is."""
    (store.root / "objects" / KEY).rename(store.root / "objects" / OTHER)
    assert store.get(OTHER) is None
    assert "its manifest names aaa" in said[0]


def test_a_manifest_can_not_lead_outside(store: Store, said: list[str]) -> None:
    """A name with a separator is not followed."""
    (store.root / "objects" / KEY / "manifest.json").write_text(f'{{"key": "{KEY}", "files": {{"../x": ""}}}}')
    assert store.get(KEY) is None
    assert "file name" in said[0]


def test_the_index_points_to_the_newest(store: Store) -> None:
    """For machines that can't compute a key."""
    name = PurePath("full", "mnist", "conv_qat_s0", "int8")
    assert store.newest(name) is None
    store.point(name, KEY)
    store.point(name, OTHER)
    assert store.newest(name) == OTHER


@pytest.mark.parametrize("content", [b"", b"../..", b"a" * 63, b"A" * 64, b"\xff" * 64])
def test_an_index_entry_that_is_no_key_leads_nowhere(store: Store, said: list[str], content: bytes) -> None:
    """An empty one would name the folder of all artifacts, and have it set aside; what it named is not collected."""
    name = PurePath("full", "mnist", "conv_qat_s0", "int8")
    store.point(name, KEY)
    (store.root / "index" / name).write_bytes(content)
    assert store.newest(name) is None
    assert "damaged index entry" in said[0]
    with pytest.raises(
        OptsuiteError, match="int8: expected a key, got a damaged entry of the index; nothing is deleted"
    ):
        store.collect([])
    assert store.get(KEY) == ARTIFACT


def test_an_index_entry_that_is_a_folder_is_damaged(store: Store, said: list[str]) -> None:
    """All others are found."""
    folder = PurePath("full", "mnist", "conv_qat_s0")
    (store.root / "index" / folder / "int8").mkdir(parents=True)
    store.point(folder / "fp32", KEY)
    assert store.index() == {folder / "fp32": KEY}
    assert said == ["damaged index entry full/mnist/conv_qat_s0/int8: not a key"]


def test_an_index_entry_that_can_not_be_read_now_is_one_error(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another user's: it may name an artifact that is to be kept."""
    store.point(PurePath("full", "mnist", "conv_qat_s0", "int8"), KEY)

    def fail(path: Path) -> str:
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))

    monkeypatch.setattr(Path, "read_text", fail)
    with pytest.raises(OptsuiteError, match="int8 can't be read: Permission denied; it is left as it is"):
        store.collect([])


def test_what_is_forgotten_is_not_found(store: Store) -> None:
    """A folder of the index, and nothing beside it."""
    one, other = PurePath("full", "mnist", "a", "int8"), PurePath("full", "mnist", "b", "int8")
    store.point(one, KEY)
    store.point(other, KEY)
    store.forget(one.parent)
    assert (store.newest(one), store.newest(other)) == (None, KEY)


def test_one_builder_at_a_time(store: Store, said: list[str]) -> None:
    """The second says that it waits, and goes on when the first is done."""
    entered = threading.Event()

    def second() -> None:
        with store.building():
            entered.set()

    with store.building():
        thread = threading.Thread(target=second)
        thread.start()
        assert not entered.wait(0.3)
    thread.join(10)
    assert entered.is_set()
    assert len(said) == 1
    assert "waiting" in said[0]


def test_the_lock_of_a_dead_process_does_not_block(store: Store, said: list[str]) -> None:
    """The lock is the system's; its file alone is nothing."""
    (store.root / "build.lock").touch()
    with store.building():
        assert said == []


def test_a_store_that_can_not_be_made_is_one_clear_error(tmp_path: Path) -> None:
    """A file stands where the folder should be."""
    (tmp_path / "file").touch()
    with pytest.raises(OptsuiteError, match="can't be written"), Store(tmp_path / "file", print).building():
        pass


def test_git_ignores_a_new_store(tmp_path: Path) -> None:
    """498 files were staged by `git add --all`; a folder that was there may be the user's repository."""
    Store(tmp_path / "new", print).put("a" * 64, {"file": b""})
    assert (tmp_path / "new" / ".gitignore").read_text() == "*\n"
    (tmp_path / "old").mkdir()
    Store(tmp_path / "old", print).put("a" * 64, {"file": b""})
    assert not (tmp_path / "old" / ".gitignore").exists()
