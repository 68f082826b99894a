"""Side by side: the order of turns, and what is made of the times. Nothing here is timed."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from runs import Smoke

from optsuite.__main__ import main
from optsuite.litert import Call
from optsuite.measure import side_by_side
from optsuite.results import timing


def test_every_session_makes_all_anew() -> None:
    """Each once a session, in an order that changes; a time for each, session and cycle."""
    made: list[str] = []

    def maker(name: str) -> Callable[[], Call]:
        def make() -> Call:
            made.append(name)
            return lambda: None

        return make

    times = side_by_side.interleaved([maker(name) for name in "abc"], sessions=8, cycles=2)
    assert times.shape == (3, 8, 2)
    assert (times > 0).all()
    sessions = ["".join(made[start : start + 3]) for start in range(0, 24, 3)]
    assert all(sorted(one) == ["a", "b", "c"] for one in sessions)
    assert len(set(sessions)) > 1


def test_ratio_of_a_known_difference() -> None:
    """Slow sessions cancel out, slow blocks don't count, and of the 95 % intervals about so many hold the truth."""
    rng = np.random.default_rng(0)
    right = 0
    for _ in range(100):
        weather = rng.lognormal(0, 0.3, (40, 1))
        times = 1e-5 * weather * rng.lognormal(0, 0.02, (2, 40, 12))
        times[rng.random(times.shape) < 0.1] *= 10
        found = side_by_side.ratio(times[0], 1.05 * times[1])
        assert found.value == pytest.approx(1.05, rel=0.01)
        assert found.high - found.low < 0.02
        right += found.low < 1.05 < found.high
    assert 90 <= right <= 99


def test_ratio_of_the_same_times() -> None:
    """Exactly one, without an interval to draw."""
    times = np.random.default_rng(0).random((4, 3)) + 1
    assert side_by_side.ratio(times, times) == timing.Ratio(value=1.0, low=1.0, high=1.0)


def test_files_are_compared(smoke: Smoke, capsys: pytest.CaptureFixture[str]) -> None:
    """The real command on real files: a row each, the first being what the others are compared with."""
    files = sorted(str(path) for path in smoke.cache.rglob("model.tflite"))[:3]
    assert main(["ab", *files]) == 0
    headings, first, *others = capsys.readouterr().out.replace("\n  ", "  ").splitlines()  # a long path has its line
    assert headings.split() == ["file", "median", "of", "the", "first"]
    assert re.fullmatch(rf"{re.escape(files[0])} +[\d.]+ µs +1", first)
    for path, line in zip(files[1:], others, strict=True):
        assert re.fullmatch(rf"{re.escape(path)} +[\d.]+ µs +[\d.]+ \[[\d.]+, [\d.]+\]", line)


def test_what_can_not_be_compared(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """One file; a file that is not there; a file that is no model: one line, exit 2."""
    (tmp_path / "no model").write_bytes(b"nothing")
    for files, said in (
        (["a"], "expected two or more files to compare, got one: a"),
        (["a", "b"], "a: No such file"),
        ([str(tmp_path / "no model")] * 2, "LiteRT can't run this model"),
    ):
        assert main(["ab", *files]) == 2
        assert said in capsys.readouterr().err
