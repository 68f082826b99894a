"""The `optsuite` command: arguments, printing, exit codes."""

from __future__ import annotations

import argparse
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from optsuite import __version__
from optsuite.spec import OptsuiteError

if TYPE_CHECKING:
    from optsuite.store import Store

_CANNOT_USE_INPUT = 2


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; the exit code is 0, 1 where a gate failed, or 2 where the input can't be used.

    That of `plan` is pytest's.
    """
    parser = argparse.ArgumentParser(prog="optsuite", description="What came of `pytest benchmarks/`.")
    parser.add_argument("--version", action="version", version=__version__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    report = commands.add_parser("report", help="tables and figures of a run")
    report.add_argument("run", type=Path, metavar="RUN.json", help="what --benchmark-json wrote")
    report.add_argument("--out", type=Path, required=True, metavar="DIR", help="the folder to write to")
    report.add_argument(
        "--calibration", type=Path, metavar="FILE.json", help="what `python -m optsuite.benchmarks.calibration` wrote"
    )
    report.set_defaults(command=_report)
    recommended = commands.add_parser("recommend", help="the best variant within limits: exit 1 where there is none")
    recommended.add_argument("run", type=Path, metavar="RUN.json", help="what --benchmark-json wrote")
    recommended.add_argument("--max-size", metavar="40KB", help="of the file")
    recommended.add_argument("--max-latency", metavar="30us", help="of the median call")
    recommended.add_argument("--min-accuracy", metavar="0.98", help="on the validation images, a fraction")
    recommended.add_argument("--variants", metavar="A,B", help="only these (default: all .tflite variants)")
    recommended.add_argument(
        "--prefer", choices=("quality", "balanced", "compact"), default="quality", help="(default: quality)"
    )
    recommended.add_argument("--all", action="store_true", help="print everything that fell out, too")
    recommended.set_defaults(command=_recommend)
    compared = commands.add_parser("compare", parents=[_cache()], help="whether a run is worse than another: exit 1")
    compared.add_argument("base", type=Path, metavar="BASE.json", help="what it is compared with")
    compared.add_argument("new", type=Path, metavar="NEW.json", help="the run that is judged")
    compared.add_argument("--markdown", type=Path, metavar="FILE", help="write the verdicts as Markdown too")
    compared.add_argument("--json", type=Path, metavar="FILE", help="write all of them as JSON too")
    compared.add_argument("--all", action="store_true", help="print what is the same, too")
    compared.set_defaults(command=_compare)
    history = commands.add_parser("history", help="each model over the runs that --benchmark-autosave kept")
    history.add_argument("folder", type=Path, metavar="DIR", help="what --benchmark-storage was")
    history.add_argument("--out", type=Path, required=True, metavar="DIR", help="the folder to write to")
    history.set_defaults(command=_history)
    plan = commands.add_parser(
        "plan", help="what `pytest ARGUMENTS` would build, and how long it may take", add_help=False, prefix_chars="\0"
    )
    plan.add_argument("arguments", nargs="*", metavar="ARGUMENTS", help="of pytest; without any: all benchmarks")
    plan.set_defaults(command=_plan)
    _add_store(commands)
    ab = commands.add_parser("ab", help="time .tflite files side by side, in random turns")
    ab.add_argument("files", type=Path, nargs="+", metavar="FILE.tflite", help="the first is the reference")
    ab.set_defaults(command=_ab)
    given = parser.parse_args(arguments)
    try:
        return int(given.command(given))
    except OptsuiteError as error:
        print(f"optsuite: {error}", file=sys.stderr)
        return _CANNOT_USE_INPUT


def _report(given: argparse.Namespace) -> int:
    from optsuite import calibration
    from optsuite.results import read

    run = read(given.run)  # before pandas and matplotlib are paid for
    calibrated = calibration.read(given.calibration) if given.calibration else None
    from optsuite.report import tables, write

    merged = write(run, given.out, calibrated)
    for cost in tables.FRONTIERS:
        print(f"Pareto frontier: int8 accuracy against {cost}\n")
        print(tables.markdown(tables.frontier(merged, cost)), end="\n\n")
    print(f"the report is in {given.out / 'report.md'}")
    return 0


def _recommend(given: argparse.Namespace) -> int:
    from optsuite.recommend import Limits, candidates, choose
    from optsuite.results import read
    from optsuite.units import parse_bytes, parse_fraction, parse_seconds

    limits = Limits(
        max_bytes=None if given.max_size is None else parse_bytes(given.max_size),
        max_latency_s=None if given.max_latency is None else parse_seconds(given.max_latency),
        min_accuracy=None if given.min_accuracy is None else parse_fraction(given.min_accuracy),
    )
    variants = None if given.variants is None else given.variants.split(",")
    choice = choose(candidates(read(given.run), variants), limits, given.prefer)
    from optsuite.report.choice import text

    print(text(choice, everything=given.all))
    return int(not choice.ranked)


def _compare(given: argparse.Namespace) -> int:
    import msgspec

    from optsuite import ab, config
    from optsuite.compare import Side, compare
    from optsuite.history import before_and_after
    from optsuite.report import verdicts
    from optsuite.results import read

    for path in (given.markdown, given.json):
        if path and path.resolve() in (given.base.resolve(), given.new.resolve()):
            raise OptsuiteError(f"{path} is one of the runs; accepted is another file to write to")
    base, new = read(given.base), read(given.new)
    if new.date < base.date:
        raise OptsuiteError(f"{given.new} is of {new.date}, older than {given.base}; accepted is a run after the other")
    tolerances = config.read(Path("pyproject.toml")).tolerances
    retime = ab.side_by_side(_store(given))
    judged = compare(Side.of(base), Side.of(new), tolerances, retime)
    volumes = before_and_after(base, new, judged)
    print(verdicts.text(judged, volumes, tolerances, everything=given.all))
    if given.markdown:
        _write(given.markdown, verdicts.markdown(judged, volumes, tolerances, everything=given.all).encode())
    if given.json:
        _write(given.json, msgspec.json.format(msgspec.json.encode(judged)))
    return int(any(one.verdict.fails for one in judged))


def _plan(given: argparse.Namespace) -> int:
    arguments = given.arguments or ["--pyargs", "optsuite.benchmarks"]
    command = [sys.executable, "-m", "pytest", *arguments, "--optsuite-plan", "--quiet", "--no-header"]
    return subprocess.run(command, check=False).returncode


def _history(given: argparse.Namespace) -> int:
    from optsuite import config, history

    runs, left_out = history.load(given.folder)
    regressed = history.regressions(runs, config.read(Path("pyproject.toml")).tolerances)
    from optsuite.report import history as shown
    from optsuite.report import tables

    lines = shown.write(runs, history.points(runs), regressed, given.out)
    print(tables.markdown(lines.drop(columns="run")))
    for reason in left_out:
        print(f"left out: {reason}", file=sys.stderr)
    print(f"the history is in {given.out / 'history.md'}")
    return 0


def _cache() -> argparse.ArgumentParser:
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


def _add_store(commands: Any) -> None:
    store = commands.add_parser("store", help="the artifacts: list, move, tidy").add_subparsers(
        required=True, metavar="COMMAND"
    )
    listed = store.add_parser("ls", parents=[_cache()], help="what the index knows")
    listed.set_defaults(command=_store_ls)
    exported = store.add_parser("export", parents=[_cache()], help="write artifacts to one file")
    exported.add_argument("bundle", type=Path, metavar="BUNDLE")
    exported.add_argument("--run", type=Path, metavar="RUN.json", help="only those of this run (default: all)")
    exported.set_defaults(command=_store_export)
    imported = store.add_parser("import", parents=[_cache()], help="take over the artifacts of such a file")
    imported.add_argument("bundle", type=Path, metavar="BUNDLE")
    imported.set_defaults(command=_store_import)
    collected = store.add_parser("gc", parents=[_cache()], help="delete what neither the index nor a kept run names")
    collected.add_argument("--keep-runs", type=Path, metavar="DIR", help="keep what the runs in this folder measured")
    collected.set_defaults(command=_store_gc)


def _store(given: argparse.Namespace) -> Store:
    from optsuite.store import Store

    return Store(given.cache, lambda line: print(f"optsuite: {line}", file=sys.stderr))


def _store_ls(given: argparse.Namespace) -> int:
    store = _store(given)
    present = set(store.stored())
    for name, key in store.index().items():
        size = f"{store.size_bytes(key):>9}" if key in present else "  missing"
        print(f"{key[:12]} {size} bytes  {name.as_posix()}")
    unnamed = present - set(store.index().values())
    print(f"{len(present)} artifacts, {len(unnamed)} of them under no name in the index")
    return 0


def _store_export(given: argparse.Namespace) -> int:
    from optsuite import bundle
    from optsuite.results import read

    store = _store(given)
    keys = bundle.keys_of(read(given.run), store) if given.run else None
    print(f"{bundle.export(store, given.bundle, keys)} artifacts are in {given.bundle}")
    return 0


def _store_import(given: argparse.Namespace) -> int:
    from optsuite import bundle

    print(f"{bundle.load(_store(given), given.bundle)} artifacts taken over from {given.bundle}")
    return 0


def _store_gc(given: argparse.Namespace) -> int:
    from optsuite.results import read

    runs = sorted(given.keep_runs.rglob("*.json")) if given.keep_runs else []
    if given.keep_runs and not runs:
        raise OptsuiteError(f"{given.keep_runs}: no .json file; accepted is a folder of runs")
    kept = {row.measured.key for path in runs for row in read(path).rows}
    count, freed = _store(given).collect(kept)
    print(f"{count} artifacts deleted, {freed} bytes; kept: what the index names, and {len(kept)} of {len(runs)} runs")
    return 0


def _write(path: Path, content: bytes) -> None:
    try:
        path.write_bytes(content)
    except OSError as error:
        raise OptsuiteError(f"{path} can't be written: {error.strerror}; accepted is a file in a folder") from error


def _ab(given: argparse.Namespace) -> int:
    import numpy as np

    from optsuite import ab

    if len(given.files) < 2:
        raise OptsuiteError(f"{given.files[0]}: one file given; accepted are two or more, to be compared")
    try:
        contents = [path.read_bytes() for path in given.files]
    except OSError as error:
        raise OptsuiteError(f"{error.filename}: {error.strerror}; accepted is a .tflite file") from error
    reference, *others = times = ab.files(contents)
    ratios = [ab.ratio(reference, one) for one in others]
    for path, median_s, ratio in zip(given.files, np.median(times, axis=(1, 2)), [None, *ratios], strict=True):
        print(f"{path}: {median_s * 1e6:.2f} us" + (f", {ratio} of the first" if ratio else ""))
    return 0


if __name__ == "__main__":
    sys.exit(main())
