"""Answers, bits and integer inputs; no TensorFlow needed."""

from __future__ import annotations

import gc
import signal
import subprocess
import sys
from contextlib import nullcontext

import numpy as np
import pytest

from optsuite import litert
from optsuite.errors import OptsuiteError
from optsuite.examine.accuracy import mistakes, not_finite
from optsuite.examine.size import gzip_bytes
from optsuite.litert import LiteRTRunner, no_garbage_collection
from optsuite.results.answers import Answers
from optsuite.spec.metric import ACCURACY


class Doubler:
    """A runner that answers twice its input, and remembers the order of its calls."""

    def __init__(self) -> None:
        self.calls: list[str] = []

    def prepare(self, x: np.ndarray) -> np.ndarray:
        return x

    def set(self, x: np.ndarray) -> None:
        self.calls.append("set")
        self.x = x

    def invoke(self) -> None:
        self.calls.append("invoke")

    def get(self) -> np.ndarray:
        self.calls.append("get")
        doubled: np.ndarray = self.x * 2
        return doubled

    def interpret(self, raw: np.ndarray) -> np.ndarray:
        return raw


def test_answers_are_asked_one_at_a_time() -> None:
    """Set, invoke, get for each input, in order."""
    runner, x = Doubler(), np.arange(6, dtype=np.float32).reshape(3, 2)
    np.testing.assert_array_equal(litert.outputs(runner, x), x * 2)
    assert runner.calls == ["set", "invoke", "get"] * 3


@pytest.mark.parametrize(("inputs", "timed"), [(3, 3), (1_000, 1_000), (2_500, 1_000)])
def test_the_total_time_is_that_of_the_first_thousand(monkeypatch: pytest.MonkeyPatch, inputs: int, timed: int) -> None:
    """They are timed, and their time is multiplied by the number of inputs over theirs."""
    runner = Doubler()
    monkeypatch.setattr("time.perf_counter", lambda: 0.5 * runner.calls.count("invoke"))
    assert litert.total_time_s(runner, np.zeros((inputs, 2), np.float32)) == pytest.approx(0.5 * inputs)
    assert runner.calls == ["set", "invoke", "get"] * timed


@pytest.mark.parametrize("enabled", [True, False])
def test_the_garbage_collector_is_left_as_it_was(enabled: bool) -> None:
    """It is off while calls are timed, whatever happens to them."""
    was = gc.isenabled()
    (gc.enable if enabled else gc.disable)()
    try:
        for divisor, outcome in ((1, nullcontext()), (0, pytest.raises(ZeroDivisionError))):
            with outcome, no_garbage_collection():
                assert not gc.isenabled()
                assert 1 / divisor
            assert gc.isenabled() == enabled
    finally:
        (gc.enable if was else gc.disable)()


def test_a_process_that_a_file_keeps_busy_is_ended() -> None:
    """Nothing else ends a call into C++; one that returns in time is let alone."""
    code = "import time; from optsuite.litert import or_end\nwith or_end(1): {}\ntime.sleep(1.5); print('went on')"
    busy, good = (
        subprocess.run([sys.executable, "-c", code.format(inside)], capture_output=True, text=True, check=False)
        for inside in ("time.sleep(600)", "pass")
    )
    assert (busy.returncode, good.returncode) == (-signal.SIGALRM, 0)
    assert good.stdout == "went on\n"


@pytest.mark.parametrize(
    ("outputs", "right"),
    [
        ([[0.1, 0.9], [0.9, 0.1]], [True, False]),
        ([[0.5, 0.5], [0.5, 0.5]], [False, False]),  # a tie is the first, 0; both labels are 1
        ([[np.nan, 1.0], [1.0, np.nan]], [False, False]),  # numpy takes NaN for the largest
        ([[-np.inf, 1.0], [0.0, 1.0]], [False, True]),
    ],
)
def test_correct(outputs: list[list[float]], right: list[bool]) -> None:
    """The largest output is the answer; ties go to the first, as they do on a device."""
    scores = ACCURACY.scores(np.array(outputs), np.array([1, 1]))
    assert scores.tolist() == right
    assert len(mistakes(np.array(outputs), Answers.of(scores))) == right.count(False)


def test_answers_that_are_no_numbers_are_noted() -> None:
    """A model that has diverged says so in its line."""
    assert not_finite(np.array([[np.nan, 1.0], [1.0, np.inf], [0.0, 1.0]])) == "2 of 3 answers are not finite"
    assert not_finite(np.zeros((2, 2))) == ""


@pytest.mark.parametrize("count", [1, 7, 8, 9, 10_000])
def test_bits_survive_the_json(count: int) -> None:
    """Packed and back."""
    right = np.random.default_rng(count).random(count) < 0.5
    np.testing.assert_array_equal(Answers.of(right).correct(), right)


def test_bits_of_another_length_are_refused() -> None:
    """They would be compared with the wrong images."""
    with pytest.raises(OptsuiteError, match="expected 2 bytes of scores for 9 images, got 1"):
        Answers(accuracy=1.0, count=9, bits=Answers.of(np.ones(8, bool)).bits).correct()


def _integer_runner(dtype: type, scale: float, zero_point: int) -> LiteRTRunner:
    runner = object.__new__(LiteRTRunner)
    details = {"dtype": dtype, "quantization": (scale, zero_point), "index": 0}
    runner._input = runner._output = details
    return runner


@pytest.mark.parametrize(
    ("dtype", "scale", "zero_point", "x", "expected"),
    [
        (np.int8, 1 / 255, -128, [0.0, 0.502, 1.0], [-128, 0, 127]),
        (np.uint8, 1 / 255, 0, [0.0, 0.499, 1.0], [0, 127, 255]),
        (np.int8, 0.1, 0, [0.16, -0.16, 99.0, -99.0], [2, -2, 127, -128]),  # rounded, not truncated; clipped
        (np.int16, 1 / 32767, 0, [0.0, 1.0], [0, 32767]),
        (np.float32, 0.0, 0, [0.25], [0.25]),
        (np.uint8, 0.0, 0, [0.0, 255.0], [0, 255]),  # no scale: raw pixels
        (np.int32, 0.0, 0, [70_000.0], [70_000]),  # or tokens
    ],
)
def test_integer_inputs(dtype: type, scale: float, zero_point: int, x: list[float], expected: list[float]) -> None:
    """round(x / scale) + zero point, then clip."""
    prepared = _integer_runner(dtype, scale, zero_point).prepare(np.array(x, np.float32))
    assert prepared.dtype == dtype
    assert prepared.tolist() == pytest.approx(expected)


@pytest.mark.parametrize("x", [[0.5], [-1.0], [256.0]])
def test_what_an_integer_without_a_scale_can_not_hold(x: list[float]) -> None:
    """Divided by a scale of 0 it would be some number."""
    with pytest.raises(OptsuiteError, match=r"uint8 without a scale: expected whole numbers from 0 to 255, as float"):
        _integer_runner(np.uint8, 0.0, 0).prepare(np.array(x, np.float32))


def test_an_integer_answer_without_a_scale_is_as_it_is() -> None:
    """Times 0 all answers would be the same."""
    assert _integer_runner(np.int32, 0.0, 0).interpret(np.array([[3, 7]], np.int32)).tolist() == [[3.0, 7.0]]


def test_integer_outputs_become_numbers() -> None:
    """(raw - zero point) x scale, without overflow in eight bits."""
    answers = _integer_runner(np.int8, 0.5, 100).interpret(np.array([[-128, 100, 127]], np.int8))
    assert answers.tolist() == [[-114.0, 0.0, 13.5]]


def test_what_is_not_a_model_is_one_clear_error() -> None:
    """LiteRT's own words, under ours."""
    with pytest.raises(OptsuiteError, match="LiteRT can't run this model"):
        LiteRTRunner(b"not a flatbuffer")


def test_gzip_has_no_time_in_it() -> None:
    """The same content always weighs the same, and a header of fixed length makes it comparable."""
    assert gzip_bytes(b"\0" * 10_000) < 60
    assert gzip_bytes(b"abc") == gzip_bytes(b"abc")
