"""The record of `python -m optsuite.benchmarks.calibration`: how far timings can be trusted on a machine."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Annotated

import msgspec
from msgspec import Meta

from optsuite.errors import OptsuiteError
from optsuite.results.timing import Ratio
from optsuite.units import Seconds

Medians = Annotated[tuple[Seconds, ...], Meta(min_length=1)]

_WITHIN = 0.05
_WITHIN_S = 0.3e-6


@dataclass(frozen=True, kw_only=True)
class Paths:
    """The times of one file through two interfaces of the runtime, each with its call overhead.

    All four have one median per moment, in seconds, taken at the same moments: a machine may be twice as slow a minute
    later.

    Attributes:
        file: An experiment and a variant.
        interpreter: Medians of `Interpreter.invoke`, which optsuite times.
        compiled_model: Medians of `CompiledModel.run_by_name`, which litert-benchmark times.
        interpreter_overhead: Medians of `Interpreter.invoke` for a model of one element.
        compiled_model_overhead: Medians of `CompiledModel.run_by_name` for a model of one element.

    """

    file: str
    interpreter: Medians
    compiled_model: Medians
    interpreter_overhead: Medians
    compiled_model_overhead: Medians

    def __post_init__(self) -> None:
        """Refuse medians that are not of the same moments."""
        counts = {len(self.interpreter), len(self.compiled_model)}
        if len(counts | {len(self.interpreter_overhead), len(self.compiled_model_overhead)}) > 1:
            raise ValueError(f"{self.file}: expected as many medians of each interface, got other numbers")

    @property
    def differences_s(self) -> list[float]:
        """How much longer `Interpreter.invoke` takes at each moment, without the call overheads, in seconds."""
        moments = zip(
            self.interpreter, self.compiled_model, self.interpreter_overhead, self.compiled_model_overhead, strict=True
        )
        return [(one - overhead) - (other - other_overhead) for one, other, overhead, other_overhead in moments]

    @property
    def agree(self) -> bool:
        """Whether the two agree within 5 % or 0.3 us without overheads, and `Interpreter.invoke` is not the slower."""
        within = max(_WITHIN * (median(self.compiled_model) - median(self.compiled_model_overhead)), _WITHIN_S)
        return abs(median(self.differences_s)) <= within and median(self.interpreter) <= median(self.compiled_model)


@dataclass(frozen=True, kw_only=True)
class Tries:
    """Ratios that `optsuite ab` found, one a try, and the ratio of the models' MACs."""

    files: tuple[str, ...]
    macs_ratio: Annotated[float, Meta(gt=0)]
    ratios: Annotated[tuple[Ratio, ...], Meta(min_length=1)]

    @property
    def within(self) -> int:
        """How many ratios were no more than 0.02 from 1."""
        return sum(abs(ratio.value - 1) <= 0.02 for ratio in self.ratios)

    @property
    def found(self) -> int:
        """How many intervals were above 1: the second file was found to be slower."""
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
    paths: Annotated[tuple[Paths, ...], Meta(min_length=1)]
    same: Tries
    wider: Tries


def read(path: Path) -> Calibration:
    """Read a calibration from its JSON; OptsuiteError if it can't be read."""
    try:
        return msgspec.json.decode(path.read_bytes(), type=Calibration)
    except OSError as error:
        raise OptsuiteError(f"{path}: {error.strerror}; expected the JSON of a calibration") from error
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise OptsuiteError(f"{path}: not the JSON of a calibration: {error}") from error
