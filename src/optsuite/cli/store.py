"""`optsuite store`: the artifacts, listed, moved, copied out and tidied."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from optsuite.errors import OptsuiteError
from optsuite.files import write_file

if TYPE_CHECKING:
    from optsuite.store.store import Store


def cache_option() -> argparse.ArgumentParser:
    """The option of all commands that use a store."""
    parser = argparse.ArgumentParser(add_help=False)
    parser.add_argument(
        "--cache",
        type=Path,
        default=Path(".optsuite-cache"),
        metavar="DIR",
        help="the store (default: .optsuite-cache)",
    )
    return parser


def add(commands: Any) -> None:
    """Give the command its parser."""
    store = commands.add_parser("store", help="the artifacts: list, move, tidy").add_subparsers(
        required=True, metavar="COMMAND"
    )
    listed = store.add_parser("ls", parents=[cache_option()], help="what the index knows")
    listed.set_defaults(command=_ls)
    exported = store.add_parser("export", parents=[cache_option()], help="write artifacts to one file")
    exported.add_argument("bundle", type=Path, metavar="BUNDLE")
    exported.add_argument("--run", type=Path, metavar="RUN.json", help="only those of this run (default: all)")
    exported.set_defaults(command=_export)
    imported = store.add_parser("import", parents=[cache_option()], help="take over the artifacts of such a file")
    imported.add_argument("bundle", type=Path, metavar="BUNDLE")
    imported.set_defaults(command=_import)
    got = store.add_parser("get", parents=[cache_option()], help="copy a .tflite file that a run measured")
    got.add_argument("run", type=Path, metavar="RUN.json")
    got.add_argument("experiment", metavar="EXPERIMENT")
    got.add_argument("variant", metavar="VARIANT")
    got.add_argument("file", type=Path, metavar="FILE.tflite", help="the copy")
    got.set_defaults(command=_get)
    collected = store.add_parser("gc", parents=[cache_option()], help="delete what the index and kept runs do not name")
    collected.add_argument("--keep-runs", type=Path, metavar="DIR", help="keep what the runs in this folder measured")
    collected.set_defaults(command=_gc)


def open_store(given: argparse.Namespace) -> Store:
    """The store of `cache_option`."""
    from optsuite.store.store import Store

    return Store(given.cache, lambda line: print(f"optsuite: {line}", file=sys.stderr))


def _ls(given: argparse.Namespace) -> int:
    store = open_store(given)
    present = set(store.stored())
    for name, key in store.index().items():
        size = f"{store.size_bytes(key):>9}" if key in present else "  missing"
        print(f"{key[:12]} {size} bytes  {name.as_posix()}")
    unnamed = present - set(store.index().values())
    print(f"{len(present)} artifacts, {len(unnamed)} of them under no name in the index")
    return 0


def _export(given: argparse.Namespace) -> int:
    from optsuite.results.reader import read
    from optsuite.store import bundle

    store = open_store(given)
    keys = bundle.keys_of(read(given.run), store) if given.run else None
    print(f"{bundle.export(store, given.bundle, keys)} artifacts are in {given.bundle}")
    return 0


def _import(given: argparse.Namespace) -> int:
    from optsuite.store import bundle

    print(f"{bundle.load(open_store(given), given.bundle)} artifacts taken over from {given.bundle}")
    return 0


def _get(given: argparse.Namespace) -> int:
    from optsuite.results.reader import read
    from optsuite.store import tflite

    row = read(given.run).row(given.experiment, given.variant)
    if row is None or row.measured.execution is None:
        raise OptsuiteError(
            f"{given.run} has no .tflite file of {given.experiment} {given.variant}; accepted are an experiment and a "
            "variant that it measured"
        )
    content = tflite.content(open_store(given), row.measured)
    write_file(given.file, content)
    print(f"{given.file}: {len(content)} bytes, {given.experiment} {given.variant}")
    return 0


def _gc(given: argparse.Namespace) -> int:
    from optsuite.results.reader import read

    runs = sorted(given.keep_runs.rglob("*.json")) if given.keep_runs else []
    if given.keep_runs and not runs:
        raise OptsuiteError(f"{given.keep_runs}: no .json file; accepted is a folder of runs")
    kept = {row.measured.key for path in runs for row in read(path).rows}
    count, freed = open_store(given).collect(kept)
    print(f"{count} artifacts deleted, {freed} bytes; kept: what the index names, and {len(kept)} of {len(runs)} runs")
    return 0
