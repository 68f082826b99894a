"""The test images that a page shows: what a row gets wrong and its baseline gets right."""

from __future__ import annotations

import base64
import io
import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from PIL import Image

from optsuite import datasets
from optsuite.report.tables import selected
from optsuite.results import Run

MOST = 60
"""How many are shown of a row."""
_MOST_BYTES = 2_000_000
"""Of all images, before they are compressed: the page has to stay small."""

Flips = Mapping[tuple[str, str], Sequence[int]]
"""Experiment and variant -> images, by number."""


def flips(run: Run) -> Flips:
    """The test images that each row gets wrong and its baseline's Keras model gets right; none of graded answers."""
    if any(row.measured.test.graded for row in run.rows):
        return {}
    baselines = {built.id: baseline.answers.right() for built in selected(run) if (baseline := run.baseline(built))}
    return {
        (row.measured.experiment, row.measured.variant): np.flatnonzero(
            ~row.measured.test.right() & baselines[row.measured.experiment]
        ).tolist()
        for row in run.rows
        if row.measured.experiment in baselines
    }


def sheet(run: Run, found: Flips) -> dict[str, Any] | None:
    """The images to show in one PNG, side by side; None where the run's data is not here, or is no images."""
    dataset = datasets.DATASETS.get(run.header.asked.dataset)
    if dataset is None:
        return None
    try:
        test = dataset.load("test").first(len(run.header.labels))
    except Exception:  # the code may be the user's own, and there is a report without images, too
        return None
    if not np.array_equal(test.y, run.header.labels) or run.header.data_sha256 not in ("", test.sha256):
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
