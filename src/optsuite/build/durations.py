"""How long build steps took, as recorded in the store, and how long others may take."""

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
"""How many of the newest times an estimate is based on, as machines and models change."""
_GUESS_S = {"model": 0.5, "trial": 2.0, "examination": 0.15}
_GUESSED_START_S = 10.0
"""Without any past build: a conversion, a trial of a model, the examination of a file, and a new process with
TensorFlow in it, as on the reference run's machine."""
_NO_BUILD = "a guess"
_OFF = {
    "this step": 1.3,
    "this stage of this model": 1.6,
    "this stage of other models": 2.0,
    "other steps": 3.0,
    _NO_BUILD: 3.0,
}
"""What an estimate is based on -> by which factor it may be too high or too low."""


@dataclass(frozen=True, kw_only=True)
class BuildTime:
    """How long one step took.

    Attributes:
        model: The name of the model.
        actions: The actions from the first step to this one.
        profile: The name of the profile.
        work: Roughly how long the step takes, in conversions.
        seconds: How long it took.
        start_s: How long its process took to start, for the first step of a process.
        sort: The sort of step (see `Step.sort`).

    """

    model: str
    actions: Annotated[tuple[str, ...], Meta(min_length=1)]
    profile: str
    work: Annotated[float, Meta(gt=0)]
    seconds: Annotated[float, Meta(ge=0)]
    start_s: float | None = None
    sort: str = "model"


@dataclass(frozen=True, kw_only=True)
class Estimate:
    """How long a step may take, in seconds, and which past steps the estimate is based on."""

    seconds: float
    basis: str

    @property
    def cases_s(self) -> tuple[float, float, float]:
        """What it likely takes, the least and the most, in seconds."""
        return self.seconds, self.seconds / _OFF[self.basis], self.seconds * _OFF[self.basis]


class Durations:
    """The times of past builds, in `file`: one line of JSON per step. Lines that can't be read are left out."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._rates: dict[tuple[str, ...], list[float]] = defaultdict(list)
        """Seconds for each unit of work, newest last, under each name that a step goes by."""
        self._starts: list[float] = []
        for line in _lines(file):
            try:
                took = msgspec.json.decode(line, type=BuildTime)
            except (msgspec.DecodeError, UnicodeDecodeError):
                continue
            for _, name in _similar(took.model, took.actions, took.profile, took.sort):
                self._rates[name].append(took.seconds / took.work)
            if took.start_s is not None and took.sort != "examination":  # an examination needs no TensorFlow
                self._starts.append(took.start_s)

    def add(self, step: Step, done: Done) -> None:
        """Write down how long a step took."""
        took = BuildTime(
            model=step.model,
            actions=step.actions,
            profile=step.profile.name,
            work=step.work,
            seconds=done.seconds,
            start_s=done.start_s,
            sort=step.sort,
        )
        with contextlib.suppress(OSError), self._file.open("ab") as file:  # it is what was built that counts
            file.write(msgspec.json.encode(took) + b"\n")

    def of(self, step: Step) -> Estimate:
        """Estimate by past builds of the same step with any seed, else of the most similar steps, by their work."""
        for basis, name in _similar(step.model, step.actions, step.profile.name, step.sort):
            if rates := self._rates.get(name):
                return Estimate(seconds=step.work * statistics.median(rates[-_NEWEST:]), basis=basis)
        return Estimate(seconds=step.work * _GUESS_S[step.sort], basis=_NO_BUILD)

    @property
    def start_s(self) -> float:
        """Seconds that a new process takes before its first step."""
        return statistics.median(self._starts[-_NEWEST:]) if self._starts else _GUESSED_START_S


def _lines(file: Path) -> list[bytes]:
    try:
        return file.read_bytes().splitlines()
    except OSError:
        return []


def _similar(model: str, actions: tuple[str, ...], profile: str, sort: str) -> Iterator[tuple[str, tuple[str, ...]]]:
    """The groups of similar steps that a step is in, from the most similar to all: what they share, and a key."""
    yield "this step", (profile, model, *actions)
    yield "this stage of this model", (profile, "stage and model", model, actions[-1])
    yield "this stage of other models", (profile, "stage", actions[-1])
    yield "other steps", (profile, "any", sort)
