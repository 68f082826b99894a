"""A run in memory, and a real one on the smoke profile that all end-to-end tests share."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

import msgspec
import pytest
from filelock import FileLock
from runs import SMOKE, Smoke, benchmark, built, copy_source, run_pytest, run_sabotaged, watch

from optsuite.build.model_step import ModelStep
from optsuite.catalog.recipes import PIPELINES
from optsuite.catalog.variants import VARIANTS
from optsuite.results.figures import FIGURES


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What needs a built model is slow, and so is tests/faults; other slow tests say so themselves."""
    for item in items:
        needs = {"smoke", "sabotaged", "commands"} & set(getattr(item, "fixturenames", ()))
        if needs or "faults" in item.path.parts:
            item.add_marker(pytest.mark.slow)


@pytest.fixture(autouse=True)
def _fast_tests_are_fast(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Refuse training and the real commands in a test that is not marked as slow."""
    if request.node.get_closest_marker("slow"):
        return
    start: Any = subprocess.Popen.__init__

    def refuse_commands(process: Any, args: Any, *others: Any, **options: Any) -> None:
        if {"pytest", "optsuite"} & set(map(str, args if isinstance(args, list) else [args])):
            pytest.fail(f"{args}: a test that runs it needs @pytest.mark.slow")
        start(process, args, *others, **options)

    def refuse_building(*_: Any) -> NoReturn:
        pytest.fail("a test that builds a model needs @pytest.mark.slow")

    monkeypatch.setattr(subprocess.Popen, "__init__", refuse_commands)
    monkeypatch.setattr(ModelStep, "run", refuse_building)


@pytest.fixture
def run_json() -> dict[str, Any]:
    """A small, complete run: two experiments, four variants, one declared absence."""
    reason = "TFLite cannot"
    return {
        "datetime": "2026-01-01T00:00:00+00:00",
        "machine_info": {
            "machine": "x86_64",
            "cpu": {"brand_raw": "A CPU", "flags": ["fpu", "avx512f"], "hz_actual_friendly": "2.5 GHz"},
        },
        "commit_info": {"id": "0123456789abcdef", "dirty": True},
        "benchmarks": [
            benchmark("conv_baseline_s0", "fp32"),
            benchmark("conv_baseline_s0", "int8", wrong=[0], scale=0.5),
            benchmark("conv_baseline_s0", "int16x8", scale=30),
            benchmark("conv_qat_s0", "int8", wrong=[1], scale=0.4),
            {"name": "test_of_the_users_own", "stats": {**benchmark("x", "y")["stats"]}, "extra_info": {}},
        ],
        "optsuite": {
            "schema": 6,
            "version": "0.1.0",
            "profile": "full",
            "requested": {
                "datasets": ["mnist"],
                "matrix": "default",
                "models": ["conv"],
                "recipes": ["baseline", "qat"],
                "variants": ["fp32", "int8", "int16x8"],
                "seeds": [0],
            },
            "catalog": {
                "models": ["conv", "tutorial"],
                "recipes": ["baseline", "qat", "prune-0.8"],
                "variants": list(VARIANTS),
                "pipelines": list(PIPELINES),
            },
            "figures": list(msgspec.to_builtins(FIGURES)),
            "experiments": ["conv_baseline_s0", "conv_qat_s0"],
            "variants": ["fp32", "int8", "int16x8"],
            "environment": {
                "cores": 2,
                "governor": None,
                "load": 0.25,
                "threads": 1,
                "versions": {"ai-edge-litert": "2.3.0"},
                "peak_macs_per_s": {"float32": 1e9, "int8": 4e9},
            },
            "build_s": 10.0,
            "measure_s": 20.0,
            "reference_times": [watch(1.0, "conv_baseline_s0", variant) for variant in ("fp32", "int8", "int16x8")],
            "datasets": [{"name": "mnist", "labels": [0] * 100}],
            "built": [built("conv", "baseline"), built("conv", "qat", wrong=[1, 2])],
            "absences": [{"experiment": "conv_qat_s0", "variant": "int16x8", "reason": reason}],
        },
    }


@pytest.fixture
def write_run(tmp_path: Path) -> Callable[[Any], Path]:
    """Write something as `run.json`."""

    def write(content: Any) -> Path:
        path = tmp_path / "run.json"
        path.write_text(content if isinstance(content, str) else json.dumps(content))
        return path

    return write


# The commands that are run here are not xdist's: pytest-benchmark times nothing where it sees these.
_XDIST = [os.environ.pop(name) for name in list(os.environ) if name.startswith("PYTEST_XDIST")]


def _once(factory: pytest.TempPathFactory, name: str, make: Callable[[Path], None]) -> Path:
    """A folder that `make` fills, once for all processes of pytest-xdist."""
    root = factory.getbasetemp()
    root = root.parent if _XDIST else root
    folder, done = root / name, root / f"{name} is made"
    with FileLock(root / f"{name}.lock"):
        if not done.exists():
            shutil.rmtree(folder, ignore_errors=True)  # another process may have failed at it
            folder.mkdir()
            make(folder)
            done.touch()
    return folder


@pytest.fixture(scope="session")
def smoke(tmp_path_factory: pytest.TempPathFactory) -> Smoke:
    """Every recipe on the tutorial model, every variant, cold. Who adds to the store takes a copy: others read it."""

    def make(folder: Path) -> None:
        paths = f"--optsuite-cache={folder / 'cache'}", f"--benchmark-json={folder / 'run.json'}"
        done = run_pytest(*SMOKE, *paths, "-rA", "--optsuite-jobs=2")
        assert done.returncode == 0, done.stdout + done.stderr
        (folder / "output").write_text(done.stdout)

    folder = _once(tmp_path_factory, "smoke with spaces, ünïcode", make)
    return Smoke(cache=folder / "cache", json=folder / "run.json", output=(folder / "output").read_text())


@pytest.fixture(scope="session")
def sabotaged(smoke: Smoke, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, dict[str, Any]]:
    """Output and JSON of a run with recipes that ruin their model, fail, are killed once, and lie."""

    def make(folder: Path) -> None:
        done = run_sabotaged(
            "",
            *SMOKE,
            "--optsuite-recipes=baseline,ruin,raise,die,prune-0.8,false-pqat",
            "--optsuite-variants=int8,fp32",
            f"--optsuite-cache={shutil.copytree(smoke.cache, folder / 'cache')}",
            f"--benchmark-json={folder / 'run.json'}",
            SABOTAGE_FILE=str(folder / "died"),
        )
        assert done.returncode == 1, done.stdout + done.stderr
        (folder / "output").write_text(done.stdout)

    folder = _once(tmp_path_factory, "sabotaged", make)
    return (folder / "output").read_text(), json.loads((folder / "run.json").read_text())


@pytest.fixture(scope="session")
def commands(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of commands whose optsuite is installed from a wheel, and all else from here."""
    return _once(tmp_path_factory, "installed", _install) / "venv" / "bin"


def _install(folder: Path) -> None:
    source = copy_source(folder / "source")
    pip = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check"]
    subprocess.run(
        [*pip, "wheel", "--no-deps", "--no-build-isolation", "--no-index", "--wheel-dir", folder, source], check=True
    )
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder / "venv"], check=True)
    (wheel,) = folder.glob("*.whl")
    packages = Path(sysconfig.get_path("purelib", vars={"base": str(folder / "venv")}))
    subprocess.run([*pip, "install", "--no-deps", "--no-index", "--target", packages, wheel], check=True)
    (packages / "others.pth").write_text(sysconfig.get_path("purelib"))
    python = folder / "venv/bin/python"
    for name in ("pytest", "optsuite", "dask"):
        command = folder / "venv/bin" / name
        command.write_text(f'#!/bin/sh\nexec "{python}" -m {name} "$@"\n')
        command.chmod(0o755)
