"""The picks of a run: the file that is the best by each preference, without limits."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd

from optsuite.judge import recommend
from optsuite.judge.limits import Limits
from optsuite.judge.recommend import Choice
from optsuite.results.run import Row, Run
from optsuite.units import kilobytes, microseconds


@dataclass(frozen=True, kw_only=True)
class Pick:
    """A file that is the best by one preference or several.

    Attributes:
        choices: The choice by each of these preferences; all have the same best row.
        reference: The fp32 file of its model's baseline with the same seed, where that was measured.

    """

    choices: tuple[Choice, ...]
    reference: Row | None

    @property
    def row(self) -> Row:
        """The row that is picked."""
        return self.choices[0].ranked[0].row

    @property
    def gain(self) -> str:
        """What it gains over the fp32 file of the baseline, in words; an empty string where it is that file."""
        if self.reference is None or self.reference is self.row:
            return ""
        before, after = self.reference.measured, self.row.measured
        size = after.bytes / before.bytes
        latency = self.row.timing.median_s / self.reference.timing.median_s
        difference = after.test.accuracy - before.test.accuracy
        return f"{100 * size:.0f} % of the size, {100 * latency:.0f} % of the latency, accuracy {difference:+.4f}"


def picks(run: Run) -> list[Pick]:
    """The choice without limits by each preference, those that are the same as one; none where there is nothing."""
    rows = recommend.candidates(run)
    picked: dict[int, list[Choice]] = {}
    for preference in recommend.MARGINS if rows else ():
        choice = recommend.choose(rows, Limits(), preference)
        picked.setdefault(id(choice.ranked[0].row), []).append(choice)
    return [Pick(choices=tuple(choices), reference=_fp32(run, choices[0].ranked[0].row)) for choices in picked.values()]


def table(picked: Sequence[Pick]) -> pd.DataFrame:
    """The picks as a table of texts, one line per pick."""
    return pd.DataFrame(
        {
            "preference": ", ".join(choice.preference for choice in pick.choices),
            "experiment": pick.row.measured.experiment,
            "variant": pick.row.measured.variant,
            "test accuracy": f"{pick.row.measured.test.accuracy:.4f}",
            "size": kilobytes(pick.row.measured.bytes),
            "median call": microseconds(pick.row.timing.median_s),
            "against the baseline's fp32 file": pick.gain,
        }
        for pick in picked
    )


def _fp32(run: Run, row: Row) -> Row | None:
    built = next((one for one in run.header.built if one.id == row.measured.experiment), None)
    baseline = run.baseline(built) if built else None
    return run.row(baseline.id, "fp32") if baseline else None
