"""The `optsuite` command: arguments, printing, exit codes."""

from __future__ import annotations

import argparse
import io
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from optsuite import __version__
from optsuite.cli import store
from optsuite.cli.store import cache_option, open_store
from optsuite.errors import OptsuiteError, first_line
from optsuite.files import write_file

if TYPE_CHECKING:
    from optsuite.spec.data import Split

_CANNOT_USE_INPUT = 2
_UNEXPECTED = 3
_PYPROJECT = Path("pyproject.toml")
"""Whose section is read: that of the folder that the command is run in."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; the exit code is 0, 1 where the answer is no, or 2 where the input can't be used.

    No is a gate that failed, or that nothing is within the limits. The code of `plan` is pytest's. An error that is
    none of these is an error of optsuite: 3.
    """
    parser = argparse.ArgumentParser(prog="optsuite", description="What came of `pytest benchmarks/`.")
    parser.add_argument("--traceback", action="store_true", help="show where an unexpected error comes from")
    parser.add_argument("--version", action="version", version=__version__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    init = commands.add_parser(
        "init", help="write a catalogue, a pyproject section and a CI workflow into a repository"
    )
    init.add_argument("folder", type=Path, nargs="?", default=Path(), metavar="DIR", help="(default: this one)")
    init.set_defaults(command=_init)
    report = commands.add_parser("report", help="a run as HTML, Markdown, tables and figures")
    report.add_argument("run", type=Path, metavar="RUN.json", help="what --benchmark-json wrote")
    report.add_argument("--out", type=Path, required=True, metavar="DIR", help="the folder to write to")
    report.add_argument(
        "--catalog", type=Path, metavar="FILE.py", help="where the run's data is from (default: pyproject.toml's)"
    )
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
    compared = commands.add_parser(
        "compare", parents=[cache_option()], help="whether a run is worse than another: exit 1"
    )
    compared.add_argument("base", type=Path, metavar="BASE.json", help="what it is compared with")
    compared.add_argument("new", type=Path, metavar="NEW.json", help="the run that is judged")
    compared.add_argument("--markdown", type=Path, metavar="FILE", help="write the verdicts as Markdown too")
    compared.add_argument("--json", type=Path, metavar="FILE", help="write all of them as JSON too")
    compared.add_argument("--all", action="store_true", help="print what is the same, too")
    compared.add_argument(
        "--spread",
        type=Path,
        metavar="SEEDS.json",
        help="a run of several seeds: how much trainings of the same code differ (default: BASE.json)",
    )
    compared.add_argument(
        "--allow-not-comparable",
        action="store_true",
        help="exit with 0 although an accuracy or a size could not be judged",
    )
    compared.set_defaults(command=_compare)
    spread = commands.add_parser(
        "spread", help="how much trainings of the same code differ, from a run of several seeds"
    )
    spread.add_argument("seeds", type=Path, metavar="SEEDS.json", help="a run with --optsuite-seeds=0,1,2,...")
    spread.add_argument(
        "--add-to",
        type=Path,
        metavar="RUN.json",
        help="a run of fewer seeds by the same code: `compare` knows them then",
    )
    spread.set_defaults(command=_spread)
    history = commands.add_parser("history", help="each model over the runs that --benchmark-autosave kept")
    history.add_argument("folder", type=Path, metavar="DIR", help="what --benchmark-storage was")
    history.add_argument("--out", type=Path, required=True, metavar="DIR", help="the folder to write to")
    history.set_defaults(command=_history)
    plan = commands.add_parser(
        "plan", help="what `pytest ARGUMENTS` would build, and how long it may take", add_help=False, prefix_chars="\0"
    )
    plan.add_argument("arguments", nargs="*", metavar="ARGUMENTS", help="of pytest; without any: all benchmarks")
    plan.set_defaults(command=_plan)
    store.add(commands)
    measured = commands.add_parser(
        "measure", help="measure .tflite files that were made elsewhere; no TensorFlow needed"
    )
    measured.add_argument("files", type=Path, nargs="+", metavar="FILE.tflite")
    measured.add_argument(
        "--data",
        type=Path,
        metavar="DATA.npz",
        help="x_test and y_test, and x_validation if there is; without it the files are timed on random inputs",
    )
    measured.add_argument("--metric", metavar="NAME", default="accuracy", help="accuracy (default), top-K, or mae")
    measured.add_argument("--json", type=Path, metavar="RUN.json", help="write a run, for all other commands")
    measured.set_defaults(command=_measure)
    ab = commands.add_parser("ab", help="time .tflite files side by side, in random turns")
    ab.add_argument("files", type=Path, nargs="+", metavar="FILE.tflite", help="the first is the reference")
    ab.set_defaults(command=_ab)
    given = parser.parse_args(arguments)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # a terminal without µ is no reason to fail
    try:
        return int(given.command(given))
    except OptsuiteError as error:
        print(f"optsuite: {error}", file=sys.stderr)
        return _CANNOT_USE_INPUT
    except Exception as error:
        if given.traceback:
            raise
        print(
            f"optsuite: unexpected {type(error).__name__}: {first_line(error)}; `optsuite --traceback ...` shows where",
            file=sys.stderr,
        )
        return _UNEXPECTED


def _init(given: argparse.Namespace) -> int:
    from optsuite.cli import init

    for path in init.write(given.folder):
        print(f"wrote {path}")
    print("try it: pytest --pyargs optsuite.benchmarks --optsuite-profile=smoke --benchmark-json=run.json")
    return 0


def _report(given: argparse.Namespace) -> int:
    from optsuite import config
    from optsuite.results import calibration
    from optsuite.results.reader import read

    run = read(given.run)  # before pandas and matplotlib are paid for
    calibrated = calibration.read(given.calibration) if given.calibration else None
    test = _test_split(run.header.requested.dataset, given.catalog or config.read(_PYPROJECT).catalog)
    from optsuite.report import tables, write

    merged = write(run, given.out, calibrated, test)
    for cost in tables.FRONTIERS:
        if not (frontier := tables.frontier(merged, cost)).empty:
            print(f"Pareto frontier: int8 accuracy against {cost}\n")
            print(tables.markdown(frontier), end="\n\n")
    print(f"the report is in {given.out / 'report.html'} and {given.out / 'report.md'}")
    return 0


def _test_split(dataset: str, user_catalog: str | Path) -> Split | None:
    """The test split of a dataset, for the images in report.html; None, which is said, where it is not available."""
    from optsuite.catalog import user_file
    from optsuite.catalog.datasets import DATASETS

    datasets = dict(DATASETS)
    try:
        if dataset not in datasets and user_catalog:
            datasets |= user_file.read(Path(user_catalog)).datasets
        return datasets[dataset].load("test") if dataset in datasets else None
    except Exception as error:  # the code may be the user's, and there is a report without images, too
        print(f"optsuite: report.html shows no images: {first_line(error)}", file=sys.stderr)
        return None


def _recommend(given: argparse.Namespace) -> int:
    from optsuite.judge.recommend import Limits, candidates, choose
    from optsuite.results.reader import read
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

    from optsuite import config
    from optsuite.judge.compare import compare
    from optsuite.judge.history import before_and_after
    from optsuite.judge.pairs import ComparedRun
    from optsuite.judge.verdict import passes
    from optsuite.measure import side_by_side
    from optsuite.report import verdicts
    from optsuite.results.reader import read

    read_paths = [path.resolve() for path in (given.base, given.new, given.spread) if path]
    for path in (given.markdown, given.json):
        if path and path.resolve() in read_paths:
            raise OptsuiteError(f"{path} is one of the runs; accepted is another file to write to")
    base, new = read(given.base), read(given.new)
    tolerances = config.read(_PYPROJECT).tolerances
    retime = side_by_side.side_by_side(open_store(given))
    spread = ComparedRun.of(read(given.spread)) if given.spread else None
    judged = compare(ComparedRun.of(base), ComparedRun.of(new), tolerances, retime, spread)
    volumes = before_and_after(base, new, judged)
    print(verdicts.text(judged, volumes, tolerances, everything=given.all))
    if given.markdown:
        write_file(given.markdown, verdicts.markdown(judged, volumes, tolerances, everything=given.all).encode())
    if given.json:
        write_file(given.json, msgspec.json.format(msgspec.json.encode(judged)))
    return int(not passes(judged, allow_not_comparable=given.allow_not_comparable))


def _spread(given: argparse.Namespace) -> int:
    from optsuite.judge import training_spread
    from optsuite.results.reader import read

    several = read(given.seeds)
    added = training_spread.add(given.add_to, several, given.seeds) if given.add_to else b""
    from optsuite.report import tables
    from optsuite.report.spread import table

    print(tables.markdown(table(training_spread.of_run(several))))
    if given.add_to:
        write_file(given.add_to, added)
        print(f"{given.add_to} has the seeds of {given.seeds} now")
    return 0


def _plan(given: argparse.Namespace) -> int:
    arguments = given.arguments or ["--pyargs", "optsuite.benchmarks"]
    command = [sys.executable, "-m", "pytest", *arguments, "--optsuite-plan", "--quiet", "--no-header"]
    return subprocess.run(command, check=False).returncode


def _history(given: argparse.Namespace) -> int:
    from optsuite import config
    from optsuite.judge import history

    runs, left_out = history.load(given.folder)
    regressed = history.regressions(runs, config.read(_PYPROJECT).tolerances)
    from optsuite.report import history as shown
    from optsuite.report import tables

    lines = shown.write(runs, history.points(runs), regressed, given.out)
    print(tables.markdown(lines.drop(columns="run")))
    for reason in left_out:
        print(f"left out: {reason}", file=sys.stderr)
    print(f"the history is in {given.out / 'history.md'}")
    return 0


def _measure(given: argparse.Namespace) -> int:
    import msgspec

    from optsuite.measure import standalone
    from optsuite.results.reader import decode

    metric = standalone.metric(given.metric)
    if given.data is None:
        if given.json:
            raise OptsuiteError("--json: expected --data, too: the rows of a run have an accuracy")
        for one in standalone.timed(given.files):
            us = 1e6 * one.median_s
            print(f"{one.name}: {one.bytes:,} bytes, {one.gzip_bytes:,} gzipped, median {us:.2f} us")
        return 0
    if given.json and not given.json.parent.is_dir():  # known before a minute is spent
        raise OptsuiteError(f"{given.json.parent}: no such folder; accepted is a file in one that is there")
    content = msgspec.json.encode(standalone.run(given.files, given.data, metric))
    for row in decode(content, given.json or Path("run.json")).rows:
        found, us = row.measured, 1e6 * row.timing.median_s
        print(
            f"{found.experiment}: {metric.name} {found.test.accuracy:.4f} of {found.test.count}, "
            f"{found.bytes:,} bytes, {found.gzip_bytes:,} gzipped, median {us:.2f} us"
            + (f"; {found.note}" if found.note else "")
        )
    if given.json:
        write_file(given.json, content)
    return 0


def _ab(given: argparse.Namespace) -> int:
    import numpy as np

    from optsuite.measure import side_by_side, standalone

    if len(given.files) < 2:
        raise OptsuiteError(f"{given.files[0]}: one file given; accepted are two or more, to be compared")
    reference, *others = times = side_by_side.files(standalone.contents(given.files))
    ratios = [side_by_side.ratio(reference, one) for one in others]
    for path, median_s, ratio in zip(given.files, np.median(times, axis=(1, 2)), [None, *ratios], strict=True):
        print(f"{path}: {median_s * 1e6:.2f} us" + (f", {ratio} of the first" if ratio else ""))
    return 0


if __name__ == "__main__":
    sys.exit(main())
