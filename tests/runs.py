"""The parts of a run as JSON, and the real command that makes one."""

from __future__ import annotations

import importlib.util
import io
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest

from optsuite.errors import OptsuiteError
from optsuite.examine.aarch64 import installation
from optsuite.results.answers import Answers
from optsuite.spec.artifact import FINDINGS
from optsuite.store.store import Store

ROOT = Path(__file__).parents[1]


def _installed_for_aarch64() -> bool:
    try:
        installation.installed()
    except OptsuiteError:
        return False
    return True


HANGS_S = 1_200
"""A process that is not done by then hangs: no machine is so slow."""
WITH_TFLM = importlib.util.find_spec("tflite_micro") is not None
"""tflite-micro has development releases only, which may vanish."""
WITH_VALGRIND = shutil.which("valgrind") is not None
WITH_AARCH64 = _installed_for_aarch64()
"""Whether QEMU and what `optsuite install-aarch64` installs are here."""
needs_valgrind = pytest.mark.skipif(not WITH_VALGRIND, reason="valgrind is not installed")
needs_aarch64 = pytest.mark.skipif(not WITH_AARCH64, reason="what emulates ARM cores is not installed")
_NPUS = ("ethos-u55-128", "ethos-u55-256", "ethos-u65-256", "ethos-u85-256")
_CORES = ("cortex-a53", "cortex-a72", "cortex-a76")
NPUS = len(_NPUS)
TARGETS = (*["tflm"] * WITH_TFLM, *_NPUS, *["host"] * WITH_VALGRIND, *_CORES * WITH_AARCH64)
"""All targets that are examined by default on the full profile, and whose tools are here."""
EXAMINATIONS = 4 + len(TARGETS) + WITH_TFLM
"""How many examinations a file has for them: TFLM has two."""
FAULTS = os.environ.get("OPTSUITE_FAULTS", "")
"""Where the counts of the long form of tests/faults go; empty for the short form."""


def answers(count: int = 100, wrong: Sequence[int] = ()) -> dict[str, Any]:
    """The JSON of `Answers`: all right but `wrong`."""
    right = np.ones(count, bool)
    right[list(wrong)] = False
    return asdict(Answers.of(right))


def answering(count: int = 100, wrong: Sequence[int] = ()) -> dict[str, Any]:
    """The JSON of what a `Measured` says of the test images: 1 where it is wrong."""
    return {"test": answers(count, wrong), "mistakes": [1] * len(wrong)}


def layer(name: str, size: int = 100, zeros: int = 0, unique: int = 8, channel_unique: int = 4) -> dict[str, Any]:
    """The JSON of `LayerWeights`."""
    counts = {"zeros": zeros, "unique": unique, "channel_unique": channel_unique}
    histogram = {"low": -1.0, "high": 1.0, "histogram": [size - zeros, zeros]}
    return {"name": name, "size": size, "entropy_bits": 80.0, **counts, **histogram}


def built(model: str, recipe: str, wrong: Sequence[int] = (), **changes: Any) -> dict[str, Any]:
    """The JSON of `Built`."""
    stages = ["train"] if recipe == "baseline" else ["train", recipe.partition("-")[0]]
    return {
        "id": f"{model}_{recipe}_s0",
        "dataset": "mnist",
        "model": model,
        "recipe": recipe,
        "seed": 0,
        "budget": 0.005,
        "info": {
            "parameters": 1000,
            "macs": 5000,
            "keras_bytes": 8000,
            "versions": {"tensorflow": "2.0"},
            "stages": [
                {
                    "stage": stage,
                    "epochs": 2,
                    "batch": 128,
                    "loss": [1.0, 0.5],
                    "accuracy": [0.8, 0.9],
                    "val_accuracy": [0.8, 0.9],
                    "invariants": {"conv2d": {"sparsity": 0.8}} if stage == "prune" else {},
                    "preserve": [],
                    "weights": [layer("conv2d", 300, zeros=240), layer("depthwise_conv2d")],
                }
                for stage in stages
            ],
        },
        "test": answers(wrong=wrong),
        "validation": answers(wrong=wrong),
    } | changes


def benchmark(
    experiment: str, variant: str, wrong: Sequence[int] = (), scale: float = 1.0, count: int = 100
) -> dict[str, Any]:
    """The JSON of one timed row: 100 rounds of 1 to 100 us, times `scale`."""
    rounds = [scale * (i + 1) * 1e-6 for i in range(100)]
    return {
        "name": f"test_latency[{experiment}-{variant}]",
        "stats": {
            "median": float(np.median(rounds)),
            "mean": float(np.mean(rounds)),
            "min": rounds[0],
            "max": rounds[-1],
            "rounds": 100,
            "iterations": 1,
            "data": rounds,
        },
        "extra_info": {
            "optsuite": {
                "experiment": experiment,
                "variant": variant,
                "key": f"key of {experiment} {variant}",
                "sha256": f"bytes of {experiment} {variant}",
                "budget": 0.005,
                **answering(count, wrong),
                "validation": answers(count, wrong),
                "total_time_s": 0.5,
                "execution": {
                    "load_s": 1e-3,
                    "first_invoke_s": 1e-4,
                    "heap_bytes": 50_000,
                    "precision": variant if variant == "int16x8" else "float32" if variant == "fp32" else "int8",
                    "operators": 2,
                    "undelegated": ["CONV_2D", "RESHAPE"] if variant == "int16x8" else [],
                },
                "bytes": 4000 if variant == "fp32" else 2000,
                "gzip_bytes": 1500,
                "weights": [layer("conv2d", 300, zeros=240), layer("depthwise_conv2d")],
                "note": "",
            }
        },
    }


def watch(start_s: float, experiment: str, variant: str, **changes: float) -> dict[str, Any]:
    """The JSON of `ReferenceTimes`: a steady machine."""
    times = {"waited_s": 0.0, "before_row_s": 1e-5, "before_timing_s": 1e-5, "after_timing_s": 1e-5}
    return {"experiment": experiment, "variant": variant, "start_s": start_s, **times} | changes


@dataclass(frozen=True, kw_only=True)
class Smoke:
    """A finished smoke run."""

    cache: Path
    json: Path
    output: str


SMOKE_KINDS = ("baseline", "qat", "prune-0.8", "cluster-8", "prune-0.8_cluster-8_pcqat", "kd")
SMOKE = (
    "--optsuite-profile=smoke",
    "--optsuite-models=tutorial",
    f"--optsuite-recipes={','.join(SMOKE_KINDS)}",
    f"--optsuite-targets={','.join(TARGETS)}",
)


def edited_model(content: bytes, edit: Callable[[Any], object]) -> bytes:
    """The .h5 file of a model, whose configuration `edit` has changed."""
    import h5py

    buffer = io.BytesIO(content)
    with h5py.File(buffer, "r+") as file:
        config = json.loads(file.attrs["model_config"])
        edit(config)
        file.attrs["model_config"] = json.dumps(config)
    return buffer.getvalue()


def copy_source(source: Path) -> Path:
    """Copy what the package is made from, as a checkout has it, tests included, and return the folder."""
    tracked = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    kept = (
        "src/",
        "fixtures/",
        "benchmarks/",
        "docs/",
        "tests/",
        "pyproject.toml",
        "MANIFEST.in",
        "README.md",
        "LICENSE",
    )
    for name in tracked.split("\0"):
        if name.startswith(kept):
            (source / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, source / name)
    return source


def run_pytest(*arguments: str | Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """The real command, on the benchmarks of this repository."""
    # One job unless asked for more: the other core has other tests, and each builder pays for TensorFlow's import.
    command = [sys.executable, "-m", "pytest", "benchmarks/", "--benchmark-quiet", "-p", "no:cacheprovider"]
    if not any("--optsuite-builders" in str(argument) for argument in arguments):
        command.append("--optsuite-jobs=1")
    return subprocess.run(
        [*command, *map(str, arguments)],
        cwd=ROOT,
        env=os.environ | environment,
        capture_output=True,
        text=True,
        timeout=HANGS_S,
        check=False,
    )


def run_sabotaged(what: str, *arguments: str | Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """`run_pytest` with the plugin `sabotage`, doing `what` it knows."""
    loaded = {"PYTHONPATH": str(ROOT / "tests"), "SABOTAGE": what}
    return run_pytest("-p", "sabotage", *arguments, **loaded, **environment)


def group_ends(group: int) -> bool:
    """Wait for the last process of the group to end: multiprocessing's own helper needs a moment."""
    for _ in range(10 * HANGS_S):
        try:
            os.killpg(group, 0)
        except ProcessLookupError:
            return True
        time.sleep(0.1)
    return False


def assert_same_artifacts(some: Store, others: Store) -> None:
    """All artifacts of the one store are in the other, and the same to the byte, but for instructions."""
    for key in some.stored():
        one, other = some.get(key), others.get(key)
        if one != other:
            assert one
            assert other
            found, expected = (msgspec.json.decode(each[FINDINGS]) for each in (one, other))
            assert_same_figures(found.pop("figures"), expected.pop("figures"))
            assert found == expected
            assert {**one, FINDINGS: b""} == {**other, FINDINGS: b""}


def assert_same_figures(some: Mapping[str, float], others: Mapping[str, float]) -> None:
    """Instructions are the same to 0.05 %, as memory lies elsewhere in every process; all others are equal."""
    assert some.keys() == others.keys()
    for name, value in some.items():
        assert value == (pytest.approx(others[name], rel=5e-4) if name.endswith("_instructions") else others[name])
