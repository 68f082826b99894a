"""`optsuite measure`: measure .tflite files that were not built by a run."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import click
import msgspec

from optsuite.cli.options import PYPROJECT
from optsuite.errors import OptsuiteError
from optsuite.files import write_file
from optsuite.terminal import wrapped
from optsuite.units import microseconds

if TYPE_CHECKING:
    from optsuite.examine.target import Target
    from optsuite.results.run import Row
    from optsuite.spec.data import Dataset


@click.command("measure")
@click.argument("files", type=Path, nargs=-1, required=True, metavar="FILE.tflite...")
@click.option(
    "--data",
    type=Path,
    metavar="DATA.npz",
    help="Arrays x_test and y_test, and optionally x_validation and y_validation. Without them the files are only "
    "timed, on random inputs.",
)
@click.option(
    "--dataset",
    "dataset_name",
    metavar="NAME",
    help="Instead of --data: a dataset of the catalogue, such as mnist, whose test and validation splits are used. The "
    "files can then be reported and compared together with a run on this dataset.",
)
@click.option(
    "--profile",
    "profile_name",
    default="full",
    show_default=True,
    metavar="NAME",
    help="The profile of the run that the files are to be compared with: smoke uses the first 500 inputs.",
)
@click.option(
    "--metric",
    "metric_name",
    metavar="NAME",
    help="Figure to compute from the answers to --data: accuracy, top-K such as top-5, or mae (mean absolute error).  "
    "[default: accuracy]",
)
@click.option(
    "--targets",
    metavar="A,B",
    help="Examine the files for these targets, or for none.  [default: all that are not on request]",
)
@click.option(
    "--catalog",
    type=Path,
    metavar="FILE.py",
    help="Catalogue file that declares datasets, examinations and targets of your own.  [default: the one that "
    "pyproject.toml names]",
)
@click.option("--json", "json_path", type=Path, metavar="RUN.json", help="Write a run, for the other commands.")
def command(
    files: tuple[Path, ...],
    data: Path | None,
    dataset_name: str | None,
    profile_name: str,
    metric_name: str | None,
    targets: str | None,
    catalog: Path | None,
    json_path: Path | None,
) -> int:
    """Measure .tflite files that were made elsewhere.

    TensorFlow need not be installed. With --data or --dataset, accuracy, sizes and times are measured; without, sizes
    and times. The files are examined as those of a run are: for targets, such as microcontrollers and NPUs, and by the
    examinations of the catalogue.
    """
    from optsuite import config
    from optsuite.catalog import user_file
    from optsuite.catalog.catalog import Catalog
    from optsuite.catalog.profiles import PROFILES
    from optsuite.catalog.selection import pick_targets
    from optsuite.examine import target
    from optsuite.measure import standalone, standalone_run
    from optsuite.spec.names import pick

    requested = [] if targets is None else targets.split(",")
    known = Catalog.builtin()
    if path := catalog or config.read(PYPROJECT).catalog:
        known = known.joined(user_file.read(Path(path)))
    places = pick_targets(known, requested)
    own = known.user_defined.examinations.values() if known.user_defined else ()
    shown = [*(target.Target(name=one.name, examinations=(one,)) for one in own), *places]
    (profile,) = pick(PROFILES, [profile_name], "profile")
    dataset = _dataset(known.datasets, dataset_name, data, metric_name)
    splits: set[str] = {"test", "validation"} if dataset else set()
    every = [*known.examinations.values(), *target.examinations(places)]
    possible = [one for one in every if splits.issuperset(one.needs)]
    lacking = _lacking(shown, splits)
    if dataset is None:
        if json_path:
            raise OptsuiteError("--json: expected --data or --dataset, too, because each row of a run has an accuracy")
        for file in standalone.timed(files, possible, places):
            print(wrapped(f"{file.name}: {_costs(file.bytes, file.gzip_bytes, file.median_s)}", hanging=4))
            _print_targets(shown, file.figures, {**file.unexamined, **lacking})
        return 0
    if json_path and (json_path.is_dir() or not json_path.parent.is_dir()):  # found before measuring takes minutes
        raise OptsuiteError(f"--json: expected a file in a folder that exists, got {json_path}")
    content = msgspec.json.encode(standalone_run.run(files, dataset, possible, places, requested, profile))
    from optsuite.results.reader import decode

    run = decode(content, json_path or Path("run.json"))
    absent = {one.name: one.absent for one in run.header.examinations if one.absent}
    for row in run.rows:
        _print_row(row, dataset.metric.name)
        _print_targets(shown, row.measured.figures, {**absent, **row.measured.unexamined, **lacking})
    if json_path:
        write_file(json_path, content)
    return 0


def _dataset(
    known: Mapping[str, Dataset], name: str | None, data: Path | None, metric_name: str | None
) -> Dataset | None:
    """The data of --dataset, or that of --data; None where neither is given."""
    from optsuite.measure import standalone

    if name is None:
        return standalone.from_npz(data, standalone.metric(metric_name or "accuracy")) if data else None
    if data or metric_name:
        raise OptsuiteError("--dataset: expected neither --data nor --metric beside it: the dataset has its own")
    if name not in known:
        raise OptsuiteError(f"unknown dataset {name!r}; expected one of {', '.join(known)}")
    return known[name]


def _lacking(targets: Iterable[Target], splits: set[str]) -> dict[str, str]:
    """Return the examinations of targets that can't be examined at all, by name, and what they lack."""
    reason = "needs the training data, which `measure` does not use" if splits else "needs --data or --dataset"
    idle = [target for target in targets if not any(splits.issuperset(one.needs) for one in target.examinations)]
    return {one.name: reason for target in idle for one in target.examinations}


def _print_row(row: Row, metric: str) -> None:
    measured = row.measured
    accuracy = f"{metric} {measured.test.accuracy:.4f} of {measured.test.count}"
    note = f"; {measured.note}" if measured.note else ""
    costs = _costs(measured.bytes, measured.gzip_bytes, row.timing.median_s)
    print(wrapped(f"{measured.experiment}: {accuracy}, {costs}{note}", hanging=4))


def _print_targets(
    targets: Iterable[Target], figures: Mapping[str, int | float], unexamined: Mapping[str, str]
) -> None:
    """Print what a file uses of each target, or why that is not known; a user's examination is a target of its own."""
    lines: dict[str, list[str]] = {}
    for target in targets:
        declared = [figure for one in target.examinations for figure in one.figures]
        shown = [figure for figure in declared if figure.resource] or declared
        used = [
            f"{figure.resource or figure.label} {figure.text(figures[figure.name])}"
            for figure in shown
            if figure.name in figures
        ]
        reasons = dict.fromkeys(unexamined[one.name] for one in target.examinations if one.name in unexamined)
        if used or reasons:
            lines.setdefault(", ".join([*used, *reasons]), []).append(target.name)
    for text, names in lines.items():
        print(wrapped(f"{', '.join(names)}: {text}", indent=2, hanging=2))


def _costs(size_bytes: int, gzip_bytes: int, median_s: float) -> str:
    return f"{size_bytes:,} bytes, {gzip_bytes:,} gzipped, median {microseconds(median_s)}"
