"""`optsuite report`: show a run as HTML, Markdown, tables and figures."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from optsuite.cli.options import PYPROJECT, out_option
from optsuite.errors import first_line

if TYPE_CHECKING:
    from optsuite.results.calibration import Calibration
    from optsuite.results.run import Run
    from optsuite.spec.data import Split


@click.command("report")
@click.argument("run_paths", type=Path, nargs=-1, required=True, metavar="RUN.json...")
@out_option
@click.option(
    "--catalog",
    type=Path,
    metavar="FILE.py",
    help="Catalogue file that declares the dataset of the run.  [default: the one that pyproject.toml names]",
)
@click.option(
    "--calibration",
    type=Path,
    metavar="FILE.json",
    help="What `python -m optsuite.benchmarks.calibration` wrote: how far the times can be trusted.",
)
def command(run_paths: tuple[Path, ...], out: Path, catalog: Path | None, calibration: Path | None) -> int:
    """Show a run as HTML, Markdown, CSV tables and figures.

    RUN.json is the file that `pytest --benchmark-json` wrote, or `optsuite measure`. Several runs on the same test data
    become one report, with the machine of the first; each row of another run has a note. Of a run of several
    datasets, each gets a report in a folder of its name.
    """
    from optsuite import config
    from optsuite.results.calibration import read as read_calibration
    from optsuite.results.join import joined
    from optsuite.results.reader import read

    parts = joined([read(path) for path in run_paths]).by_dataset()
    timing_checks = read_calibration(calibration) if calibration else None
    user_catalog = catalog or config.read(PYPROJECT).catalog
    for part in parts:
        name = part.header.data.name
        folder = out / name if len(parts) > 1 else out
        _write(part, folder, timing_checks, _test_split(name, user_catalog))
    return 0


def _write(run: Run, out: Path, timing_checks: Calibration | None, test: Split | None) -> None:
    """Write the report of a run of one dataset, and print its frontiers."""
    # Loading pandas and matplotlib takes seconds, which an input that can't be used should not cost.
    from optsuite.report import tables, write

    results = write(run, out, timing_checks, test)
    for cost in tables.FRONTIERS:
        frontier = tables.frontier(results, cost)
        if not frontier.empty:
            print(f"Pareto frontier: accuracy against {cost}\n")
            print(tables.plain(frontier), end="\n\n")
    print(f"the report is in {out / 'report.html'} and {out / 'report.md'}")


def _test_split(dataset: str, user_catalog: str | Path) -> Split | None:
    """Load the test images for report.html; log why if they are not available, and return None."""
    from optsuite.catalog import user_file
    from optsuite.catalog.datasets import DATASETS

    datasets = dict(DATASETS)
    try:
        if dataset not in datasets and user_catalog:
            datasets |= user_file.read(Path(user_catalog)).datasets
        return datasets[dataset].split("test") if dataset in datasets else None
    except Exception as error:  # user-defined code may raise anything, and the rest of the report needs no images
        print(f"optsuite: report.html shows no images: {first_line(error)}", file=sys.stderr)
        return None
