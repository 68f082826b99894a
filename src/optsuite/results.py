"""What a run recorded: the writer and the reader of the JSON, and its schema version.

The file is pytest-benchmark's own. Ours in it are the section `optsuite` (a `Header`), and in each benchmark that
measured a model an `extra_info` of the same name (a `Measured`); the timings are pytest-benchmark's.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from optsuite.records import Answers, Built, Duration, Header, LayerWeights, Measured, Positive, Seconds, Trainings
from optsuite.spec import OptsuiteError

SCHEMA = 3
SECTION = "optsuite"

# x86's and ARM's.
_VECTORS = re.compile(r"sse4_|avx|fma$|f16c$|amx|neon|asimd|sve|sme\d*$|i8mm|bf16")


@dataclass(frozen=True, kw_only=True)
class Timing:
    """The timed rounds of `invoke()`, in seconds; `rounds_s` is empty where the file kept none.

    `iterations` over 1 means that the user had calls grouped, and each round is a mean of so many.
    """

    median_s: Duration
    mean_s: Seconds
    min_s: Seconds
    max_s: Seconds
    rounds: Positive
    iterations: Positive
    rounds_s: tuple[Seconds, ...]

    @property
    def single_rounds(self) -> bool:
        """Whether the file kept the rounds, and each is one call."""
        return bool(self.rounds_s) and self.iterations == 1

    def percentile_s(self, percent: float) -> float | None:
        """By linear interpolation between the recorded rounds, as numpy does; None where they don't tell."""
        if not self.single_rounds:
            return None
        return float(np.percentile(self.rounds_s, percent))


@dataclass(frozen=True, kw_only=True)
class Row:
    """One measured variant and its timing."""

    measured: Measured
    timing: Timing


@dataclass(frozen=True, kw_only=True)
class Run:
    """Everything that one `pytest benchmarks/` recorded."""

    header: Header
    date: str
    machine: str
    instruction_sets: tuple[str, ...]
    frequency: str
    commit: str
    rows: tuple[Row, ...]

    def row(self, experiment: str, variant: str) -> Row | None:
        """The row, or None; `absence` then says why."""
        return next(
            (row for row in self.rows if (row.measured.experiment, row.measured.variant) == (experiment, variant)), None
        )

    def absence(self, experiment: str, variant: str) -> str:
        """Why there is no row."""
        return self.header.absence(experiment, variant)

    def baseline(self, built: Built) -> Built | None:
        """The baseline of the same dataset, model and seed."""
        wanted = (built.dataset, built.model, built.seed)
        return next(
            (b for b in self.header.built if b.kind == "baseline" and (b.dataset, b.model, b.seed) == wanted), None
        )


class _Stats(msgspec.Struct):
    median: Duration
    mean: Seconds
    min: Seconds
    max: Seconds
    rounds: Positive
    iterations: Positive
    data: tuple[Seconds, ...] = ()


class _Extra(msgspec.Struct):
    optsuite: Measured | None = None


class _Benchmark(msgspec.Struct):
    stats: _Stats
    extra_info: _Extra


class _Cpu(msgspec.Struct):
    brand_raw: str = ""
    flags: tuple[str, ...] = ()
    hz_actual_friendly: str = ""


class _Machine(msgspec.Struct):
    cpu: _Cpu = msgspec.field(default_factory=_Cpu)
    machine: str = ""


class _Commit(msgspec.Struct):
    id: str | None = None
    dirty: bool | None = None


class _File(msgspec.Struct):
    optsuite: Header
    benchmarks: tuple[_Benchmark, ...]
    datetime: str = ""
    machine_info: _Machine = msgspec.field(default_factory=_Machine)
    commit_info: _Commit = msgspec.field(default_factory=_Commit)


class _Schema(msgspec.Struct):
    schema: int


class _Versioned(msgspec.Struct):
    optsuite: _Schema


def plain(value: Header | Measured | Sequence[Trainings]) -> Any:
    """The record as the dicts, lists and numbers that go into the JSON."""
    return msgspec.to_builtins(value)


def read(path: Path) -> Run:
    """A run from its JSON; OptsuiteError says what is wrong with the file."""
    try:
        return decode(path.read_bytes(), path)
    except OSError as error:
        raise OptsuiteError(f"{path}: {error.strerror}; accepted is the JSON of a run") from error


def decode(content: bytes, path: Path) -> Run:
    """A run from the content of the file `path`; OptsuiteError says what is wrong with it."""
    try:
        schema = msgspec.json.decode(content, type=_Versioned).optsuite.schema
        if schema != SCHEMA:
            raise OptsuiteError(f"{path}: schema version {schema}; accepted: {SCHEMA}")
        file = msgspec.json.decode(content, type=_File)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise OptsuiteError(f"{path}: not the JSON of an optsuite run: {error}") from error
    run = Run(
        header=file.optsuite,
        date=_utc(file.datetime, path),
        machine=_name(file.machine_info),
        instruction_sets=_vectors(file.machine_info.cpu.flags),
        frequency=file.machine_info.cpu.hz_actual_friendly,
        commit=(file.commit_info.id or "")[:12] + ("+" if file.commit_info.dirty else ""),
        rows=tuple(_row(one.extra_info.optsuite, one.stats) for one in file.benchmarks if one.extra_info.optsuite),
    )
    _check(run, path)
    return run


def _utc(date: str, path: Path) -> str:
    """A run's date in UTC, so that dates can be put in order as text; empty where the file has none."""
    if not date:
        return ""
    try:
        found = datetime.fromisoformat(date)
        return (found if found.tzinfo else found.replace(tzinfo=UTC)).astimezone(UTC).isoformat()
    except (ValueError, OverflowError) as error:
        raise OptsuiteError(f"{path}: datetime: expected a date as ISO 8601 has it, got {date[:40]!r}") from error


def _vectors(flags: Sequence[str]) -> tuple[str, ...]:
    """The flags that kernels are written for; py-cpuinfo has some of them twice, with and without an underscore."""
    twice = {flag for flag in flags if "_" in flag and flag.replace("_", "") in flags}
    return tuple(flag for flag in flags if _VECTORS.match(flag) and flag not in twice)


def machine_name(machine_info: Mapping[str, Any]) -> str:
    """CPU and architecture, from the `machine_info` of pytest-benchmark."""
    return _name(msgspec.convert(machine_info, _Machine))


def _name(machine: _Machine) -> str:
    return ", ".join(filter(None, [machine.cpu.brand_raw, machine.machine]))


def _row(measured: Measured, stats: _Stats) -> Row:
    timing = Timing(
        median_s=stats.median,
        mean_s=stats.mean,
        min_s=stats.min,
        max_s=stats.max,
        rounds=stats.rounds,
        iterations=stats.iterations,
        rounds_s=stats.data,
    )
    return Row(measured=measured, timing=timing)


def _agree(answers: Answers) -> bool:
    scores = answers.scores().astype(float)
    return bool(np.isfinite(scores).all()) and abs(scores.mean() - answers.accuracy) <= 1e-9 * max(
        1.0, abs(answers.accuracy)
    )


_ROUNDING = 1e-9
"""How far a mean may be outside of its numbers, relatively."""


def _impossible(timing: Timing) -> str:
    """Why no call can have taken these times, or an empty string."""
    low, high = timing.min_s * (1 - _ROUNDING), timing.max_s * (1 + _ROUNDING)
    if not (low <= timing.median_s <= high and low <= timing.mean_s <= high):
        return f"median {timing.median_s:g} s and mean {timing.mean_s:g} s of {timing.min_s:g} to {timing.max_s:g} s"
    if timing.rounds_s and len(timing.rounds_s) != timing.rounds:
        return f"{len(timing.rounds_s)} rounds recorded of {timing.rounds}"
    return ""


def _check_kernels(layers: Iterable[LayerWeights]) -> None:
    for layer in layers:
        if layer.zeros > layer.size or not layer.channel_unique <= layer.unique <= layer.size:
            raise OptsuiteError(
                f"layer {layer.name}: expected no more zeros and distinct values than weights, got {layer.zeros} zeros "
                f"and {layer.unique} values (a channel {layer.channel_unique}) of {layer.size} weights"
            )


def _check(run: Run, path: Path) -> None:
    """What types can't say: rows belong to a known experiment and are there once, numbers agree with each other."""
    known = [built.id for built in run.header.built]
    pairs = [(row.measured.experiment, row.measured.variant) for row in run.rows]
    for name, found in (("an experiment", known), ("a row", pairs)):
        if len(set(found)) != len(found):
            raise OptsuiteError(f"{path}: {name} is there twice")
    if unknown := {experiment for experiment, _ in pairs} - (set(known) & set(run.header.experiments)):
        raise OptsuiteError(f"{path}: nothing is known of {', '.join(sorted(unknown))}")
    for one in run.header.trainings:
        if not len(set(one.seeds)) == len(one.seeds) == len(one.accuracy) == len(one.gzip_bytes) > 0:
            raise OptsuiteError(
                f"{path}: trainings of {one.experiment} {one.variant}: expected one accuracy and one gzip size per seed"
            )
    try:
        for row in run.rows:
            if reason := _impossible(row.timing):
                raise OptsuiteError(f"{row.measured.experiment} {row.measured.variant}: impossible timing: {reason}")
            _check_kernels(row.measured.weights)
        for stage in (stage for built in run.header.built for stage in built.info.stages):
            _check_kernels(stage.weights)
        owners: list[Built | Measured] = [*run.header.built, *(row.measured for row in run.rows)]
        for owner in owners:
            for answers in (owner.test, owner.validation):
                if answers and not _agree(answers):
                    raise OptsuiteError("an accuracy and its scores disagree")
        labels = len(run.header.labels)
        graded = {answers.graded for owner in owners for answers in (owner.test, owner.validation) if answers}
        if len(graded) > 1 or (True in graded and labels):
            raise OptsuiteError("some answers are right or wrong, others are not; accepted are those of one metric")
        for measured in (row.measured for row in run.rows if not row.measured.test.graded):
            wrong = int((~measured.test.right()).sum())
            if (measured.test.count, wrong) != (labels, len(measured.mistakes)):
                raise OptsuiteError(
                    f"{measured.experiment} {measured.variant} has {len(measured.mistakes)} mistakes for {wrong} wrong "
                    f"answers to {measured.test.count} images, of which {labels} have a label"
                )
    except (OptsuiteError, ValueError) as error:
        raise OptsuiteError(f"{path}: {error}") from error
