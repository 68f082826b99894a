"""What examinations found: of all files in one table, and in one for each target."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

from optsuite.results.header import Examined
from optsuite.results.run import Run
from optsuite.units import number


@dataclass(frozen=True, kw_only=True)
class Group:
    """A target, or an examination that belongs to none.

    Attributes:
        name: Its name.
        is_target: Whether it is a target.
        tools: The tools and their versions, in words.
        absent: Why this machine could not examine; an empty string where it could.
        table: One line per file that has any of the figures.

    """

    name: str
    is_target: bool
    tools: str
    absent: str
    table: pd.DataFrame


def all_files(run: Run) -> pd.DataFrame:
    """Return the figures that examinations declare: one line per .tflite file, one column per figure."""
    declared = run.examined_figures()
    lines = []
    for row in run.rows if declared else ():
        if row.measured.execution is not None:
            values = {figure.name: row.measured.figures.get(figure.name, pd.NA) for figure in declared}
            reasons = "; ".join(f"{name}: {reason}" for name, reason in row.measured.unexamined.items())
            names = {"exp_id": row.measured.experiment, "variant": row.measured.variant}
            lines.append(names | values | {"absent": reasons})
    return pd.DataFrame(lines)


def groups(run: Run) -> list[Group]:
    """Return the targets, and the examinations that belong to none, that declare figures."""
    examinations: dict[str, list[Examined]] = {}
    for one in run.header.examinations:
        if one.figures:
            examinations.setdefault(one.target or one.name, []).append(one)
    lines = all_files(run)
    return [
        Group(
            name=name,
            is_target=bool(group[0].target),
            tools=_tools(group),
            absent="; ".join(dict.fromkeys(one.absent for one in group if one.absent)),
            table=_table(run, lines, name, group),
        )
        for name, group in examinations.items()
    ]


def _tools(group: list[Examined]) -> str:
    """The tools of examinations; the CPU, which is a long list, is that of the run."""
    found = {name: version for one in group for name, version in one.tools.items() if name != "cpu"}
    return ", ".join(f"{name} {version}" for name, version in found.items())


def _table(run: Run, lines: pd.DataFrame, prefix: str, group: list[Examined]) -> pd.DataFrame:
    """The files that have any of the figures.

    Numbers are texts, as figures are of any size; seconds become microseconds, and names lose the prefix.
    """
    declared = {figure.name: figure for figure in run.header.figures}
    names = [name for one in group for name in one.figures if name in lines]
    found = lines.loc[lines[names].notna().any(axis=1)] if names else lines.iloc[:0]
    if found.empty:
        return pd.DataFrame()
    table = found[["exp_id", "variant"]].copy()
    for name in names:
        short, scale = name.removeprefix(f"{prefix}_"), 1.0
        if declared[name].unit == "s":
            short, scale = f"{short.removesuffix('_s')}_us", 1e6
        table[short] = [pd.NA if pd.isna(value) else number(scale * value) for value in found[name]]
    return table
