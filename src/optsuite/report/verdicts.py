"""The verdicts of a comparison, for a terminal and as Markdown."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from optsuite.config import Tolerances
from optsuite.judge.verdict import ALPHA, Judgement, Verdict
from optsuite.report import escape
from optsuite.terminal import wrapped

Volumes = Mapping[str, Sequence[float | None]]
"""Model -> hypervolume, before and after."""

_CHANGES = (Verdict.REGRESSED, Verdict.MISSING, Verdict.IMPROVED, Verdict.NEW)
"""Verdicts that are shown row by row, as are changes over the tolerance that may be chance; others are counted."""


def text(judged: Sequence[Judgement], volumes: Volumes, tolerances: Tolerances, *, everything: bool) -> str:
    """Return the verdicts as text: one line per change, of any length for `grep`, and a summary of the rest.

    Variants and metrics of an experiment of which the same is said share a line.
    """
    shown = _shown(judged, everything)
    width = max((len(one.verdict) for one in shown), default=0)
    lines = [f"{one.verdict:{width}}  {one.experiment} {one.variants} {one.metrics}: {one.reason}" for one in shown]
    return "\n".join([*lines, *(wrapped(line, hanging=2) for line in _rest(judged, volumes, tolerances))])


def markdown(judged: Sequence[Judgement], volumes: Volumes, tolerances: Tolerances, *, everything: bool) -> str:
    """The same as a table, for the summary of a CI job."""
    shown = _shown(judged, everything)
    heading = "nothing got worse"
    if any(one.verdict.fails for one in judged):
        heading = "something got worse"
    elif any(one.unjudged for one in judged):
        heading = "something could not be judged"
    lines = [f"## optsuite: {heading}", ""]
    if shown:
        lines += ["| verdict | experiment | variant | metric | |", "|---|---|---|---|---|"]
        for one in shown:
            cells = (one.verdict, one.experiment, one.variants, one.metrics, one.reason)
            lines.append(f"| {' | '.join(map(escape.cell, cells))} |")
        lines.append("")
    lines += [f"- {escape.cell(line)}" for line in _rest(judged, volumes, tolerances)]
    return "\n".join(lines) + "\n"


class _Line(NamedTuple):
    """A verdict, with all variants and metrics of an experiment that it holds for."""

    verdict: Verdict
    experiment: str
    variants: str
    metrics: str
    reason: str


def _shown(judged: Sequence[Judgement], everything: bool) -> list[_Line]:
    """In the order of the verdicts; without `everything`, only what changed."""
    metrics: dict[tuple[Verdict, str, str, str], list[str]] = {}
    for verdict in Verdict:
        for one in judged:
            if one.verdict is verdict and (everything or verdict in _CHANGES or one.may_be_chance):
                metrics.setdefault((verdict, one.experiment, one.variant, one.reason), []).append(one.metric)
    variants: dict[tuple[Verdict, str, str, str], list[str]] = {}
    for (verdict, experiment, variant, reason), names in metrics.items():
        variants.setdefault((verdict, experiment, ", ".join(names), reason), []).append(variant)
    return [
        _Line(verdict, experiment, ", ".join(names), of_metrics, reason)
        for (verdict, experiment, of_metrics, reason), names in variants.items()
    ]


def _rest(judged: Sequence[Judgement], volumes: Volumes, tolerances: Tolerances) -> list[str]:
    counts = Counter(one.verdict for one in judged)
    counted = ", ".join(f"{counts[verdict]} {verdict}" for verdict in Verdict if counts[verdict])
    reasons = Counter(one.detail for one in judged if one.verdict is Verdict.NOT_COMPARABLE)
    unjudged = sum(one.unjudged for one in judged)
    return [
        counted,
        *(f"NOT COMPARABLE, {count} times: {reason}" for reason, count in reasons.most_common()),
        *([f"{unjudged} figures have no verdict; a gate passes with --allow-not-comparable only"] * bool(unjudged)),
        *(
            f"{model}: hypervolume {' -> '.join(map(_volume, both))}, by each run's own times"
            for model, both in volumes.items()
        ),
        f"tolerances: {_tolerances(tolerances)}; accuracy, and what varies with other trainings, at p {ALPHA:g} (Holm)",
    ]


def _tolerances(tolerances: Tolerances) -> str:
    """The tolerances, those that are the same together: figures of targets are many."""
    names: dict[str, list[str]] = {}
    for name, patterns in tolerances.effective().items():
        text = ", ".join(f"{value:g} for {pattern}" for pattern, value in patterns.items())
        names.setdefault(text, []).append(name)
    return "; ".join(
        f"{same[0]} and {len(same) - 1} others {text}" if len(same) > 3 else f"{', '.join(same)} {text}"
        for text, same in names.items()
    )


def _volume(value: float | None) -> str:
    return "nothing" if value is None else f"{value:.4f}"
