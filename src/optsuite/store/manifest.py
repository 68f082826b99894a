"""The manifest of an artifact: its key, its files and their hashes. What does not match it is damaged."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import msgspec

from optsuite.spec.artifact import Artifact

MANIFEST = "manifest.json"
KEY = re.compile("[0-9a-f]{64}")
FILE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,199}")
"""A file of an artifact, or a part of a name in the index: neither hidden, nor a path, nor too long for a folder."""


@dataclass(frozen=True, kw_only=True)
class _Manifest:
    key: str
    files: Mapping[str, str]
    """File name -> SHA-256 of its content."""


class DamagedError(Exception):
    """An artifact is not what was stored."""


def written(key: str, artifact: Artifact) -> bytes:
    """Return the content of an artifact's manifest."""
    files = {name: hashlib.sha256(content).hexdigest() for name, content in artifact.items()}
    return msgspec.json.encode(_Manifest(key=key, files=files))


def verified(key: str, read: Callable[[str], bytes]) -> Artifact:
    """The artifact whose files `read` gives by name; DamagedError if they do not match its manifest.

    What `read` raises comes through, and so does msgspec's DecodeError for what is no manifest.
    """
    manifest = msgspec.json.decode(read(MANIFEST), type=_Manifest)
    if manifest.key != key:
        raise DamagedError(f"its manifest names {manifest.key}")
    if not manifest.files:
        raise DamagedError("its manifest names no file")
    artifact = {}
    for name, digest in manifest.files.items():
        if not FILE_NAME.fullmatch(name):
            raise DamagedError(f"file name {name!r}")
        artifact[name] = read(name)
        if hashlib.sha256(artifact[name]).hexdigest() != digest:
            raise DamagedError(f"{name} is not what was stored")
    return artifact
