"""`optsuite recommend`: choose the best variant of a run within limits."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from optsuite.cli.options import run_argument
from optsuite.errors import OptsuiteError
from optsuite.terminal import wrapped
from optsuite.units import parse_bytes, parse_count, parse_fraction, parse_number, parse_seconds

if TYPE_CHECKING:
    from optsuite.judge.recommend import Preference


@click.command("recommend")
@run_argument
@click.option("--target", metavar="NAME", help="Where the file is to run: choose by the figures of this target.")
@click.option("--max-size", metavar="40KB", help="Largest size of the .tflite file.")
@click.option("--max-flash", metavar="64KB", help="Most flash on the target.")
@click.option("--max-sram", metavar="32KB", help="Most SRAM on the target.")
@click.option("--max-arena", metavar="32KB", help="Largest arena on the target.")
@click.option("--max-instructions", metavar="200k", help="Most instructions of one call on the target.")
@click.option("--max-latency", metavar="30us", help="Largest median time of a call; with --target, its time there.")
@click.option("--min-accuracy", metavar="0.98", help="Smallest accuracy on the validation set, a fraction.")
@click.option(
    "--limit",
    "others",
    multiple=True,
    metavar="FIGURE=NUMBER",
    help="Limit of another figure of the run, such as macs=500000: its largest value, or its smallest where more is "
    "better. May be given several times.",
)
@click.option("--models", metavar="A,B", help="Models to choose from.  [default: all]")
@click.option("--variants", metavar="A,B", help="Variants to choose from.  [default: all .tflite variants]")
@click.option(
    "--prefer",
    type=click.Choice(["quality", "balanced", "compact"]),
    default="quality",
    show_default=True,
    help="quality: the most accurate variant; balanced: the smallest size x latency among the variants at most 0.5 "
    "points less accurate than the best; compact: the smallest variant among those at most 2 points less accurate. "
    "With --target, size is the flash there; where no latency is known, cycles, instructions or the arena replace it.",
)
@click.option("--all", "everything", is_flag=True, help="Print all variants, and which limits each of them exceeds.")
def command(
    run_path: Path,
    target: str | None,
    max_size: str | None,
    max_latency: str | None,
    min_accuracy: str | None,
    others: tuple[str, ...],
    models: str | None,
    variants: str | None,
    prefer: Preference,
    everything: bool,
    **max_resources: str | None,
) -> int:
    """Choose the best variant of a run within limits.

    RUN.json is the file that `pytest --benchmark-json` wrote. Accuracies are compared on the validation set, and the
    accuracy on the test set is printed. Of a run of several datasets, it chooses one for each. Exits with 1 if no
    variant is within the limits.
    """
    from optsuite.judge.limits import Limits, Place, limit
    from optsuite.judge.recommend import candidates, choose
    from optsuite.results.reader import read

    # An unusable limit is an error before a large file is read.
    given = {name.removeprefix("max_"): text for name, text in max_resources.items() if text is not None}
    most = {name: parse_count(text) if name == "instructions" else parse_bytes(text) for name, text in given.items()}
    if most and not target:
        raise OptsuiteError(f"--max-{next(iter(most))}: expected --target, too, such as --target tflm")
    latency_s = None if max_latency is None else parse_seconds(max_latency)
    if target and latency_s is not None:
        most["latency"] = latency_s
    limits = Limits(
        max_bytes=None if max_size is None else parse_bytes(max_size),
        max_latency_s=None if target else latency_s,
        min_accuracy=None if min_accuracy is None else parse_fraction(min_accuracy),
    )
    bounds = {name: parse_number(bound) for name, bound in map(_parted, others)}
    run = read(run_path)
    limits = replace(limits, others={name: limit(run, name, bound) for name, bound in bounds.items()})
    place = Place.of(run, target) if target else None
    if place:
        limits = place.add(limits, most)
    among = [None if names is None else names.split(",") for names in (variants, models)]
    rows = candidates(run, *among)
    datasets = {
        part.header.data.name: [row for row in rows if row.measured.experiment in part.header.experiments]
        for part in run.by_dataset()
    }
    choices = {name: choose(some, limits, prefer, place) for name, some in datasets.items() if some or not rows}
    from optsuite.report import smoke
    from optsuite.report.choice import text

    if warning := smoke.warning(run):
        print(wrapped(warning), end="\n\n")
    for name, choice in choices.items():
        print(*([f"dataset {name}:"] if len(datasets) > 1 else []), text(choice, everything=everything), sep="\n")
    return 0 if all(choice.ranked for choice in choices.values()) else 1


def _parted(option: str) -> tuple[str, str]:
    """Split FIGURE=NUMBER."""
    name, equals, bound = option.partition("=")
    if not equals:
        raise OptsuiteError(f"--limit: expected FIGURE=NUMBER, got {option!r}")
    return name, bound
