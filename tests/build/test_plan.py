"""What a build would take: past times, simulated schedules, and the command that prints them."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from catalogs import BUILTIN
from runs import ROOT, SMOKE, Smoke

from optsuite.build import plan
from optsuite.build.durations import Durations
from optsuite.build.graph import step_of
from optsuite.build.model_step import ModelStep
from optsuite.build.step import Done, Step
from optsuite.catalog.profiles import PROFILES
from optsuite.catalog.selection import select
from optsuite.catalog.variants import VARIANTS
from optsuite.spec.data import Split
from optsuite.spec.model import Size
from optsuite.store.store import Store

FULL = PROFILES["full"]


def _step(model: str, recipe: str, variant: str, seed: int = 0) -> ModelStep:
    (experiment,) = select(BUILTIN, models=[model], recipes=[recipe], seeds=[seed]).experiments
    return step_of(experiment, VARIANTS[variant], FULL, BUILTIN)


def _done(seconds: float, start_s: float | None = None) -> Done:
    return Done(artifact={}, seconds=seconds, start_s=start_s)


def _times(file: Path, *past: tuple[Step, float]) -> Durations:
    times = Durations(file)
    for step, seconds in past:
        times.add(step, _done(seconds))
    return Durations(file)


CONV = _step("conv", "baseline", "keras")
INT8 = _step("conv", "baseline", "int8")


@pytest.mark.parametrize(
    ("past", "asked", "seconds", "basis"),
    [
        ([(CONV, 100.0)], CONV, 100.0, "this step"),
        ([(_step("conv", "baseline", "keras", seed=1), 100.0)], CONV, 100.0, "this step"),
        ([(CONV, 100.0), (CONV, 300.0), (CONV, 120.0)], CONV, 120.0, "this step"),
        ([(CONV, 9e9)] + [(CONV, 50.0)] * 5, CONV, 50.0, "this step"),
        ([(INT8, 3.0)], _step("conv", "qat", "int8"), 3.0, "this stage of this model"),
        # 5 conversions for any training; 2 epochs of 54,000 images of a million MACs are another 30.24, and 5 are 75.6.
        (
            [(_step("conv", "cluster-8", "keras"), 35.24)],
            _step("dscnn", "cluster-8", "keras"),
            80.6,
            "this stage of other models",
        ),
        ([(INT8, 3.0)], CONV, 3 * 216.68, "other steps"),
        ([(replace(CONV, profile=PROFILES["smoke"]), 3.0)], CONV, 108.34, "a guess"),
        ([], INT8, 0.5, "a guess"),
    ],
    ids=[
        "same",
        "another seed",
        "the median",
        "the newest",
        "another recipe",
        "another model",
        "any",
        "profile",
        "none",
    ],
)
def test_past_builds_say_how_long_a_step_takes(
    tmp_path: Path, past: list[tuple[Step, float]], asked: Step, seconds: float, basis: str
) -> None:
    """The most similar ones, each by its work: 1 for a conversion, and for a training by its images and MACs."""
    found = _times(tmp_path / "times", *past).of(asked)
    assert found.seconds == pytest.approx(seconds)
    assert found.basis == basis


@pytest.mark.parametrize(
    ("size", "profile", "work"),
    [
        (Size(macs=1_000_000, images=54_000), "full", 5 + 14 * 54_000 * 1.4e6 / 5e9),
        (Size(macs=10_000_000, images=54_000), "full", 5 + 14 * 54_000 * 10.4e6 / 5e9),
        (Size(macs=1_000_000, images=5_400), "full", 5 + 14 * 5_400 * 1.4e6 / 5e9),
        (Size(macs=1_000_000, images=6_000), "smoke", 5 + 12_000 * 1.4e6 / 5e9),  # two epochs
        (Size(macs=100_000, images=60_000), "smoke", 5 + 25_600 * 0.5e6 / 5e9),  # at most 100 steps of 256
        (Size(macs=10_000_000, images=6_000), "smoke", 5 + 2_500 * 10.4e6 / 5e9),  # at most 25 G MACs
    ],
)
def test_work_grows_with_images_and_multiply_accumulates(size: Size, profile: str, work: float) -> None:
    """As far as the profile lets it."""
    assert replace(CONV, size=size, profile=PROFILES[profile]).work == pytest.approx(work)


_ASKED: list[str] = []


def _counted(name: str) -> Split:
    _ASKED.append(name)
    return CONV.dataset.load(name)


def test_the_steps_of_a_process_load_their_data_once() -> None:
    """Each of thirty conversions drew the images of its network anew; another dataset takes the place of the last."""
    _ASKED.clear()
    one, other = (
        replace(CONV, dataset=replace(CONV.dataset, load=_counted, fingerprint=fingerprint)) for fingerprint in "12"
    )
    for step in (one, replace(one, seed=1), replace(one, seed=2)):
        assert len(step._loaded("test").y) == 10_000
    assert len(replace(one, profile=PROFILES["smoke"])._loaded("test").y) == 500
    other._loaded("test")
    one._loaded("test")
    assert _ASKED == ["test"] * 4


def test_the_less_is_known_the_wider_is_the_range(tmp_path: Path) -> None:
    """An estimate by the same step is surer than one by others."""
    found = _times(tmp_path / "times", (INT8, 3.0))
    assert found.of(INT8).cases_s == pytest.approx((3, 3 / 1.3, 3 * 1.3))
    assert found.of(CONV).cases_s == pytest.approx((3 * 216.68, 216.68, 9 * 216.68))


def test_what_is_no_time_is_left_out(tmp_path: Path) -> None:
    """A line that was cut short by a full disk costs one time and no build."""
    file = tmp_path / "times"
    _times(file, (CONV, 100.0))
    with file.open("ab") as end:
        end.write(
            b'{"model":"conv","act\n\xff\n[]\n{"model":"a","actions":["b"],"profile":"full","work":0,"seconds":1}\n'
        )
    assert _times(file, (INT8, 3.0)).of(CONV).seconds == 100.0
    assert Durations(file).of(INT8).seconds == 3.0


def test_a_process_takes_as_long_to_start_as_it_did(tmp_path: Path) -> None:
    """Only first steps tell of it."""
    times = Durations(tmp_path / "times")
    assert times.start_s == 10.0
    for start_s in (3.0, None, 4.0, 5.0):
        times.add(CONV, _done(1.0, start_s))
    assert Durations(tmp_path / "times").start_s == 4.0


def _graph() -> dict[str, Step]:
    """A training, a stage after it, and eight conversions of each, two of which start from another one's file."""
    steps = [_step("conv", recipe, name) for recipe in ("baseline", "cluster-8") for name in VARIANTS]
    return {step.key: step for step in steps}


@pytest.mark.parametrize(("workers", "wall_s"), [(1, 3 + 10 + 4 + 16), (2, 3 + 10 + 10), (8, 3 + 10 + 6), (64, 19)])
def test_a_schedule_is_simulated(workers: int, wall_s: float) -> None:
    """3 s to start, 10 of training, 4 of clustering, sixteen conversions of 1: each as soon as possible."""
    todo = _graph()
    seconds = {key: {"conv s0: train": 10.0, "conv s0: train > cluster": 4.0}.get(todo[key].label, 1.0) for key in todo}
    assert plan.simulate(todo, seconds, workers, start_s=3) == wall_s


def test_a_plan_builds_nothing(tmp_path: Path) -> None:
    """What is there, what is not with its time, and what no number of workers makes faster."""
    store = Store(tmp_path / "store", print)
    store.put(CONV.key, {"model.h5": b""})
    times = _times(tmp_path / "times", (_step("conv", "cluster-8", "keras"), 34.0))
    found = plan.plan_build(_graph().values(), [], [], store, times)
    cluster = _step("conv", "cluster-8", "keras")
    assert [step.key for step in found.stored] == [CONV.key]
    assert {step.key: estimate.seconds for step, estimate in found.missing}[cluster.key] == 34.0
    assert len(found.missing) == 17
    assert found.critical_path[0].key == cluster.key
    assert len(found.critical_path) == 3
    assert store.stored() == [CONV.key]
    shown = plan.text(found)
    assert "   stored  conv s0: train\n" in shown
    assert "   34.0 s  conv s0: train > cluster  (by this step)\n" in shown
    assert "17 steps to build and 0 to examine files, 49 s of work" in shown
    assert "critical path, 36 s: conv s0: train > cluster > fp32 > " in shown


def test_nothing_to_build_is_said(tmp_path: Path) -> None:
    """Instead of a table of zeros."""
    store = Store(tmp_path / "store", print)
    store.put(CONV.key, {"model.h5": b""})
    shown = plan.text(plan.plan_build([CONV], [], [], store, Durations(tmp_path / "times")))
    assert shown.splitlines() == ["   stored  conv s0: train", "nothing to build"]


def _plan(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "optsuite", "plan", *map(str, arguments)]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)


def test_the_command_plans_what_pytest_would_build(smoke: Smoke) -> None:
    """It takes pytest's arguments; what a past build took is known for another seed, too."""
    cache = f"--optsuite-cache={smoke.cache}"
    before = Store(smoke.cache, print).stored()
    warm = _plan("benchmarks/", *SMOKE, cache)
    assert warm.returncode == 0, warm.stdout + warm.stderr
    assert "nothing to build" in warm.stdout
    other = _plan("benchmarks/", *SMOKE, cache, "--optsuite-seeds=1", "-k", "int8 and not uint8 and not kd")
    pcqat = "train > prune > cluster keeping sparsity > qat keeping sparsity and clusters"
    assert f"tutorial s1: {pcqat} > int8 (by this step)" in " ".join(other.stdout.split())  # wrapped
    assert max(map(len, other.stdout.splitlines())) <= 100
    assert "uint8" not in other.stdout
    assert "distill" not in other.stdout
    assert "11 steps to build" in other.stdout
    assert Store(smoke.cache, print).stored() == before


@pytest.mark.slow
def test_the_command_says_when_there_is_nothing_to_plan() -> None:
    """Pytest's arguments may name no benchmark at all."""
    done = _plan("tests/spec/test_experiment.py")
    assert done.returncode == 4
    assert "none of its benchmarks was collected" in done.stderr + done.stdout
