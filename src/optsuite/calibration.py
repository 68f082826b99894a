"""How far timings can be trusted on a machine: what `python -m optsuite.benchmarks.calibration` found there."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Annotated

import msgspec
from msgspec import Meta

from optsuite.ab import Ratio
from optsuite.records import Seconds
from optsuite.spec import OptsuiteError

Medians = Annotated[tuple[Seconds, ...], Meta(min_length=1)]

_WITHIN = 0.05
_WITHIN_S = 0.3e-6


@dataclass(frozen=True, kw_only=True)
class Paths:
    """One call of the same file through our path, `Interpreter.invoke`, and the runtime's own, and each path's floor.

    The runtime's is `CompiledModel.run_by_name`, as litert-benchmark calls it; a floor is a call of a model of one
    element. All four have a median for each of the same moments: a machine may be twice as slow a minute later. `file`
    is an experiment and a variant.
    """

    file: str
    ours: Medians
    runtime: Medians
    ours_floor: Medians
    runtime_floor: Medians

    @property
    def apart(self) -> list[float]:
        """How much longer ours takes, the floors taken off, in seconds, at each moment."""
        moments = zip(self.ours, self.runtime, self.ours_floor, self.runtime_floor, strict=True)
        return [(ours - our_floor) - (theirs - their_floor) for ours, theirs, our_floor, their_floor in moments]

    @property
    def agree(self) -> bool:
        """Within 5 % or 0.3 us, whichever is more, less the floors, and ours not the slower one as it is."""
        within = max(_WITHIN * (median(self.runtime) - median(self.runtime_floor)), _WITHIN_S)
        return abs(median(self.apart)) <= within and median(self.ours) <= median(self.runtime)


@dataclass(frozen=True, kw_only=True)
class Tries:
    """Ratios that `optsuite ab` found, one a try, and the ratio of the models' MACs."""

    files: tuple[str, ...]
    macs_ratio: float
    ratios: tuple[Ratio, ...]

    @property
    def within(self) -> int:
        """How many ratios were no more than 0.02 from 1."""
        return sum(abs(ratio.value - 1) <= 0.02 for ratio in self.ratios)

    @property
    def found(self) -> int:
        """How many intervals were above 1: the second was seen to be slower."""
        return sum(ratio.low > 1 for ratio in self.ratios)

    @property
    def excluded(self) -> int:
        """How many intervals do not hold 1, on either side."""
        return sum(not ratio.low <= 1 <= ratio.high for ratio in self.ratios)


@dataclass(frozen=True, kw_only=True)
class Calibration:
    """The three figures: the `paths` of each file, files against the `same`, a layer against a `wider` one."""

    machine: str
    date: str
    paths: tuple[Paths, ...]
    same: Tries
    wider: Tries


def read(path: Path) -> Calibration:
    """From its JSON; OptsuiteError says what is wrong with the file."""
    try:
        return msgspec.json.decode(path.read_bytes(), type=Calibration)
    except OSError as error:
        raise OptsuiteError(f"{path}: {error.strerror}; accepted is the JSON of a calibration") from error
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise OptsuiteError(f"{path}: not the JSON of a calibration: {error}") from error
