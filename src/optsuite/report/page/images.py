"""The test images that a page shows: what a row gets wrong and its baseline gets right."""

from __future__ import annotations

import base64
import io
import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from PIL import Image

from optsuite.report.tables import selected
from optsuite.results.run import Run
from optsuite.spec.data import Split

MOST = 60
"""The most images that are shown of a row."""
_MOST_BYTES = 2_000_000
"""The most bytes of all images before compression, so that the page stays small."""

NewlyWrong = Mapping[tuple[str, str], Sequence[int]]
"""Experiment and variant -> images, by number."""


def newly_wrong(run: Run) -> NewlyWrong:
    """The test images that each row gets wrong and its baseline's Keras model gets right; none of graded answers."""
    if any(row.measured.test.graded for row in run.rows):
        return {}
    baselines = {built.id: baseline.answers.correct() for built in selected(run) if (baseline := run.baseline(built))}
    return {
        (row.measured.experiment, row.measured.variant): np.flatnonzero(
            ~row.measured.test.correct() & baselines[row.measured.experiment]
        ).tolist()
        for row in run.rows
        if row.measured.experiment in baselines
    }


def sheet(run: Run, found: NewlyWrong, test: Split | None) -> dict[str, Any] | None:
    """Return the images to show in one PNG, side by side.

    Args:
        run: The run.
        found: The images that each row shows, by number.
        test: The test split of the run's dataset, or None where it is not available.

    Returns:
        The PNG and where each image is in it; None where `test` is not the run's test split, or holds no images.

    """
    if test is None:
        return None
    data = run.header.data
    test = test.first(len(data.labels))
    if not np.array_equal(test.y, data.labels) or data.sha256 not in ("", test.sha256):
        return None
    if test.x.ndim != 4 or test.x.shape[-1] not in (1, 3):
        return None
    _, height, width, channels = test.x.shape
    indices: list[int] = []
    for most in range(1, MOST + 1):
        more = sorted({index for row in found.values() for index in row[:most]})
        if len(more) * height * width * channels > _MOST_BYTES:
            break
        indices = more
    if not indices:
        return None
    columns = math.ceil(math.sqrt(len(indices)))
    low, high = float(test.x[indices].min()), float(test.x[indices].max())
    pixels = np.zeros((math.ceil(len(indices) / columns) * height, columns * width, channels), np.uint8)
    for place, index in enumerate(indices):
        top, left = place // columns * height, place % columns * width
        pixels[top : top + height, left : left + width] = (255 * (test.x[index] - low) / ((high - low) or 1)).round()
    png = io.BytesIO()
    Image.fromarray(pixels.squeeze(axis=-1) if channels == 1 else pixels).save(png, "PNG", optimize=True)
    return {
        "png": base64.b64encode(png.getvalue()).decode(),
        "columns": columns,
        "width": width,
        "height": height,
        "sheet": [columns * width, len(pixels)],
        "places": {index: place for place, index in enumerate(indices)},
    }
