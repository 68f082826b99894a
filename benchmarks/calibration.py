"""How far can the timings be trusted on this machine? Three figures, for the report; no tests.

    python -m optsuite.benchmarks.calibration RUN.json OUT.json

Our way of timing a call against the runtime's own; files timed against themselves; a layer timed against a wider one.
The files are those of a run's baselines, from the store that it filled.
"""

from __future__ import annotations

import argparse
import datetime
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from itertools import cycle, islice
from pathlib import Path

import msgspec
import numpy as np
from ai_edge_litert.compiled_model import CompiledModel
from ai_edge_litert.environment import Environment, EnvironmentOptions
from ai_edge_litert.hardware_accelerator import HardwareAccelerator
from ai_edge_litert.options import CpuOptions, Options
from pytest_benchmark.plugin import pytest_benchmark_generate_machine_info

from optsuite.errors import OptsuiteError
from optsuite.files import write_file
from optsuite.litert import THREADS, Call, LiteRTRunner, rounds
from optsuite.measure import probe_models, side_by_side
from optsuite.results import timing
from optsuite.results.calibration import Calibration, Paths, Tries
from optsuite.results.reader import machine_name, read
from optsuite.results.run import Run
from optsuite.store import tflite
from optsuite.store.store import Store

_VARIANTS = ["fp32", "dynamic", "int8"]
_ROUNDS = 1_000
# Both fill XNNPACK's tiles, so that five percent more width are five percent more work.
_NARROW, _WIDE = 640, 672


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; the exit code is 0, or 2 where the store has not the files."""
    parser = argparse.ArgumentParser(prog="python -m optsuite.benchmarks.calibration", description=__doc__)
    parser.add_argument("run", type=Path, metavar="RUN.json", help="what --benchmark-json wrote")
    parser.add_argument("out", type=Path, metavar="OUT.json")
    parser.add_argument("--cache", type=Path, default=Path(".optsuite-cache"), metavar="DIR", help="the store")
    parser.add_argument("--tries", type=int, choices=range(1, 1_001), default=20, metavar="N", help="(default: 20)")
    given = parser.parse_args(arguments)
    try:
        if not given.out.parent.is_dir():  # known before a minute is spent
            raise OptsuiteError(f"{given.out.parent}: no such folder; accepted is a file in one that is there")
        found = calibrate(_files(read(given.run), Store(given.cache, print)), given.tries)
        write_file(given.out, msgspec.json.format(msgspec.json.encode(found)))
    except OptsuiteError as error:
        print(f"optsuite: {error}", file=sys.stderr)
        return 2
    return 0


def _files(run: Run, store: Store) -> dict[str, bytes]:
    """Experiment and variant -> .tflite, of the baselines of one seed."""
    seed = min((built.seed for built in run.header.built), default=0)
    baselines = {built.id for built in run.header.built if (built.recipe, built.seed) == ("baseline", seed)}
    found = {
        f"{row.measured.experiment} {row.measured.variant}": tflite.content(store, row.measured)
        for row in run.rows
        if row.measured.experiment in baselines and row.measured.variant in _VARIANTS
    }
    if not found:
        raise OptsuiteError(f"the run has no baseline in {', '.join(_VARIANTS)}; accepted is one that measured some")
    return found


def calibrate(files: dict[str, bytes], tries: int) -> Calibration:
    """Take all three figures, one after the other, each so many times."""
    with _silence():
        paths = tuple(_paths(name, content, tries) for name, content in files.items())
    narrow, wide = (
        probe_models.matrix_product(batch=64, inputs=64, outputs=outputs, dtype="float32")
        for outputs in (_NARROW, _WIDE)
    )
    chosen = list(islice(cycle(files), tries))
    return Calibration(
        machine=machine_name(pytest_benchmark_generate_machine_info()),  # type: ignore[no-untyped-call]
        date=datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        paths=paths,
        same=Tries(
            files=tuple(chosen), macs_ratio=1.0, ratios=tuple(_ratio(files[name], files[name]) for name in chosen)
        ),
        wider=Tries(
            files=(f"64 x 64 x {_NARROW}", f"64 x 64 x {_WIDE}"),
            macs_ratio=_WIDE / _NARROW,
            ratios=tuple(_ratio(narrow, wide) for _ in range(tries)),
        ),
    )


def _paths(name: str, content: bytes, tries: int) -> Paths:
    """Each path and its floor in turn, the one that begins changing, with a new interpreter a turn."""
    floor = probe_models.one_element()
    makers: list[Callable[[], Call]] = [
        lambda: LiteRTRunner(content).invoke,
        lambda: _compiled(content),
        lambda: LiteRTRunner(floor).invoke,
        lambda: _compiled(floor),
    ]
    medians: list[list[float]] = [[] for _ in makers]
    for first in range(tries):
        for turn in range(len(makers)):
            path = (first + turn) % len(makers)
            call = makers[path]()
            rounds(call, _ROUNDS // 5)  # warm
            medians[path].append(float(np.median(rounds(call, _ROUNDS))))
    interpreter, compiled_model, interpreter_overhead, compiled_model_overhead = map(tuple, medians)
    return Paths(
        file=name,
        interpreter=interpreter,
        compiled_model=compiled_model,
        interpreter_overhead=interpreter_overhead,
        compiled_model_overhead=compiled_model_overhead,
    )


def _compiled(content: bytes) -> Call:
    """The call that litert-benchmark times, set up with its settings."""
    model = CompiledModel.from_buffer(
        content,
        environment=Environment.create(options=EnvironmentOptions()),
        options=Options(hardware_accelerators=HardwareAccelerator.CPU, cpu_options=CpuOptions(num_threads=THREADS)),
    )
    signature = next(iter(model.get_signature_list()))
    inputs, outputs = (
        {name: create(signature, name) for name in details(signature)}
        for create, details in (
            (model.create_input_buffer_by_name, model.get_input_tensor_details),
            (model.create_output_buffer_by_name, model.get_output_tensor_details),
        )
    )
    for name, buffer in inputs.items():
        details = model.get_input_tensor_details(signature)[name]
        buffer.write(np.full(details["shape"], 0.5 if details["dtype"] == "float32" else 1, details["dtype"]))
    run = model.run_by_name
    return lambda: run(signature, inputs, outputs)


def _ratio(reference: bytes, candidate: bytes) -> timing.Ratio:
    return side_by_side.ratio(*side_by_side.files([reference, candidate]))


@contextmanager
def _silence() -> Iterator[None]:
    """A new environment says twenty lines from C++; what goes wrong comes as an exception."""
    kept = os.dup(2)
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 2)
    try:
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)


if __name__ == "__main__":
    sys.exit(main())
