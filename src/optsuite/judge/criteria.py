"""What a comparison judges of a row."""

from __future__ import annotations

from optsuite.catalog.selection import Selection
from optsuite.examine import target
from optsuite.judge.verdict import CRITERIA
from optsuite.results import figures


def criteria(selection: Selection) -> dict[str, tuple[str, ...]]:
    """Return the criteria by which the rows of a selection are judged, and the metrics of each.

    A target is one criterion: what a file uses there is judged together.
    """
    found: dict[str, tuple[str, ...]] = {name: (name,) for name in CRITERIA}
    targets = target.names(selection.targets)
    for examination in selection.examinations():
        for figure in figures.found(examination.figures):
            if figure.tolerance is not None:
                name = targets.get(examination.name, figure.name)
                found[name] = (*found.get(name, ()), figure.name)
    return found
