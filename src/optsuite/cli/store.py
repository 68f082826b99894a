"""`optsuite store`: list, move, copy out and delete the artifacts of a store."""

from __future__ import annotations

from pathlib import Path

import click

from optsuite.cli.options import cache_option, open_store, run_argument
from optsuite.errors import OptsuiteError
from optsuite.files import write_file
from optsuite.terminal import wrapped


@click.group("store", no_args_is_help=False)
def command() -> None:
    """List, move and delete what was built."""


@command.command("ls")
@cache_option
def ls(cache: Path) -> int:
    """List the models and files that the index names."""
    store = open_store(cache)
    index = store.index()
    present = set(store.stored())
    for name, key in index.items():
        if "@" in name.name:  # what was found of the file above it
            continue
        size = f"{store.size_bytes(key):>9}" if key in present else "  missing"
        print(f"{key[:12]} {size} bytes  {name.as_posix()}")
    unnamed = present - set(index.values())
    examinations = len({key for name, key in index.items() if "@" in name.name})
    kinds = f"{examinations} of them examinations of files, {len(unnamed)} under no name in the index"
    print(f"{len(present)} artifacts, {kinds}")
    return 0


@command.command("export")
@click.argument("bundle_path", type=Path, metavar="BUNDLE")
@click.option("--run", "run_path", type=Path, metavar="RUN.json", help="Export only artifacts of this run.")
@cache_option
def export(bundle_path: Path, run_path: Path | None, cache: Path) -> int:
    """Write artifacts to one file, for another machine.

    BUNDLE is the file to write. It contains all artifacts of the store by default.
    """
    from optsuite.results.reader import read
    from optsuite.store import bundle

    store = open_store(cache)
    keys = bundle.keys_of(read(run_path), store) if run_path else None
    count = bundle.export(store, bundle_path, keys)
    print(f"{count} artifacts are in {bundle_path}")
    return 0


@command.command("import")
@click.argument("bundle_path", type=Path, metavar="BUNDLE")
@cache_option
def import_(bundle_path: Path, cache: Path) -> int:
    """Add the artifacts of an exported file to the store.

    BUNDLE is a file that `optsuite store export` wrote. All hashes are verified, and no code in it is executed.
    """
    from optsuite.store import bundle

    count = bundle.load(open_store(cache), bundle_path)
    print(f"{count} artifacts taken over from {bundle_path}")
    return 0


@command.command("get")
@run_argument
@click.argument("experiment")
@click.argument("variant")
@click.argument("file", type=Path, metavar="FILE.tflite")
@cache_option
def get(run_path: Path, experiment: str, variant: str, file: Path, cache: Path) -> int:
    """Copy a .tflite file that a run measured.

    EXPERIMENT and VARIANT are names in the run RUN.json, such as dscnn_qat_s0 and int8. FILE.tflite is the copy.
    """
    from optsuite.results.reader import read
    from optsuite.store import tflite

    row = read(run_path).row(experiment, variant)
    if row is None or row.measured.execution is None:
        raise OptsuiteError(
            f"{run_path} has no .tflite file of {experiment} {variant}; expected an experiment and a variant of the run"
        )
    content = tflite.content(open_store(cache), row.measured)
    write_file(file, content)
    print(f"{file}: {len(content)} bytes, {experiment} {variant}")
    return 0


@command.command("gc")
@click.option("--keep-runs", type=Path, metavar="DIR", help="Also keep what the runs in this folder measured.")
@cache_option
def gc(keep_runs: Path | None, cache: Path) -> int:
    """Delete the artifacts that the index does not name."""
    from optsuite.results.reader import read

    runs = sorted(keep_runs.rglob("*.json")) if keep_runs else []
    if keep_runs and not runs:
        raise OptsuiteError(f"{keep_runs}: no .json file; expected a folder with runs")
    kept = {row.measured.key for path in runs for row in read(path).rows}
    count, freed = open_store(cache).collect(kept)
    measured = f", and the {len(kept)} files that the runs in {keep_runs} measured" if keep_runs else ""
    print(wrapped(f"{count} artifacts deleted, {freed} bytes; kept: what the index names{measured}"))
    return 0
