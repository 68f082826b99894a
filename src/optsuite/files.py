"""Files: a fingerprint of what is read; what is written is written whole or not at all."""

from __future__ import annotations

import contextlib
import hashlib
import os
import sysconfig
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from optsuite.errors import OptsuiteError

_STANDARD_LIBRARY = Path(sysconfig.get_path("stdlib")).resolve()
_INSTALLED = {"site-packages", "dist-packages"}


@dataclass(frozen=True, kw_only=True)
class File:
    """A file, or a folder of files, that counts by its content. Made by `File.of`."""

    path: str = field(compare=False)
    sha256: str

    @classmethod
    def of(cls, path: str | os.PathLike[str]) -> File:
        """Return the file or folder with its present content; OptsuiteError if it can't be read."""
        found = Path(path).absolute()
        inside = (Path(folder, name) for folder, _, names in os.walk(found, followlinks=True) for name in names)
        parts = sorted(inside) if found.is_dir() else [found]
        try:
            digests = [f"{one.relative_to(found)} {_sha256(one, one.stat())}" for one in parts]
        except OSError as error:
            raise OptsuiteError(f"{error.filename}: {error.strerror}; expected a file that can be read") from error
        return cls(path=str(found), sha256=hashlib.sha256("\n".join(digests).encode()).hexdigest())


def is_python_of_user(path: Path) -> bool:
    """Whether it is a Python file of the user's, or of a checkout, not of Python or an installed package."""
    found = path.resolve()
    installed = bool(_INSTALLED & {*found.parts, *path.parts}) or found.is_relative_to(_STANDARD_LIBRARY)
    return path.suffix == ".py" and not installed


_known: dict[tuple[Path, int, int], str] = {}


def _sha256(path: Path, now: os.stat_result) -> str:
    key = path, now.st_mtime_ns, now.st_size
    if key not in _known:
        with path.open("rb") as file:
            _known[key] = hashlib.file_digest(file, "sha256").hexdigest()
    return _known[key]


def write_file(path: Path, content: bytes) -> None:
    """Write a file that the user named, whole or not at all; what is no file, such as a terminal, is written to."""
    beside = Path(f"{path}.new")
    try:
        if path.exists() and not path.is_file():
            path.write_bytes(content)
        else:
            beside.write_bytes(content)
            beside.replace(path)
    except OSError as error:
        raise OptsuiteError(f"{path} can't be written: {error.strerror}; expected a file in a folder") from error
    finally:
        with contextlib.suppress(OSError):
            beside.unlink(missing_ok=True)


@contextmanager
def written(out: Path, what: str) -> Iterator[Path]:
    """A scratch folder, whose files take their places in `out` at the end; OptsuiteError where that can't be done."""
    try:
        out.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=out, prefix=".new-") as scratch:
            made = Path(scratch)
            yield made
            for file in sorted(made.rglob("*.*")):
                target = out / file.relative_to(made)
                target.parent.mkdir(exist_ok=True)
                os.replace(file, target)
    except OSError as error:
        raise OptsuiteError(f"the {what} can't be written to {out}: {error.strerror}; expected a folder") from error
