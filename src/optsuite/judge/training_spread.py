"""The spread of trainings of the same code, against which a model that is trained anew is judged."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from optsuite.errors import OptsuiteError
from optsuite.results.built import Built
from optsuite.results.header import Trainings
from optsuite.results.measured import Measured
from optsuite.results.model import ModelInfo
from optsuite.results.reader import SECTION, plain, read
from optsuite.results.run import Run

LEAST = 5
"""With fewer trainings the spread counts as unknown: Student's t would allow a loss of 20 standard deviations."""

Rows = Mapping[tuple[str, str], Trainings]
"""(MODEL_RECIPE, variant) -> the trainings of that row."""


@dataclass(frozen=True, kw_only=True)
class Spread:
    """The sample standard deviation `sd` of one figure over `count` trainings."""

    sd: float
    count: int

    @classmethod
    def of(cls, values: Sequence[float], resolution: float) -> Spread:
        """Return the spread of one value per training, at least two.

        `resolution` is the smallest difference that the figure can show. The spread is not less: a few trainings may
        come out the same by chance.
        """
        return cls(sd=max(float(np.std(values, ddof=1)), resolution), count=len(values))

    def error(self, before: int, after: int) -> float:
        """Standard deviation of the difference between the means of so many trainings before and after."""
        return self.sd * math.sqrt(1 / before + 1 / after)

    def p_larger(self, difference: float, before: int, after: int) -> float:
        """One-sided p: how likely trainings of the same code differ by `difference` or more.

        Student's t with `count` - 1 degrees of freedom: where one training follows, this is the prediction interval
        for one future observation (Hahn and Meeker 1991, Statistical Intervals, section 4.7).
        """
        from scipy.special import stdtr  # takes 0.2 s to import

        return float(stdtr(self.count - 1, -difference / self.error(before, after)))

    def least(self, p: float, before: int, after: int) -> float:
        """The smallest difference that has a one-sided p of `p` or less."""
        from scipy.special import stdtrit

        return float(-stdtrit(self.count - 1, p)) * self.error(before, after)


def of_run(run: Run) -> Rows:
    """The trainings that a run has of each row."""
    return trainings(
        run.header.trainings, [row.measured for row in run.rows], {built.id: built for built in run.header.built}
    )


def add(run_path: Path, several: Run, seeds_path: Path) -> bytes:
    """The JSON of a run with what a run of more seeds knows of the same rows; OptsuiteError where they do not match.

    `several` is what was read from `seeds_path`. The two must have been made by the same code on the same machine:
    where both have a row, it is the same file.
    """
    run = read(run_path)
    if run.header.comparability != several.header.comparability:
        raise OptsuiteError(
            f"expected two runs that can be compared, got {run.header.comparability} and {several.header.comparability}"
        )
    for row in run.rows:
        one = row.measured
        other = several.row(one.experiment, one.variant)
        if other and other.measured.sha256 != one.sha256:
            raise OptsuiteError(
                f"{one.experiment} {one.variant} is another file in {seeds_path}; expected two runs by the same code, "
                "made on the same machine"
            )
    own = of_run(run)
    known = of_run(several)
    more = [one for place, one in known.items() if place in own and len(one.seeds) > len(own[place].seeds)]
    varying = {figure.name for figure in run.header.figures if figure.varies}
    lacking = {name for one in more for name in own[one.experiment, one.variant].figures if name not in one.figures}
    if lacking & varying:
        raise OptsuiteError(
            f"{seeds_path} lacks {', '.join(sorted(lacking & varying))}, which {run_path} has; expected two runs with "
            "the same targets"
        )
    if not more:
        raise OptsuiteError(f"{seeds_path} has no row of {run_path} with more seeds; expected a run of several seeds")
    content = json.loads(run_path.read_bytes())
    content[SECTION]["trainings"] = plain(tuple(more))
    return json.dumps(content, indent=4).encode() + b"\n"


def trainings(known: Iterable[Trainings], rows: Iterable[Measured], built: Mapping[str, Built]) -> Rows:
    """All that a run has of each row: its own seeds, or those in its header where these are more."""
    seeds: dict[tuple[str, str], list[Measured]] = {}
    for row in rows:
        seeds.setdefault((built[row.experiment].model_recipe, row.variant), []).append(row)
    found = {
        (unit, variant): Trainings(
            experiment=unit,
            variant=variant,
            seeds=tuple(built[one.experiment].seed for one in measured),
            accuracy=tuple(one.test.accuracy for one in measured),
            gzip_bytes=tuple(one.gzip_bytes for one in measured),
            figures={
                name: tuple(one.figures[name] for one in measured)
                for name in measured[0].figures
                if all(name in one.figures for one in measured)
            },
        )
        for (unit, variant), measured in seeds.items()
    }
    for one in known:
        place = one.experiment, one.variant
        if place not in found or len(one.seeds) > len(found[place].seeds):
            found[place] = one
    return found


def trained_anew(before: ModelInfo, after: ModelInfo) -> str:
    """Return why two trainings of the same code differ, or an empty string if they do not.

    The answer goes by what is recorded of the processes that trained. A model that was loaded and not trained is the
    same everywhere.
    """
    if not (before.arithmetic or after.arithmetic):
        return ""
    if before.arithmetic != after.arithmetic:
        return "trained anew, with other arithmetic (CPU or oneDNN)"
    for name in ("tensorflow", "tf-keras"):
        old, new = before.versions.get(name), after.versions.get(name)
        if old != new:
            return f"trained anew, with {name} {new} instead of {old}"
    return ""
