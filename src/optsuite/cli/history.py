"""`optsuite history`: follow each model over the runs of a folder."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from optsuite.cli.options import PYPROJECT, out_option


@click.command("history")
@click.argument("folder", type=Path, metavar="DIR")
@out_option
def command(folder: Path, out: Path) -> int:
    """Follow each model over the runs of a folder.

    DIR is the folder of pytest's --benchmark-storage option, in which --benchmark-autosave stores each run.
    """
    from optsuite import config
    from optsuite.catalog.catalog import Catalog
    from optsuite.judge import history

    runs, left_out = history.load(folder)
    declared = [figure for run in runs for figure in run.header.figures]
    tolerances = config.read(PYPROJECT).tolerances_of(declared, known=Catalog.builtin().figures())
    regressed = history.regressions(runs, tolerances)
    from optsuite.report import history as history_report
    from optsuite.report import tables

    lines = history_report.write(runs, history.points(runs), regressed, out)
    print(tables.plain(history_report.shown(lines)))
    for reason in left_out:
        print(f"left out: {reason}", file=sys.stderr)
    print(f"the history is in {out / 'history.md'}")
    return 0
