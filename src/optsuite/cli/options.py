"""Arguments and options that several commands have."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from optsuite.store.store import Store

PYPROJECT = Path("pyproject.toml")
"""The file with the section [tool.optsuite]: commands read that of the current folder."""

run_argument = click.argument("run_path", type=Path, metavar="RUN.json")

out_option = click.option("--out", type=Path, required=True, metavar="DIR", help="Folder to write to.")

cache_option = click.option(
    "--cache",
    type=Path,
    default=Path(".optsuite-cache"),
    show_default=".optsuite-cache",
    metavar="DIR",
    help="Folder of the artifact store.",
)


def open_store(cache: Path) -> Store:
    """Open the store of `--cache`. It logs to stderr."""
    from optsuite.store.store import Store

    return Store(cache, lambda line: print(f"optsuite: {line}", file=sys.stderr))
