"""`optsuite init`: write the files that a repository needs for optsuite."""

from __future__ import annotations

import tomllib
from importlib import resources
from pathlib import Path

import click

from optsuite.errors import OptsuiteError
from optsuite.files import write_file

_FILES = {
    "optsuite_catalog.py": "optsuite_catalog.py",
    "optsuite.yml": ".github/workflows/optsuite.yml",
}
"""Template -> path in the repository."""


@click.command("init")
@click.argument("folder", type=Path, default=Path(), metavar="[DIR]")
def command(folder: Path) -> int:
    """Add a catalogue, a pyproject section and a CI workflow.

    DIR is the repository to write to; the current folder by default. Nothing that exists is overwritten.
    """
    for path in write(folder):
        print(f"wrote {path}")
    print("try it:")
    print("  pytest --pyargs optsuite.benchmarks --optsuite-profile=smoke --benchmark-json=try.json --benchmark-quiet")
    print("  optsuite report try.json --out report")
    return 0


def write(folder: Path) -> list[Path]:
    """Write a catalogue and a workflow, add a section to pyproject.toml, and return the paths of the three.

    Raises:
        OptsuiteError: One of them exists already, in which case nothing is written, or a file can't be written.

    """
    pyproject = folder / "pyproject.toml"
    targets = {name: folder / path for name, path in _FILES.items()}
    try:
        existing = pyproject.read_bytes() if pyproject.exists() else b""
        if "optsuite" in tomllib.loads(existing.decode()).get("tool", {}):
            raise OptsuiteError(f"{pyproject}: expected no section [tool.optsuite], got one; remove it to start anew")
        for path in targets.values():
            if path.exists():
                raise OptsuiteError(f"{path}: expected no such file, got one; remove it to start anew")
        for name, path in targets.items():
            path.parent.mkdir(parents=True, exist_ok=True)
            write_file(path, _template(name).encode())
        section = _template("section.toml")
        write_file(pyproject, existing + (section if existing else section.lstrip()).encode())
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise OptsuiteError(f"{pyproject}: {error}; expected TOML, to which a section can be added") from error
    except OSError as error:
        raise OptsuiteError(f"{error.filename} can't be written: {error.strerror}") from error
    return [*targets.values(), pyproject]


def _template(name: str) -> str:
    return resources.files("optsuite.cli.templates").joinpath(name).read_text("utf-8")
