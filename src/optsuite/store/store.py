"""Content-addressed artifacts on disk: written atomically, verified on reading, portable as a folder.

objects/KEY/             the files of an artifact and their manifest
index/PROFILE/DATASET/EXPERIMENT/VARIANT   the newest key, for a machine that can't compute keys
index/PROFILE/DATASET/EXPERIMENT/VARIANT@EXAMINATION   the newest key of what was found of that file
new/                     what is being written
aside/                   what was found damaged
build.lock  build.log  times.jsonl   a lock for one build at a time; the output of the workers; how long steps took
"""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
import uuid
from collections.abc import Callable, Collection, Iterator, Mapping
from pathlib import Path, PurePath

import filelock
import msgspec

from optsuite.errors import OptsuiteError
from optsuite.spec.artifact import Artifact
from optsuite.store import manifest
from optsuite.store.manifest import KEY, MANIFEST, DamagedError, verified

_NOT_DAMAGE = {errno.EMFILE, errno.ENFILE, errno.EACCES, errno.EPERM, errno.ENOMEM, errno.ESTALE, errno.ETIMEDOUT}
"""Errors of the process that reads, of its user, or of the network: the artifact may be as good as ever."""


class Store:
    """The artifacts under `root`, a folder that need not exist yet. `log` is called with each line for the user."""

    def __init__(self, root: Path, log: Callable[[str], object]) -> None:
        self.root = root
        self._objects = root / "objects"
        self._log = log

    def get(self, key: str) -> Artifact | None:
        """The artifact, or None where there is none; a damaged one is set aside, which is logged, and is None too."""
        if not KEY.fullmatch(key):  # it may come from a stranger's file, and would name any folder
            return None
        folder = self._objects / key
        try:
            return verified(key, lambda name: (folder / name).read_bytes())
        except (FileNotFoundError, NotADirectoryError):
            if not folder.exists():
                return None
            found = "a file is missing"
        except (DamagedError, IsADirectoryError, UnicodeDecodeError, msgspec.DecodeError) as error:
            found = str(error)
        except OSError as error:
            if error.errno in _NOT_DAMAGE:
                raise _unreadable(folder, error) from error
            found = str(error.strerror)
        aside = self.root / "aside" / f"{key}-{uuid.uuid4().hex}"
        try:
            aside.parent.mkdir(exist_ok=True)
            folder.rename(aside)
        except OSError as error:
            raise OptsuiteError(
                f"the store {self.root} has a damaged artifact, {key}: {found}; it can't be set aside: {error.strerror}"
            ) from error
        self._log(f"damaged artifact, set aside as {aside}: {found}")
        return None

    def manifest(self, key: str) -> bytes:
        """Return the manifest of an artifact: its files and their hashes."""
        return (self._objects / key / MANIFEST).read_bytes()

    def stored(self) -> list[str]:
        """The keys of all artifacts."""
        return [path.name for path in _inside(self._objects) if KEY.fullmatch(path.name)]

    def index(self) -> dict[PurePath, str]:
        """Return the index, PROFILE/DATASET/EXPERIMENT/VARIANT -> key; damaged entries are logged, and not in it."""
        return {name: key for name in self._index_names() if (key := self.newest(name))}

    def _index_names(self) -> list[PurePath]:
        found = [self.root / "index"]
        for _ in range(4):
            found = [path for folder in found for path in _inside(folder)]
        return [path.relative_to(self.root / "index") for path in found]

    def size_bytes(self, key: str) -> int:
        """Return the size of an artifact on disk, in bytes."""
        return sum(path.stat().st_size for path in _inside(self._objects / key))

    def collect(self, keep: Collection[str]) -> tuple[int, int]:
        """Delete what neither `keep` nor the index names, and what was set aside: how many artifacts, and bytes.

        OptsuiteError, before anything is deleted, for a damaged index: what it named would be deleted.
        """
        with self.building():
            index = {name: self.newest(name) for name in self._index_names()}
            if damaged := [name for name, key in index.items() if key is None]:
                raise OptsuiteError(
                    f"{self.root / 'index' / damaged[0]}: expected a key, got a damaged entry of the index; nothing is "
                    "deleted, as the artifact that it named would be. Run again what builds that, or delete the entry"
                )
            kept = {*keep, *index.values()}
            gone = [key for key in self.stored() if key not in kept]
            freed = sum(self.size_bytes(key) for key in gone)
            with self._writing():
                for folder in (*(self._objects / key for key in gone), self.root / "new", self.root / "aside"):
                    if folder.exists():
                        shutil.rmtree(folder)
        return len(gone), freed

    def _create(self) -> None:
        """Make the folder, which git ignores; one that was there may be the user's, and is left as it is."""
        if not self.root.exists():
            self.root.mkdir(parents=True, exist_ok=True)
            (self.root / ".gitignore").write_text("*\n")

    def put(self, key: str, artifact: Artifact) -> None:
        """Store an artifact, whole or not at all."""
        with self._writing():
            self._create()
            self._put(key, artifact)

    def put_all(self, artifacts: Mapping[str, Artifact], index: Mapping[PurePath, str]) -> None:
        """Store all of these artifacts, and point the index to them, or change nothing.

        An artifact that is already there is kept, unless it is damaged.
        """
        with self.building():
            missing = {key: artifact for key, artifact in artifacts.items() if self.get(key) is None}
            before = {name: self.newest(name) for name in index}
            try:
                for key, artifact in missing.items():
                    self.put(key, artifact)
                for name, key in index.items():
                    self.point(name, key)
            except BaseException:
                for key in missing:
                    shutil.rmtree(self._objects / key, ignore_errors=True)
                for name, old in before.items():
                    with contextlib.suppress(OSError, OptsuiteError):
                        (self.root / "index" / name).unlink() if old is None else self.point(name, old)
                raise

    def _put(self, key: str, artifact: Artifact) -> None:
        new, target = self.root / "new" / uuid.uuid4().hex, self._objects / key
        try:
            new.mkdir(parents=True)
            for name, content in artifact.items():
                (new / name).write_bytes(content)
            (new / MANIFEST).write_bytes(manifest.written(key, artifact))
            target.parent.mkdir(exist_ok=True)
            new.rename(target)
        except OSError:
            # Somebody else may have stored the same key in the meantime; by definition it is the same artifact.
            if not target.exists():
                raise
        finally:
            shutil.rmtree(new, ignore_errors=True)

    def point(self, name: PurePath, key: str) -> None:
        """Let the index name `key` as the newest of `name`."""
        if self.newest(name) != key:
            path = self.root / "index" / name
            with self._writing():
                path.parent.mkdir(parents=True, exist_ok=True)
                new = path.with_name(f".{path.name}-{uuid.uuid4().hex}")
                new.write_text(key)
                os.replace(new, path)

    def newest(self, name: PurePath) -> str | None:
        """Return the key that the index has for `name`; None, which is logged, for a damaged entry."""
        path = self.root / "index" / name
        try:
            key = path.read_text()
        except (FileNotFoundError, NotADirectoryError):
            return None
        except (UnicodeDecodeError, IsADirectoryError):
            key = ""
        except OSError as error:
            raise _unreadable(path, error) from error
        if not KEY.fullmatch(key):
            self._log(f"damaged index entry {name}: not a key")
            return None
        return key

    def forget(self, folder: PurePath) -> None:
        """Let the index know nothing of what lies under `folder`."""
        shutil.rmtree(self.root / "index" / folder, ignore_errors=True)

    @contextlib.contextmanager
    def building(self) -> Iterator[None]:
        """Held by whoever builds, so that two runs on one store build each step once; a dead holder holds nothing."""
        with self._writing():
            self._create()
            lock = filelock.FileLock(self.root / "build.lock")
            try:
                lock.acquire(timeout=0)
            except filelock.Timeout:
                self._log(f"another run is building in {self.root}; waiting for it")
                lock.acquire()
        try:
            yield
        finally:
            lock.release()

    @contextlib.contextmanager
    def _writing(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise OptsuiteError(f"the store {self.root} can't be written: {error.strerror}") from error

    @property
    def log(self) -> Path:
        """The file with the output of the workers."""
        return self.root / "build.log"

    @property
    def times(self) -> Path:
        """The file with the durations of past builds."""
        return self.root / "times.jsonl"


def _inside(folder: Path) -> list[Path]:
    """What is in a folder, sorted. For `glob` one that can't be read is empty, and `collect` would delete its keys."""
    try:
        return sorted(path for path in folder.iterdir() if not path.name.startswith("."))
    except (FileNotFoundError, NotADirectoryError):
        return []
    except OSError as error:
        raise _unreadable(folder, error) from error


def _unreadable(path: Path, error: OSError) -> OptsuiteError:
    return OptsuiteError(f"{path} can't be read: {error.strerror}; it is left as it is")
