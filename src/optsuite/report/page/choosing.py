"""What the page needs to answer as `optsuite recommend` does: the candidates, and what counts on each target."""

from __future__ import annotations

from typing import Any

import numpy as np

from optsuite.judge import recommend
from optsuite.judge.limits import Place
from optsuite.report import choice
from optsuite.report.page import columns
from optsuite.results import figures
from optsuite.results.figures import Figure
from optsuite.results.run import Run


def content(run: Run) -> dict[str, Any] | None:
    """Return the candidates in the order of the run, with the numbers that they are chosen by; None without any.

    There is also no choice among rows whose validation sets differ, as `recommend.choose` says.
    """
    rows = recommend.candidates(run)
    if not rows or len({row.measured.validation.count for row in rows}) > 1:
        return None
    accuracies = np.array([row.measured.validation.scores() for row in rows]).mean(axis=1)
    return {
        "candidates": [
            {
                "experiment": row.measured.experiment,
                "variant": row.measured.variant,
                "accuracy": float(accuracy),
                "latency_s": row.timing.median_s,
                "size": row.measured.bytes,
            }
            for row, accuracy in zip(rows, accuracies, strict=True)
        ],
        "graded": any(row.measured.validation.graded for row in rows),
        "one_image": 1 / rows[0].measured.validation.count,
        "margins": recommend.MARGINS,
        "rules": choice.RULES,
        "places": [_place(Place.of(run, target)) for target in run.resources()],
    }


def _place(place: Place) -> dict[str, Any]:
    return {
        "name": place.name,
        "size": _key(place.size.figure),
        "second": _key(place.second.figure),
        "resources": [
            {"key": _key(one.figure), "name": one.figure.name, "resource": one.figure.resource, "unit": one.figure.unit}
            for one in place.resources
        ],
    }


def _key(figure: Figure) -> str:
    return "bytes" if figure == figures.BYTES else columns.examined_key(figure)
