"""The columns of the page's tables, in groups of which one is shown at a time, and what each of them means."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from optsuite.report import about
from optsuite.results.figures import Figure
from optsuite.results.run import Run

_HERE, _MODEL, _OTHER = "this machine", "the model", "other examinations"


@dataclass(frozen=True, kw_only=True)
class Column:
    """A column of the table of results.

    Attributes:
        key: The key of its values in the page's rows.
        label: Its header.
        definition: What it means.
        decimals: How many decimals are shown; None for as many as the value needs.
        group: With which others it is shown; an empty string for one that is always shown.

    """

    key: str
    label: str
    definition: str
    decimals: int | None = None
    group: str = ""


def columns(run: Run) -> list[dict[str, Any]]:
    """Return the columns of the results of a run: those of every row, then the figures that examinations found."""
    terms = about.terms()
    found = [
        Column(key="accuracy", label="accuracy", definition=terms["correct"], decimals=4),
        Column(
            key="drop", label="accuracy drop", definition=terms["accuracy drop of a variant"], decimals=4, group=_HERE
        ),
        Column(key="bytes", label="size, bytes", definition=terms["bytes"]),
        Column(key="gzip_bytes", label="gzip, bytes", definition=terms["gzip_bytes"], group=_HERE),
        Column(key="median_us", label="median, µs", definition=terms["median"], decimals=2, group=_HERE),
        Column(key="p90_us", label="p90, µs", definition=terms["p90"], decimals=2, group=_HERE),
        Column(key="parameters", label="parameters", definition=terms["parameters"], group=_MODEL),
        Column(key="macs", label="MACs", definition=terms["macs"], group=_MODEL),
        Column(key="sparsity", label="zeros", definition=terms["sparsity_est"], decimals=2, group=_MODEL),
    ]
    found += [_examined(figure, run.header.examined(figure.name).target, terms) for figure in run.examined_figures()]
    return [asdict(column) for column in found]


def examined_key(figure: Figure) -> str:
    """Return the key in the page's rows of a figure that an examination declares: no other key begins so."""
    return f"examined {figure.name}"


def _examined(figure: Figure, target: str, terms: dict[str, str]) -> Column:
    label = figure.label
    if target:  # the header need not repeat what was chosen, nor the tool that all figures of a target share
        label = label.replace(f" on {target}", "").rpartition(" (")[0] or label
    return Column(
        key=examined_key(figure),
        label=f"{label}, {figure.unit}" if figure.unit else label,
        definition=_definition(figure, target, terms),
        group=target or _OTHER,
    )


def _definition(figure: Figure, target: str, terms: dict[str, str]) -> str:
    """Return the definition of a figure, else its label: users' examinations have figures without one."""
    kind = figure.name.removeprefix(f"{target}_")
    names = figure.name, kind, kind.removesuffix("_bytes")
    return next((terms[name] for name in names if name in terms), figure.label)
