"""A pytest plugin of these tests: recipes that go wrong, and a machine without TensorFlow.

Loaded with `-p sabotage`; what SABOTAGE names is done.
"""

from __future__ import annotations

import functools
import gc
import itertools
import multiprocessing
import os
import signal
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from optsuite import cpu
from optsuite.build import running
from optsuite.build.examination_step import ExaminationStep
from optsuite.build.step import Done, Step, timed
from optsuite.build.workers.local import LocalWorkers
from optsuite.catalog.examinations import RUNTIME
from optsuite.catalog.models import MODELS, build_dscnn, build_tutorial
from optsuite.catalog.recipes import RECIPES
from optsuite.spec.artifact import TFLITE, Artifact
from optsuite.spec.invariant import InvariantName
from optsuite.spec.recipe import Recipe
from optsuite.spec.stage import Stage
from optsuite.stages import packages
from optsuite.stages.prune import Prune
from optsuite.stages.qat import QAT

if TYPE_CHECKING:
    from optsuite.spec.task import Task


@dataclass(frozen=True, kw_only=True)
class Ruin(Stage):
    """Replaces the last layer by noise: a model that guesses."""

    def apply(self, model: Any, task: Task) -> Any:
        kernel, bias = model.layers[-1].get_weights()
        model.layers[-1].set_weights([np.random.default_rng(0).normal(size=kernel.shape), bias])
        return model


@dataclass(frozen=True, kw_only=True)
class Fill(Stage):
    """Sets all weights of the last layer to one number: a model that answers the same for everything."""

    number: Literal["nan", "0"]

    def apply(self, model: Any, task: Task) -> Any:
        model.layers[-1].set_weights(
            [np.full_like(weights, float(self.number)) for weights in model.layers[-1].get_weights()]
        )
        return model


@dataclass(frozen=True, kw_only=True)
class Raise(Stage):
    """Fails."""

    def apply(self, model: Any, task: Task) -> Any:
        raise ZeroDivisionError("the real error")


@dataclass(frozen=True, kw_only=True)
class Die(Stage):
    """Kills its own process the first time."""

    once: str

    def apply(self, model: Any, task: Task) -> Any:
        if not Path(self.once).exists():
            Path(self.once).touch()
            os.kill(os.getpid(), signal.SIGKILL)
        return model


@dataclass(frozen=True, kw_only=True)
class Hang(Stage):
    """Begins, which it writes down, and never ends."""

    begun: str

    def apply(self, model: Any, task: Task) -> Any:
        Path(self.begun).touch()
        while True:
            time.sleep(60)


@dataclass(frozen=True, kw_only=True)
class FalsePQAT(Stage):
    """Plain QAT that says it preserves sparsity."""

    preserve: tuple[InvariantName, ...] = ("sparsity",)

    @property
    def quantized_bits(self) -> int:
        return 8

    def apply(self, model: Any, task: Task) -> Any:
        return QAT().apply(model, task)


def _with_filters(model: Any, factor: float) -> Any:
    """The network with so many times its filters."""
    from optsuite.keras import keras

    config = model.get_config()
    for layer in config["layers"]:
        if "filters" in layer["config"]:
            layer["config"]["filters"] = int(factor * layer["config"]["filters"])
    return keras.Sequential.from_config(config)


def halved_dscnn() -> Any:
    """The network with half of its filters."""
    return _with_filters(build_dscnn(), 0.5)


def widened_tutorial() -> Any:
    """The network with twice its filters."""
    return _with_filters(build_tutorial(), 2)


DONE = os.environ.get("SABOTAGE", "").split(",")
RECIPES["ruin"] = Recipe(name="ruin", stages=(Ruin(),), budget=0.0)
RECIPES["false-pqat"] = Recipe(name="false-pqat", stages=(Prune(sparsity=0.8), FalsePQAT()), budget=0.005)
RECIPES["nan"] = Recipe(name="nan", stages=(Fill(number="nan"),), budget=0.0)
RECIPES["constant"] = Recipe(name="constant", stages=(Fill(number="0"),), budget=0.0)
RECIPES["raise"] = Recipe(name="raise", stages=(Raise(),), budget=0.0)
RECIPES["die"] = Recipe(name="die", stages=(Die(once=os.environ.get("SABOTAGE_FILE", "")),), budget=0.0)
RECIPES["hang"] = Recipe(name="hang", stages=(Hang(begun=os.environ.get("SABOTAGE_FILE", "")),), budget=0.0)

if "break pruning" in DONE:
    for name, model in MODELS.items():
        assert model.finetune
        MODELS[name] = replace(model, stages={**model.stages, "prune": replace(model.finetune, peak_lr=1e-9)})
for _, stage, factor in (what.split() for what in DONE if what.startswith("hurry ")):  # as in "hurry cluster 10"
    for name, model in MODELS.items():
        schedule = model.stages.get(stage, model.finetune)
        assert schedule
        hurried = replace(schedule, peak_lr=float(factor) * schedule.peak_lr)
        MODELS[name] = replace(model, stages={**model.stages, stage: hurried})
if "halve filters" in DONE:
    MODELS["dscnn"] = replace(MODELS["dscnn"], build=halved_dscnn)
if "widen" in DONE:
    MODELS["tutorial"] = replace(MODELS["tutorial"], build=widened_tutorial)
if "prune less" in DONE:
    RECIPES["prune-0.8"] = replace(RECIPES["prune-0.8"], stages=(Prune(sparsity=0.5),))
if "trust" in DONE:
    for name, model in MODELS.items():
        MODELS[name] = replace(model, trust=True)
if "hide tensorflow" in DONE:
    for module in ("tensorflow", "tf_keras", "tensorflow_model_optimization", "h5py"):
        sys.modules[module] = None  # type: ignore[assignment]
if "uninstall tensorflow" in DONE:
    packages.builder_versions = lambda: None  # type: ignore[assignment]


def dies_of_its_length(step: Step, inputs: Sequence[Artifact]) -> Done:
    """Do a step, or die as by LiteRT, which could not be brought to it in 4,000 damaged files."""
    if isinstance(step, ExaminationStep) and step.setup.examination == RUNTIME:
        length = len(inputs[0][TFLITE])
        if length % 2 == 0 and length > 50_000:
            os.kill(os.getpid(), signal.SIGSEGV)
    return timed(step, inputs)


def examines_elsewhere(step: Step, inputs: Sequence[Artifact]) -> Done:
    """Do a step, and count it; die once in the middle, with the run, where SABOTAGE says so."""
    done = timed(step, inputs)
    folder = Path(os.environ["EXAMINED"])
    (folder / f"{time.monotonic_ns()}").touch()
    if "die at the fifth" in DONE and len(list(folder.iterdir())) == 5:
        os.kill(os.getppid(), signal.SIGKILL)
    return done


if "crash LiteRT" in DONE:
    dying = functools.partial(LocalWorkers, work=dies_of_its_length)
    running.LocalWorkers = dying  # type: ignore[attr-defined,assignment]
if "another cpu" in DONE:
    cpu.features = lambda: "x86_64 sse4_1"  # type: ignore[assignment]
    # Its workers, too: they load this module to find what they do.
    elsewhere = functools.partial(LocalWorkers, work=examines_elsewhere)
    running.LocalWorkers = elsewhere  # type: ignore[attr-defined,assignment]
if "jump the clock" in DONE:
    clock, jumps = time.time, itertools.cycle((0, 86_400 * 400, -86_400 * 4_000, 3_600))
    time.time = lambda: clock() + next(jumps)

if "look around" in DONE:
    SEEN: list[tuple[bool, bool]] = []
    benchmark: Any = BenchmarkFixture.__call__

    def looking(fixture: Any, invoke: Any) -> Any:
        def look() -> None:
            SEEN.append((gc.isenabled(), bool(multiprocessing.active_children())))
            invoke()

        answer = benchmark(fixture, look)
        SEEN.pop()  # the last call is for the answer, and is not timed
        return answer

    setattr(BenchmarkFixture, "__call__", looking)  # noqa: B010 (mypy takes no other way)


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Tell which of the slow modules are there."""
    slow = ("tensorflow", "tf_keras", "pandas", "scipy.stats", "matplotlib", "jinja2")
    reporter: Any = session.config.pluginmanager.get_plugin("terminalreporter")
    if "look around" in DONE:
        collecting, accompanied = (sum(found) for found in zip(*SEEN, strict=True))
        reporter.write_line(
            f"\n{len(SEEN)} calls: {collecting} collecting garbage, {accompanied} beside a child process"
        )
    reporter.write_line(f"\nslow modules: {[name for name in slow if sys.modules.get(name)]}")
