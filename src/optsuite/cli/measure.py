"""`optsuite measure`: measure .tflite files that were not built by a run."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click
import msgspec

from optsuite.errors import OptsuiteError
from optsuite.files import write_file

if TYPE_CHECKING:
    from optsuite.results.run import Row


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
    "--metric",
    "metric_name",
    default="accuracy",
    show_default=True,
    metavar="NAME",
    help="Figure to compute from the answers: accuracy, top-K such as top-5, or mae (mean absolute error).",
)
@click.option("--json", "json_path", type=Path, metavar="RUN.json", help="Write a run, for the other commands.")
def command(files: tuple[Path, ...], data: Path | None, metric_name: str, json_path: Path | None) -> int:
    """Measure .tflite files that were made elsewhere.

    TensorFlow need not be installed. With --data, accuracy, sizes and times are measured; without, sizes and times.
    """
    from optsuite.measure import standalone, standalone_run

    metric = standalone.metric(metric_name)
    if data is None:
        if json_path:
            raise OptsuiteError("--json: expected --data, too, because each row of a run has an accuracy")
        _print_times(files)
        return 0
    if json_path and not json_path.parent.is_dir():  # found before measuring, which takes minutes
        raise OptsuiteError(f"{json_path.parent}: no such folder; expected a file in a folder that exists")
    content = msgspec.json.encode(standalone_run.run(files, data, metric))
    from optsuite.results.reader import decode

    for row in decode(content, json_path or Path("run.json")).rows:
        _print_row(row, metric.name)
    if json_path:
        write_file(json_path, content)
    return 0


def _print_times(files: Sequence[Path]) -> None:
    from optsuite.measure.standalone import timed

    for file in timed(files):
        print(f"{file.name}: {_costs(file.bytes, file.gzip_bytes, file.median_s)}")


def _print_row(row: Row, metric: str) -> None:
    measured = row.measured
    accuracy = f"{metric} {measured.test.accuracy:.4f} of {measured.test.count}"
    note = f"; {measured.note}" if measured.note else ""
    costs = _costs(measured.bytes, measured.gzip_bytes, row.timing.median_s)
    print(f"{measured.experiment}: {accuracy}, {costs}{note}")


def _costs(size_bytes: int, gzip_bytes: int, median_s: float) -> str:
    return f"{size_bytes:,} bytes, {gzip_bytes:,} gzipped, median {1e6 * median_s:.2f} us"
