"""Measure how far the timings of this machine can be trusted: three checks, which the report shows. No tests.

    python -m optsuite.benchmarks.calibration RUN.json OUT.json

1. A file is timed through `Interpreter.invoke`, as in a run, and through `CompiledModel`, as litert-benchmark does it.
2. A file is timed side by side with itself: the ratio should be 1.
3. A layer is timed side by side with a wider one: the ratio should be that of their MACs.

The files are those of a run's baselines, from the store of that run.
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

from optsuite import probe_models
from optsuite.errors import OptsuiteError
from optsuite.files import write_file
from optsuite.litert import THREADS, Call, LiteRTRunner, rounds
from optsuite.measure import side_by_side
from optsuite.results import timing
from optsuite.results.calibration import Calibration, Paths, Tries
from optsuite.results.reader import machine_name, read
from optsuite.results.run import Run
from optsuite.store import tflite
from optsuite.store.store import Store

_VARIANTS = ["fp32", "dynamic", "int8"]
_ROUNDS = 1_000
# Both widths are multiples of XNNPACK's tiles, so that 5 % more outputs are 5 % more work.
_NARROW, _WIDE = 640, 672


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command, and return its exit code: 0, or 2 if the input can't be used."""
    parser = argparse.ArgumentParser(
        prog="python -m optsuite.benchmarks.calibration",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("run", type=Path, metavar="RUN.json", help="the file that --benchmark-json wrote")
    parser.add_argument("out", type=Path, metavar="OUT.json", help="the file to write")
    parser.add_argument("--cache", type=Path, default=Path(".optsuite-cache"), metavar="DIR", help="the artifact store")
    tries_help = "how often each check is repeated (default: 20)"
    parser.add_argument("--tries", type=int, choices=range(1, 1_001), default=20, metavar="N", help=tries_help)
    given = parser.parse_args(arguments)
    try:
        if not given.out.parent.is_dir():  # found before measuring, which takes minutes
            raise OptsuiteError(f"{given.out.parent}: no such folder; expected a file in a folder that exists")
        found = calibrate(_files(read(given.run), Store(given.cache, print)), given.tries)
        write_file(given.out, msgspec.json.format(msgspec.json.encode(found)))
    except OptsuiteError as error:
        print(f"optsuite: {error}", file=sys.stderr)
        return 2
    return 0


def _files(run: Run, store: Store) -> dict[str, bytes]:
    """Return the .tflite files of the baselines of one seed, by experiment and variant."""
    seed = min((built.seed for built in run.header.built), default=0)
    baselines = {built.id for built in run.header.built if (built.recipe, built.seed) == ("baseline", seed)}
    found = {
        f"{row.measured.experiment} {row.measured.variant}": tflite.content(store, row.measured)
        for row in run.rows
        if row.measured.experiment in baselines and row.measured.variant in _VARIANTS
    }
    if not found:
        raise OptsuiteError(f"expected a run that measured a baseline in any of {', '.join(_VARIANTS)}, got none")
    return found


def calibrate(files: dict[str, bytes], tries: int) -> Calibration:
    """Run the three checks one after the other, each `tries` times."""
    with _without_stderr():
        paths = tuple(_paths(name, content, tries) for name, content in files.items())
    names = tuple(islice(cycle(files), tries))
    narrow = probe_models.matrix_product(batch=64, inputs=64, outputs=_NARROW, dtype="float32")
    wide = probe_models.matrix_product(batch=64, inputs=64, outputs=_WIDE, dtype="float32")
    return Calibration(
        machine=machine_name(pytest_benchmark_generate_machine_info()),  # type: ignore[no-untyped-call]
        date=datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        paths=paths,
        same=Tries(
            files=names,
            macs_ratio=1.0,
            ratios=tuple(_ratio(files[name], files[name]) for name in names),
        ),
        wider=Tries(
            files=(f"64 x 64 x {_NARROW}", f"64 x 64 x {_WIDE}"),
            macs_ratio=_WIDE / _NARROW,
            ratios=tuple(_ratio(narrow, wide) for _ in range(tries)),
        ),
    )


def _paths(name: str, content: bytes, tries: int) -> Paths:
    """Time a file through both interfaces, and the call overhead of each.

    All four are timed in turn, each time with a new interpreter, and each of them is the first one in a quarter of the
    turns.
    """
    one_element = probe_models.one_element()
    makers: list[Callable[[], Call]] = [
        lambda: LiteRTRunner(content).invoke,
        lambda: _compiled_model(content),
        lambda: LiteRTRunner(one_element).invoke,
        lambda: _compiled_model(one_element),
    ]
    medians: list[list[float]] = [[] for _ in makers]
    for first in range(tries):
        for turn in range(len(makers)):
            path = (first + turn) % len(makers)
            call = makers[path]()
            rounds(call, _ROUNDS // 5)  # to warm up
            medians[path].append(float(np.median(rounds(call, _ROUNDS))))
    interpreter, compiled_model, interpreter_overhead, compiled_model_overhead = map(tuple, medians)
    return Paths(
        file=name,
        interpreter=interpreter,
        compiled_model=compiled_model,
        interpreter_overhead=interpreter_overhead,
        compiled_model_overhead=compiled_model_overhead,
    )


def _compiled_model(content: bytes) -> Call:
    """Return the call of `CompiledModel` that litert-benchmark times, with the same settings."""
    model = CompiledModel.from_buffer(
        content,
        environment=Environment.create(options=EnvironmentOptions()),
        options=Options(hardware_accelerators=HardwareAccelerator.CPU, cpu_options=CpuOptions(num_threads=THREADS)),
    )
    signature = next(iter(model.get_signature_list()))
    details = model.get_input_tensor_details(signature)
    inputs = {name: model.create_input_buffer_by_name(signature, name) for name in details}
    outputs = {
        name: model.create_output_buffer_by_name(signature, name) for name in model.get_output_tensor_details(signature)
    }
    for name, buffer in inputs.items():
        shape, dtype = details[name]["shape"], details[name]["dtype"]
        buffer.write(np.full(shape, 0.5 if dtype == "float32" else 1, dtype))
    run = model.run_by_name
    return lambda: run(signature, inputs, outputs)


def _ratio(reference: bytes, candidate: bytes) -> timing.Ratio:
    return side_by_side.ratio(*side_by_side.files([reference, candidate]))


@contextmanager
def _without_stderr() -> Iterator[None]:
    """Discard what is written to stderr: a new environment logs twenty lines from C++, and errors are exceptions."""
    stderr = os.dup(2)
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, 2)
    try:
        yield
    finally:
        os.dup2(stderr, 2)
        os.close(stderr)
        os.close(null)


if __name__ == "__main__":
    sys.exit(main())
