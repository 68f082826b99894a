"""`optsuite compare`: find what is worse in a run than in a reference run."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import click
import msgspec

from optsuite.cli.options import PYPROJECT, cache_option, open_store
from optsuite.errors import OptsuiteError
from optsuite.files import write_file
from optsuite.judge.verdict import passes
from optsuite.terminal import wrapped


@click.command("compare")
@click.argument("reference_path", type=Path, metavar="REFERENCE.json")
@click.argument("new_path", type=Path, metavar="NEW.json")
@click.option("--markdown", "markdown_path", type=Path, metavar="FILE", help="Write the verdicts as Markdown too.")
@click.option("--json", "json_path", type=Path, metavar="FILE", help="Write all verdicts as JSON too.")
@click.option("--all", "everything", is_flag=True, help="Also print what has not changed.")
@click.option(
    "--spread",
    "spread_path",
    type=Path,
    metavar="SEEDS.json",
    help="A run of several seeds, which shows how much trainings of the same code differ.  [default: REFERENCE.json]",
)
@click.option(
    "--row",
    nargs=2,
    metavar="EXPERIMENT VARIANT",
    help="Compare the files of NEW.json, which `optsuite measure` wrote, with this row of REFERENCE.json.",
)
@click.option(
    "--allow-not-comparable", is_flag=True, help="Exit with 0 even if an accuracy or a size could not be judged."
)
@cache_option
def command(
    reference_path: Path,
    new_path: Path,
    markdown_path: Path | None,
    json_path: Path | None,
    everything: bool,
    spread_path: Path | None,
    row: tuple[str, str] | None,
    allow_not_comparable: bool,
    cache: Path,
) -> int:
    """Find what is worse in a run than in a reference run.

    NEW.json is the run to judge, REFERENCE.json the reference run. Where the store has the .tflite files of both, they
    are timed side by side; times of two different runs are not compared. Exits with 1 if something is worse by more
    than the tolerance and by more than chance explains, if a row is missing, or if an accuracy or a size can't be
    judged.
    """
    from optsuite import config
    from optsuite.catalog.catalog import Catalog
    from optsuite.judge.compare import compare
    from optsuite.judge.history import before_and_after
    from optsuite.judge.pairs import ComparedRun, as_files
    from optsuite.measure.side_by_side import side_by_side
    from optsuite.report import smoke, verdicts
    from optsuite.results.reader import read

    _check_outputs([markdown_path, json_path], inputs=[reference_path, new_path, spread_path])
    reference, new = read(reference_path), read(new_path)
    if row:
        reference = as_files(reference, *row, new)
    tolerances = config.read(PYPROJECT).tolerances_of(
        [*reference.header.figures, *new.header.figures], known=Catalog.builtin().figures()
    )
    retime = side_by_side(open_store(cache))
    spread = ComparedRun.of(read(spread_path)) if spread_path else None
    judged = compare(ComparedRun.of(reference), ComparedRun.of(new), tolerances, retime, spread)
    volumes = before_and_after(reference, new, judged)
    if warning := smoke.warning(new) or smoke.warning(reference):
        print(wrapped(warning), end="\n\n")
    print(verdicts.text(judged, volumes, tolerances, everything=everything))
    if markdown_path:
        text = verdicts.markdown(judged, volumes, tolerances, everything=everything)
        write_file(markdown_path, text.encode())
    if json_path:
        write_file(json_path, msgspec.json.format(msgspec.json.encode(judged)))
    return 0 if passes(judged, allow_not_comparable=allow_not_comparable) else 1


def _check_outputs(outputs: Sequence[Path | None], inputs: Sequence[Path | None]) -> None:
    """Raise OptsuiteError if a file to write is one of the runs to read."""
    runs = {path.resolve() for path in inputs if path}
    for path in outputs:
        if path and path.resolve() in runs:
            raise OptsuiteError(f"{path} is one of the runs; expected another file to write to")
