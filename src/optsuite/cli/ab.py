"""`optsuite ab`: time .tflite files side by side."""

from __future__ import annotations

from pathlib import Path

import click

from optsuite.errors import OptsuiteError


@click.command("ab")
@click.argument("files", type=Path, nargs=-1, required=True, metavar="FILE.tflite...")
def command(files: tuple[Path, ...]) -> int:
    """Time .tflite files side by side, in random order.

    Each file is compared with the first one: its time as a ratio, with a 95 % interval. Slow moments of the machine
    affect all files alike, so that small differences can be measured.
    """
    import numpy as np

    from optsuite import terminal
    from optsuite.measure import side_by_side, standalone_files
    from optsuite.units import microseconds

    if len(files) < 2:
        raise OptsuiteError(f"expected two or more files to compare, got one: {files[0]}")
    times = side_by_side.files(standalone_files.contents(files))
    medians = [microseconds(float(median_s)) for median_s in np.median(times, axis=(1, 2))]
    ratios = ["1", *(str(side_by_side.ratio(times[0], candidate)) for candidate in times[1:])]
    rows = zip(map(str, files), medians, ratios, strict=True)
    print(terminal.table([dict(zip(("file", "median", "of the first"), row, strict=True)) for row in rows]))
    return 0
