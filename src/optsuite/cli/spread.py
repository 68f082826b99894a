"""`optsuite spread`: show how much trainings of the same code differ."""

from __future__ import annotations

from pathlib import Path

import click

from optsuite.files import write_file


@click.command("spread")
@click.argument("seeds_path", type=Path, metavar="SEEDS.json")
@click.option(
    "--add-to",
    "run_path",
    type=Path,
    metavar="RUN.json",
    help="Add the trainings to this run of fewer seeds by the same code, where `compare` finds them.",
)
def command(seeds_path: Path, run_path: Path | None) -> int:
    """Show how much trainings of the same code differ.

    SEEDS.json is a run of several seeds, which pytest writes with --optsuite-seeds=0,1,2,... and --benchmark-json.
    """
    from optsuite.judge import training_spread
    from optsuite.judge.verdict import ALPHA
    from optsuite.results.reader import read

    seeds = read(seeds_path)
    extended_run = training_spread.add(run_path, seeds, seeds_path) if run_path else b""
    from optsuite.report import tables
    from optsuite.report.spread import of_examinations, table

    rows = training_spread.of_run(seeds)
    examined = of_examinations(rows, seeds)
    # As `compare` shares the chance of a false alarm.
    print(tables.plain(table(rows, alpha=ALPHA if examined.empty else ALPHA / 2)))
    if not examined.empty:
        print(f"\n{tables.plain(examined)}")
    if run_path:
        write_file(run_path, extended_run)
        print(f"{run_path} has the seeds of {seeds_path} now")
    return 0
