"""How long build steps took, kept beside what they built, and so how long others may take."""

from __future__ import annotations

import contextlib
import statistics
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import msgspec
from msgspec import Meta

from optsuite.build.step import Done, Step

_NEWEST = 5
"""So many of the newest times say how long a step takes: machines and models change."""
_GUESS_S = 0.5
_GUESSED_START_S = 10.0
"""Without any past build: a conversion, and a new process with TensorFlow in it, as on the reference run's machine."""


@dataclass(frozen=True, kw_only=True)
class BuildTime:
    """One step that was built: of `weight`, in `seconds`. `start_s` is as in `Done`."""

    step: str
    profile: str
    weight: Annotated[int, Meta(ge=1)]
    seconds: Annotated[float, Meta(ge=0)]
    start_s: float | None = None


@dataclass(frozen=True, kw_only=True)
class Estimate:
    """How long a step may take, and what that goes by."""

    seconds: float
    basis: str


class Durations:
    """The times of past builds, in `file`, a line of JSON each. A line that is none is left out."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._rates: dict[tuple[str, ...], list[float]] = defaultdict(list)
        """Seconds for each unit of weight, newest last, under each name that a step goes by."""
        self._starts: list[float] = []
        for line in _lines(file):
            try:
                took = msgspec.json.decode(line, type=BuildTime)
            except (msgspec.DecodeError, UnicodeDecodeError):
                continue
            for _, name in _names(took.step, took.profile):
                self._rates[name].append(took.seconds / took.weight)
            if took.start_s is not None:
                self._starts.append(took.start_s)

    def add(self, step: Step, done: Done) -> None:
        """Write down how long a step took."""
        took = BuildTime(
            step=_seedless(step),
            profile=step.profile.name,
            weight=step.weight,
            seconds=done.seconds,
            start_s=done.start_s,
        )
        with contextlib.suppress(OSError), self._file.open("ab") as file:  # it is what was built that counts
            file.write(msgspec.json.encode(took) + b"\n")

    def of(self, step: Step) -> Estimate:
        """From past builds of the same step with any seed, else of the next most similar ones, by their weights."""
        for basis, name in _names(_seedless(step), step.profile.name):
            if rates := self._rates.get(name):
                return Estimate(seconds=step.weight * statistics.median(rates[-_NEWEST:]), basis=basis)
        return Estimate(seconds=step.weight * _GUESS_S, basis="guess")

    @property
    def start_s(self) -> float:
        """What a new process takes before it can begin its first step."""
        return statistics.median(self._starts[-_NEWEST:]) if self._starts else _GUESSED_START_S


def _lines(file: Path) -> list[bytes]:
    try:
        return file.read_bytes().splitlines()
    except OSError:
        return []


def _seedless(step: Step) -> str:
    return step.label.replace(f" s{step.seed}:", ":")


def _names(step: str, profile: str) -> Iterator[tuple[str, tuple[str, ...]]]:
    """The names that a step of that label goes by, from its own to the most general, and what each says of it."""
    model, _, stages = step.partition(": ")
    action = stages.rpartition(" > ")[2]
    yield "same step", (profile, model, stages)
    yield "same stage and model", (profile, model, action)
    yield "same stage", (profile, action)
    yield "any step", (profile,)
