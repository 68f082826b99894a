"""Several runs as one, to show them in one report."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from optsuite.errors import OptsuiteError
from optsuite.results.header import CatalogNames, Examined, Header
from optsuite.results.run import Row, Run


def joined(runs: Sequence[Run]) -> Run:
    """Return one run with the rows of all.

    Date, machine and selection are those of the first run. Each row of another run has a note that says where and when
    it was measured, because times of different runs can't be compared.

    Args:
        runs: One or more runs of one dataset each, on the same test data, without a common experiment.

    Raises:
        OptsuiteError: The runs have other test data, or two of them have an experiment in common.

    """
    first, *others = runs
    for other in others:
        _check(first, other)
        first = replace(
            first,
            header=_header(first.header, other.header),
            rows=(*first.rows, *(_noted(row, other) for row in other.rows)),
        )
    return first


def _check(first: Run, other: Run) -> None:
    (data, *_), (of_other, *_) = first.header.datasets, other.header.datasets
    if len(first.header.datasets) > 1 or len(other.header.datasets) > 1:
        raise OptsuiteError("expected runs of one dataset each, got one of several")
    if not data.sha256 or data.sha256 != of_other.sha256 or data.metric != of_other.metric:
        profile = first.header.profile
        raise OptsuiteError(
            f"expected runs on the same test data, got {data.name} ({len(data.labels):,} labels) and {of_other.name} "
            f"({len(of_other.labels):,} labels); `optsuite measure --dataset NAME --profile {profile}` measures a file "
            "on the data of a run"
        )
    if common := {one.id for one in first.header.built} & {one.id for one in other.header.built}:
        raise OptsuiteError(
            f"expected runs without a common experiment, got {min(common)} in two of them; `optsuite compare` compares "
            "two runs of the same experiments"
        )


def _noted(row: Row, run: Run) -> Row:
    where = f"from another run, on {run.machine or 'an unknown machine'}, {run.date[:10] or 'on an unknown date'}"
    return replace(row, measured=replace(row.measured, note="; ".join(filter(None, [row.measured.note, where]))))


def _header(first: Header, other: Header) -> Header:
    name = first.data.name
    figures = {figure.name: figure for figure in (*other.figures, *first.figures)}
    ordered = _union(*([figure.name for figure in header.figures] for header in (first, other)))
    examinations: dict[str, Examined] = {}
    for one in (*first.examinations, *other.examinations):
        if one.name not in examinations or examinations[one.name].absent:
            examinations[one.name] = one
    return replace(
        first,
        catalog=CatalogNames(
            models=_union(first.catalog.models, other.catalog.models),
            recipes=_union(first.catalog.recipes, other.catalog.recipes),
            variants=_union(first.catalog.variants, other.catalog.variants),
            pipelines=first.catalog.pipelines,
        ),
        figures=tuple(figures[one] for one in ordered),
        experiments=_union(first.experiments, other.experiments),
        variants=_union(first.variants, other.variants),
        built=(*first.built, *(replace(one, dataset=name) for one in other.built)),
        absences=(*first.absences, *other.absences),
        examinations=tuple(examinations.values()),
    )


def _union(*names: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(name for some in names for name in some))
