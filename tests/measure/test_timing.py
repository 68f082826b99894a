"""What is known of a machine and of a file before anything is timed; the judgements on times. Nothing here is timed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from runs import Smoke, watch

from optsuite import probe_models
from optsuite.benchmarks import calibration as command  # type: ignore[import-not-found]
from optsuite.cpu import cores
from optsuite.errors import OptsuiteError
from optsuite.judge.steadiness import steadiness
from optsuite.litert import LiteRTRunner, rounds
from optsuite.measure import startup
from optsuite.results import calibration, reader
from optsuite.results.calibration import Paths, Tries
from optsuite.results.timing import Ratio

Write = Callable[[Any], Path]


@pytest.mark.parametrize("dtype", ["float32", "int8"])
def test_a_matrix_product_is_one(dtype: str) -> None:
    """LiteRT answers what numpy does, so the MACs that a peak is made of were really done."""
    runner = LiteRTRunner(probe_models.matrix_product(batch=3, inputs=5, outputs=7, dtype=dtype))
    # What comes out has to fit into eight bits.
    scale, limit, tolerance = (1 / 128, 0.2, 0.02) if dtype == "int8" else (1, 0.9, 1e-4)
    weights = scale * np.random.default_rng(0).integers(-127, 128, (7, 5))
    x = np.linspace(-limit, limit, 15, dtype=np.float32).reshape(3, 5)
    runner.set(runner.prepare(x))
    runner.invoke()
    np.testing.assert_allclose(runner.interpret(runner.get()), x @ weights.T, atol=tolerance)


def test_rounds_are_single_calls() -> None:
    """As many calls as rounds, each with a time of its own."""
    calls: list[int] = []
    seconds = rounds(lambda: calls.append(1), 7)
    assert (len(calls), seconds.shape) == (7, (7,))
    assert (seconds >= 0).all()


@pytest.mark.parametrize(("call_s", "count"), [(0.001, 1_000), (0.041, 122), (1.0, 30)])
def test_rounds_are_bounded_by_time_too(monkeypatch: pytest.MonkeyPatch, call_s: float, count: int) -> None:
    """1,000 of them or 5 s, whichever is less, but 30 at least."""
    now = 0.0

    def call() -> None:
        nonlocal now
        now += call_s

    monkeypatch.setattr("time.perf_counter", lambda: now)
    assert len(rounds(call, 1_000, at_most_s=5.0, at_least=30)) == count


def test_the_memory_of_a_known_model() -> None:
    """A megabyte of weights is packed into about a megabyte; what others hold is not counted, nor is what was freed."""
    if not startup._heap_reader()():
        pytest.skip("only glibc tells what malloc has given out")
    content = probe_models.matrix_product(batch=1, inputs=512, outputs=512, dtype="float32")
    held = [startup.observe(content).heap_bytes for _ in range(2)]
    for heap_bytes in held:
        assert heap_bytes is not None
        assert 2**20 < heap_bytes < 1.5 * 2**20


def test_whose_kernels_run(smoke: Smoke) -> None:
    """XNNPACK's for integers and floats, LiteRT's reference kernels for int16x8, some of each for fake-quantisation."""
    rows = {(row.measured.experiment, row.measured.variant): row.measured for row in reader.read(smoke.json).rows}
    found = {}
    for (experiment, variant), measured in rows.items():
        if measured.execution is None:
            assert variant == "keras"
            continue
        assert measured.execution.first_invoke_s > 0
        assert measured.execution.load_s > 0
        # What mixed gives 4 bits, and so who runs it, depends on the training.
        if experiment in ("tutorial_baseline_s0", "tutorial_qat_s0") and variant != "mixed":
            found[experiment[9:-3], variant] = measured.execution.delegate, measured.execution.precision
    assert found == {
        ("baseline", "fp32"): ("XNNPACK", "float32"),
        ("baseline", "fp16"): ("XNNPACK", "float32"),
        ("baseline", "dynamic"): ("XNNPACK", "int8"),
        ("baseline", "int8"): ("XNNPACK", "int8"),
        ("baseline", "uint8"): ("XNNPACK in part", "int8"),
        ("baseline", "int16x8"): ("none", "int16x8"),
        ("baseline", "int4"): ("XNNPACK in part", "int8"),
        ("qat", "fp32"): ("XNNPACK in part", "float32"),
        ("qat", "fp16"): ("XNNPACK", "int8"),
        ("qat", "dynamic"): ("XNNPACK", "int8"),
        ("qat", "int8"): ("XNNPACK", "int8"),
        ("qat", "uint8"): ("XNNPACK in part", "int8"),
    }
    assert rows["tutorial_baseline_s0", "int16x8"].note == "reference kernels: XNNPACK has none for int16"
    assert rows["tutorial_qat_s0", "fp32"].note == "not on XNNPACK: QUANTIZE, DEQUANTIZE, CONV_2D, FULLY_CONNECTED"
    assert rows["tutorial_qat_s0", "int8"].note == ""


def test_every_timed_row_was_watched(smoke: Smoke) -> None:
    """In the order of the rows, with the machine's peak and what can be read of it."""
    run = reader.read(smoke.json)
    assert [(one.experiment, one.variant) for one in run.header.reference_times] == [
        (row.measured.experiment, row.measured.variant) for row in run.rows
    ]
    starts = [one.start_s for one in run.header.reference_times]
    assert starts == sorted(starts)
    environment = run.header.environment
    assert environment.cores == cores()
    assert set(environment.peak_macs_per_s) == {"int8", "float32"}
    assert set(environment.versions) == {"ai-edge-litert", "numpy", "pytest-benchmark"}
    assert all(set(built.info.versions) >= {"tensorflow", "tf-keras", "numpy"} for built in run.header.built)


def set_rounds(run_json: dict[str, Any], row: int, seconds: list[float]) -> None:
    """Give a row of a run these rounds, and the figures of them."""
    run_json["benchmarks"][row]["stats"] |= {
        "data": seconds,
        "rounds": len(seconds),
        "min": min(seconds),
        "max": max(seconds),
        "median": float(np.median(seconds)),
        "mean": float(np.mean(seconds)),
    }


STEADY, SLOW = 1e-5, 1.3e-5


@pytest.mark.parametrize(
    ("before_row", "changes", "drift", "spread", "disturbed"),
    [
        ([STEADY] * 5, {}, 0.0, 0.0, []),
        ([STEADY * (1 + step / 25) for step in range(5)], {}, 0.16 / 1.08, 0.08 / 1.08, []),  # ever slower
        ([STEADY, SLOW, STEADY, STEADY, STEADY], {}, 0.0, 0.0, []),  # the row waited until it was over
        ([STEADY] * 5, {"before_timing_s": SLOW}, 0.0, 0.0, ["int8"]),
        ([STEADY] * 5, {"after_timing_s": SLOW}, 0.0, 0.0, ["int8"]),
        ([STEADY] * 5, {"after_timing_s": 0.8 * STEADY}, 0.0, 0.0, []),  # faster is no disturbance
        ([STEADY] * 5, {"after_timing_s": 1.09 * STEADY}, 0.0, 0.0, []),
        ([*[SLOW] * 4, STEADY, STEADY], {"before_timing_s": SLOW}, None, 0.225 / 1.3, ["int8"]),  # slow for most of it
        ([STEADY, SLOW, STEADY, SLOW, SLOW], {}, None, 0.3 / 1.3, []),  # the machine has no usual state
    ],
)
def test_noise(
    run_json: dict[str, Any],
    write_run: Write,
    before_row: list[float],
    changes: dict[str, float],
    drift: float | None,
    spread: float,
    disturbed: list[str],
) -> None:
    """Drift and spread are of what came unchosen; a row is in doubt by what was right beside it."""
    reference_times = [
        watch(float(place), "conv_qat_s0", f"v{place}", before_row_s=time) for place, time in enumerate(before_row)
    ]
    for one, time in zip(reference_times, before_row, strict=True):
        one |= {"before_timing_s": min(before_row), "after_timing_s": min(before_row), "before_row_s": time}
    reference_times[1] |= {"variant": "int8"} | changes
    run_json["optsuite"]["reference_times"] = reference_times
    set_rounds(run_json, 3, [1e-6] * 100)
    found = steadiness(reader.read(write_run(run_json)))
    assert found is not None
    assert found.spread == pytest.approx(spread)
    assert [variant for _, variant in found.unstable] == disturbed
    if drift is not None:
        assert found.drift == pytest.approx(drift)
    assert found.too_unsteady is None
    longer = replace(found, rows=8)
    assert longer.too_unsteady == (spread > 0.1 or abs(found.drift) > 0.1)
    assert replace(longer, unstable=longer.unstable * 9).too_unsteady == bool(longer.too_unsteady or longer.unstable)


def test_a_row_whose_halves_differ_is_in_doubt(run_json: dict[str, Any], write_run: Write) -> None:
    """The machine changed while it was timed, and was as before when the reference was timed again."""
    run_json["optsuite"]["reference_times"] = [
        watch(0.0, "conv_baseline_s0", "int8"),
        watch(1.0, "conv_qat_s0", "int8"),
    ]
    set_rounds(run_json, 1, [1e-6] * 40 + [1.5e-6] * 60)
    set_rounds(run_json, 3, [1e-6] * 60 + [1.5e-6] * 10 + [1e-6] * 30)
    found = steadiness(reader.read(write_run(run_json)))
    assert found is not None
    assert found.unstable == (("conv_baseline_s0", "int8"),)


def test_nothing_watched_is_no_judgement(run_json: dict[str, Any], write_run: Write) -> None:
    """An older or a user's own way of timing says nothing about the machine."""
    run_json["optsuite"]["reference_times"] = []
    assert steadiness(reader.read(write_run(run_json))) is None


@pytest.mark.parametrize(
    ("ours_us", "runtime_us", "agree"),
    [
        (10.5, 12.0, True),
        (10.79, 12.0, True),  # 0.29 us apart
        (11.01, 12.0, False),  # 0.51, more than 5 % of 10
        (10.99, 12.0, True),  # 0.49, less
        (10.01, 12.0, True),
        (9.99, 12.0, False),  # faster by too much is no agreement either
        (2.8, 4.0, True),  # 0.3 us of 2
        (2.81, 4.0, False),
        (102.1, 102.0, False),  # well within 5 %, and yet the slower one
    ],
)
def test_agreement(ours_us: float, runtime_us: float, agree: bool) -> None:
    """Within 5 % or 0.3 us, whichever is more, without the floors; with them, ours is not the slower one."""
    # In the second turn something disturbed one path, in the third the machine was slower for each by the same.
    ours, runtime = (
        (value * 1e-6, value * 1e-6 + disturbed, value * 1e-6 + 1e-6)
        for value, disturbed in ((ours_us, 0.0), (runtime_us + 1e-3, -3e-6))
    )
    floors = {"interpreter_overhead": (0.5e-6, 0.5e-6, 1.5e-6), "compiled_model_overhead": (2e-6, 2e-6, 3e-6)}
    assert Paths(file="a", interpreter=ours, compiled_model=runtime, **floors).agree == agree


def test_what_tries_count() -> None:
    """Within 0.02 of 1 by value, found by the interval."""
    values = [(1.0, 0.99, 1.01), (1.019, 1.01, 1.03), (0.97, 0.96, 0.98), (1.05, 0.99, 1.1)]
    tries = Tries(files=("a",), macs_ratio=1.05, ratios=tuple(Ratio(value=v, low=a, high=z) for v, a, z in values))
    assert (tries.within, tries.found, tries.excluded) == (2, 1, 2)


def test_a_calibration_is_made_and_read(
    smoke: Smoke, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """The command's own way on real files, shortened; LiteRT's chatter stays away."""
    monkeypatch.setattr(command, "_ROUNDS", 20)
    few = ("--tries", "2", "--cache", str(smoke.cache))
    assert command.main([str(smoke.json), str(tmp_path / "calibration.json"), *few]) == 0
    found = calibration.read(tmp_path / "calibration.json")
    assert [paths.file for paths in found.paths] == [
        f"tutorial_baseline_s0 {variant}" for variant in ("fp32", "dynamic", "int8")
    ]
    assert len(found.paths[0].interpreter) == len(found.paths[0].compiled_model_overhead) == 2
    assert len(found.same.ratios) == len(found.wider.ratios) == 2
    assert found.wider.macs_ratio == 1.05
    assert "NPU" not in capfd.readouterr().err


def test_a_calibration_needs_the_files(smoke: Smoke, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """An empty store: one line, exit 2, no output."""
    out = tmp_path / "calibration.json"
    assert command.main([str(smoke.json), str(out), "--cache", str(tmp_path / "cache")]) == 2
    assert "tutorial_baseline_s0 fp32 as it was measured is not in" in capsys.readouterr().err
    assert not out.exists()


@pytest.mark.parametrize("content", [b"", b"[]", b"{}", b"\xff"])
def test_what_is_no_calibration(tmp_path: Path, content: bytes) -> None:
    """One line that names the file."""
    path = tmp_path / "calibration.json"
    path.write_bytes(content)
    with pytest.raises(OptsuiteError, match="not the JSON of a calibration"):
        calibration.read(path)
