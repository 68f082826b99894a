"""`optsuite init`: the files that a repository needs for optsuite, written into it."""

from __future__ import annotations

import tomllib
from importlib import resources
from pathlib import Path

from optsuite.errors import OptsuiteError
from optsuite.files import write_file

_FILES = {
    "optsuite_catalog.py": "optsuite_catalog.py",
    "optsuite.yml": ".github/workflows/optsuite.yml",
}


def write(folder: Path) -> list[Path]:
    """Write a catalogue and a workflow, and add a section to pyproject.toml; what was written.

    Raises OptsuiteError where one of them is there already, before anything is written.
    """
    project = folder / "pyproject.toml"
    try:
        existing = project.read_bytes() if project.exists() else b""
        if "optsuite" in tomllib.loads(existing.decode()).get("tool", {}):
            raise OptsuiteError(f"{project} has a section [tool.optsuite]; accepted is a repository without one")
        if there := [path for name in _FILES.values() if (path := folder / name).exists()]:
            raise OptsuiteError(f"{there[0]} is there already; accepted is a repository without one")
        for name, place in _FILES.items():
            (folder / place).parent.mkdir(parents=True, exist_ok=True)
            write_file(folder / place, _content(name).encode())
        section = _content("section.toml")
        write_file(project, existing + (section if existing else section.lstrip()).encode())
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise OptsuiteError(f"{project}: {error}; accepted is TOML that a section can be added to") from error
    except OSError as error:
        raise OptsuiteError(f"{error.filename} can't be written: {error.strerror}") from error
    return [*(folder / place for place in _FILES.values()), project]


def _content(name: str) -> str:
    return resources.files("optsuite.cli.templates").joinpath(name).read_text("utf-8")
