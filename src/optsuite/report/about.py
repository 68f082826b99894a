"""The summary of a run, its absent rows, and its notes."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import resources

from optsuite.report.tables import selected
from optsuite.results.run import Run


def definitions() -> str:
    """Return the definitions of all numbers as Markdown, with a heading of the second level."""
    return "#" + (resources.files("optsuite.docs") / "numbers.md").read_text("utf-8")


def terms() -> dict[str, str]:
    """Return the definition of each term, without markup; those that one line of the table defines share it."""
    found: dict[str, str] = {}
    for line in definitions().replace("`", "").splitlines():
        if line.startswith("| "):
            names, meaning = line.strip("| ").split(" | ")
            for where in (" of an Ethos-U", " of a target"):
                names = names.removesuffix(where)
            found |= dict.fromkeys(names.split(", "), meaning)
    return found


def absences(run: Run) -> list[tuple[str, str, str]]:
    """Return experiment, variant and reason of each row that was requested and is absent."""
    return [
        (experiment, variant, run.absence(experiment, variant))
        for experiment in run.header.experiments
        for variant in run.header.variants
        if run.row(experiment, variant) is None
    ]


def notes(run: Run) -> dict[str, list[str]]:
    """Return the notes of the run, each with the rows that have it."""
    found: dict[str, list[str]] = {}
    for measured in (row.measured for row in run.rows):
        if measured.note:
            found.setdefault(measured.note, []).append(f"{measured.experiment} {measured.variant}")
    return found


def summary(run: Run) -> dict[str, str]:
    """Return the summary: the selection, the machine, the versions and the times."""
    header, environment, metric = run.header, run.header.environment, run.header.data.metric
    return {
        "experiments": f"{len(selected(run))} of {len(header.experiments)} selected",
        "measured rows": str(len(run.rows)),
        "profile": header.profile,
        "data": _data(run),
        "metric": metric if metric == "accuracy" else f"{metric}, which is called accuracy below",
        "date": run.date,
        "commit": run.commit,
        "machine": run.machine,
        "instruction sets": ", ".join(run.instruction_sets),
        "cores": f"{environment.cores}, one busy: each model has {environment.threads} thread",
        "frequency": ", governor ".join([run.frequency or "unknown", environment.governor or "unknown"]),
        "load at start": "unknown" if environment.load is None else f"{environment.load:.2f} processes",
        "measured with": _versions(environment.versions),
        "built with": "; ".join(filter(None, dict.fromkeys(_versions(built.info.versions) for built in header.built))),
        "time": f"{header.build_s:.0f} s building, {header.examine_s:.0f} s examining, "
        f"{header.measure_s:.0f} s measuring",
    }


def _data(run: Run) -> str:
    """The dataset, and how many inputs its splits have; files from elsewhere are of no experiment."""
    dataset = run.header.data.name
    if not run.rows:
        return dataset
    measured = run.rows[0].measured
    return f"{dataset}: {measured.validation.count:,} validation and {measured.test.count:,} test inputs"


def _versions(versions: Mapping[str, str]) -> str:
    return ", ".join(f"{name} {version}" for name, version in versions.items())
