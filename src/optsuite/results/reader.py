"""The JSON of a run: its reader, its writer, and its schema version.

The file is pytest-benchmark's. Optsuite adds the section `optsuite` (a `Header`), and in each benchmark that
measured a model an `extra_info` of the same name (a `Measured`); the timings are pytest-benchmark's.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec

from optsuite import cpu
from optsuite.errors import OptsuiteError
from optsuite.results.checks import check_run
from optsuite.results.header import Header, Trainings
from optsuite.results.measured import Measured
from optsuite.results.run import Row, Run
from optsuite.results.timing import Timing
from optsuite.units import Duration, Positive, Seconds

SCHEMA = 6
SECTION = "optsuite"


class Stats(msgspec.Struct):
    """The timing of one benchmark, in seconds, as pytest-benchmark writes it."""

    median: Duration
    mean: Seconds
    min: Seconds
    max: Seconds
    rounds: Positive
    iterations: Positive
    data: tuple[Seconds, ...] = ()


class ExtraInfo(msgspec.Struct):
    """What optsuite adds to a benchmark that measured a model."""

    optsuite: Measured | None = None


class Benchmark(msgspec.Struct):
    """One benchmark of pytest-benchmark."""

    stats: Stats
    extra_info: ExtraInfo


class Cpu(msgspec.Struct):
    """The CPU, as py-cpuinfo describes it."""

    brand_raw: str = ""
    flags: tuple[str, ...] = ()
    hz_actual_friendly: str = ""


class MachineInfo(msgspec.Struct):
    """The machine, as pytest-benchmark describes it."""

    cpu: Cpu = msgspec.field(default_factory=Cpu)
    machine: str = ""


class CommitInfo(msgspec.Struct):
    """The commit that was measured."""

    id: str | None = None
    dirty: bool | None = None


class RunFile(msgspec.Struct):
    """What optsuite reads of the file that `--benchmark-json` writes."""

    optsuite: Header
    benchmarks: tuple[Benchmark, ...]
    datetime: str = ""
    machine_info: MachineInfo = msgspec.field(default_factory=MachineInfo)
    commit_info: CommitInfo = msgspec.field(default_factory=CommitInfo)


class _Schema(msgspec.Struct):
    schema: int


class _Versioned(msgspec.Struct):
    optsuite: _Schema


def upgraded(file: dict[str, Any]) -> dict[str, Any]:
    """Return the JSON of a run of schema version 5, which has one dataset, as version 6 has it."""
    header = {"metric": "accuracy", "data_sha256": ""} | file[SECTION]
    name = header["requested"].pop("dataset")
    data = {"name": name, "labels": header.pop("labels"), "metric": header.pop("metric")}
    header["datasets"] = [data | {"sha256": header.pop("data_sha256")}]
    header["requested"]["datasets"] = [name]
    return file | {SECTION: header | {"schema": SCHEMA}}


def plain(value: Header | Measured | Sequence[Trainings]) -> Any:
    """The record as the dicts, lists and numbers that go into the JSON."""
    return msgspec.to_builtins(value)


def read(path: str | os.PathLike[str]) -> Run:
    """Read the run that `pytest --benchmark-json` or `optsuite measure --json` wrote.

    Args:
        path: The path of the JSON file.

    Raises:
        OptsuiteError: The file can't be read, is no JSON of an optsuite run, or has another schema version.

    """
    path = Path(path)
    try:
        return decode(path.read_bytes(), path)
    except OSError as error:
        raise OptsuiteError(f"{path}: {error.strerror}; expected the JSON of a run") from error


def decode(content: bytes, path: Path) -> Run:
    """A run from the content of the file `path`; OptsuiteError if it can't be read."""
    try:
        schema = msgspec.json.decode(content, type=_Versioned).optsuite.schema
        if schema == SCHEMA:
            file = msgspec.json.decode(content, type=RunFile)
        elif schema == SCHEMA - 1:
            file = msgspec.convert(upgraded(msgspec.json.decode(content)), RunFile)
        else:
            newer = "the file was written by a newer version of optsuite: install that"
            todo = newer if schema > SCHEMA else "make the run again with this version of optsuite"
            raise OptsuiteError(f"{path}: expected schema version {SCHEMA - 1} or {SCHEMA}, got {schema}; {todo}")
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError, LookupError, TypeError, AttributeError) as error:
        raise OptsuiteError(f"{path}: not the JSON of an optsuite run: {error}") from error
    run = Run(
        header=file.optsuite,
        date=_utc(file.datetime, path),
        machine=_name(file.machine_info),
        instruction_sets=cpu.vectors(file.machine_info.cpu.flags),
        frequency=file.machine_info.cpu.hz_actual_friendly,
        commit=(file.commit_info.id or "")[:12] + ("+" if file.commit_info.dirty else ""),
        rows=tuple(_row(one.extra_info.optsuite, one.stats) for one in file.benchmarks if one.extra_info.optsuite),
    )
    check_run(run, path)
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


def machine_name(machine_info: Mapping[str, Any]) -> str:
    """CPU and architecture, from the `machine_info` of pytest-benchmark."""
    return _name(msgspec.convert(machine_info, MachineInfo))


def _name(machine: MachineInfo) -> str:
    return ", ".join(filter(None, [machine.cpu.brand_raw, machine.machine]))


def _row(measured: Measured, stats: Stats) -> Row:
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
