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

    from optsuite.measure import side_by_side, standalone_files

    if len(files) < 2:
        raise OptsuiteError(f"expected two or more files to compare, got one: {files[0]}")
    times = side_by_side.files(standalone_files.contents(files))
    medians_s = np.median(times, axis=(1, 2))
    print(f"{files[0]}: {medians_s[0] * 1e6:.2f} us")
    for path, median_s, candidate in zip(files[1:], medians_s[1:], times[1:], strict=True):
        ratio = side_by_side.ratio(times[0], candidate)
        print(f"{path}: {median_s * 1e6:.2f} us, {ratio} of the first")
    return 0
