"""The `optsuite` command: arguments, printing, exit codes."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from optsuite import __version__
from optsuite.spec import OptsuiteError

_CANNOT_USE_INPUT = 2


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; the exit code is 0, or 2 where the input can't be used."""
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
    ab = commands.add_parser("ab", help="time .tflite files side by side, in random turns")
    ab.add_argument("files", type=Path, nargs="+", metavar="FILE.tflite", help="the first is the reference")
    ab.set_defaults(command=_ab)
    given = parser.parse_args(arguments)
    try:
        given.command(given)
    except OptsuiteError as error:
        print(f"optsuite: {error}", file=sys.stderr)
        return _CANNOT_USE_INPUT
    return 0


def _report(given: argparse.Namespace) -> None:
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


def _ab(given: argparse.Namespace) -> None:
    import numpy as np

    from optsuite import ab
    from optsuite.measure import LiteRTRunner

    if len(given.files) < 2:
        raise OptsuiteError(f"{given.files[0]}: one file given; accepted are two or more, to be compared")
    try:
        contents = [path.read_bytes() for path in given.files]
    except OSError as error:
        raise OptsuiteError(f"{error.filename}: {error.strerror}; accepted is a .tflite file") from error
    makers = [lambda content=content: LiteRTRunner(content).invoke for content in contents]
    reference, *others = times = ab.interleaved(makers)
    ratios = [ab.ratio(reference, one) for one in others]
    for path, median_s, ratio in zip(given.files, np.median(times, axis=(1, 2)), [None, *ratios], strict=True):
        print(f"{path}: {median_s * 1e6:.2f} us" + (f", {ratio} of the first" if ratio else ""))


if __name__ == "__main__":
    sys.exit(main())
