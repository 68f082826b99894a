"""Artifacts moved between machines as one file: build on a workstation or in CI, measure on the board.

A bundle is a zip file with the layout of a store: objects/KEY/FILE, index/PROFILE/DATASET/EXPERIMENT/VARIANT.
"""

from __future__ import annotations

import re
import zipfile
import zlib
from collections.abc import Collection
from functools import partial
from pathlib import Path, PurePath

import msgspec

from optsuite.errors import OptsuiteError
from optsuite.results.run import Run
from optsuite.spec.artifact import IMPORTED, Artifact
from optsuite.store.manifest import FILE_NAME, KEY, MANIFEST, DamagedError, verified
from optsuite.store.store import Store

_EXPECTED = "expected a file that `optsuite store export` wrote"
_UNREADABLE = (
    DamagedError,
    KeyError,
    UnicodeDecodeError,
    msgspec.DecodeError,
    zipfile.BadZipFile,
    NotImplementedError,
    RuntimeError,
    EOFError,
    zlib.error,
)
"""The errors that reading a damaged bundle may raise."""
_OBJECT = re.compile(f"objects/({KEY.pattern})/({FILE_NAME.pattern})")
_INDEX = re.compile(f"index/({'/'.join([FILE_NAME.pattern] * 4)}(?:@{FILE_NAME.pattern})?)")


def export(store: Store, path: Path, keys: Collection[str] | None = None) -> int:
    """Write the artifacts of `keys`, or all, and their index entries; return how many they are.

    OptsuiteError for a key that is not in the store, or is damaged there, and where `path` can't be written.
    """
    chosen = store.stored() if keys is None else sorted(set(keys))
    new = Path(f"{path}.new")
    try:
        with zipfile.ZipFile(new, "w", zipfile.ZIP_DEFLATED) as bundle:
            for key in chosen:
                artifact = store.get(key)
                if artifact is None:
                    raise OptsuiteError(f"expected the key of an artifact in {store.root}, got {key}")
                for name, content in {**artifact, MANIFEST: store.manifest(key)}.items():
                    bundle.writestr(f"objects/{key}/{name}", content)
            for place, key in store.index().items():
                if key in chosen:
                    bundle.writestr(f"index/{place.as_posix()}", key)
        new.replace(path)
    except OSError as error:
        raise OptsuiteError(
            f"{path} can't be written: {error.strerror}; expected a file in an existing folder"
        ) from error
    finally:
        new.unlink(missing_ok=True)
    return len(chosen)


def keys_of(run: Run, store: Store) -> set[str]:
    """The keys of what a run measured, and of all index entries of its experiments, Keras models too."""
    ids = {built.id for built in run.header.built}
    known = {key for name, key in store.index().items() if name.parts[0] == run.header.profile and name.parts[2] in ids}
    return known | {row.measured.key for row in run.rows}


def load(store: Store, path: Path) -> int:
    """Take over all artifacts of a bundle, and its index, or none of it; how many they are.

    Each is marked as imported: nothing in it is ever executed. OptsuiteError, before anything lands, for what is no
    bundle, is damaged or names other places.
    """
    try:
        with zipfile.ZipFile(path) as bundle:
            artifacts, index = _checked(bundle)
    except OSError as error:
        raise OptsuiteError(f"{path}: {error.strerror}; {_EXPECTED}") from error
    except _UNREADABLE as error:
        raise OptsuiteError(f"{path}: {error}; {_EXPECTED}") from error
    store.put_all({key: {**artifact, IMPORTED: b""} for key, artifact in artifacts.items()}, index)
    return len(artifacts)


def _checked(bundle: zipfile.ZipFile) -> tuple[dict[str, Artifact], dict[PurePath, str]]:
    """All artifacts, their hashes verified, and the index; DamagedError for anything else in it."""
    files: dict[str, set[str]] = {}
    index: dict[PurePath, str] = {}
    for member in bundle.infolist():
        name = member.filename
        if member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            raise DamagedError(f"{name!r} is compressed by method {member.compress_type}; expected 0 or 8")
        if found := _OBJECT.fullmatch(name):
            files.setdefault(found[1], set()).add(found[2])
        elif found := _INDEX.fullmatch(name):
            index[PurePath(found[1])] = bundle.read(name).decode()
        else:
            raise DamagedError(f"{name!r} has no place in a store")
    artifacts = {}
    for key, names in files.items():
        artifacts[key] = verified(key, partial(_read, bundle, key))
        if names != {*artifacts[key], MANIFEST}:
            raise DamagedError(f"{key} has files that its manifest does not name")
    if unknown := set(index.values()) - set(artifacts):
        raise DamagedError(f"its index names an artifact that is not in it, {sorted(unknown)[0]!r}")
    return artifacts, index


def _read(bundle: zipfile.ZipFile, key: str, name: str) -> bytes:
    return bundle.read(f"objects/{key}/{name}")
