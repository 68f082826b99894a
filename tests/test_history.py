"""Runs over commits: the figures, the marks, the change point."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from runs import answers

from optsuite import history
from optsuite.__main__ import main
from optsuite.config import Tolerances

COUNT = 10_000


@pytest.fixture
def folder(run_json: dict[str, Any], tmp_path: Path) -> Path:
    """Ten runs, kept as pytest-benchmark keeps them; from the seventh on conv_qat int8 answers 50 images wrong."""
    run_json["benchmarks"].pop()
    for one in run_json["benchmarks"]:
        one["extra_info"]["optsuite"] |= {"test": answers(COUNT, wrong=range(20))}
    kept = tmp_path / "history" / "Linux-CPython-3.11-64bit"
    kept.mkdir(parents=True)
    for number in range(10):
        run = copy.deepcopy(run_json)
        for one in run["benchmarks"]:
            one["stats"]["data"] = []  # --benchmark-autosave leaves them out
        if number >= 6:
            for one in (run["benchmarks"][1], run["benchmarks"][3]):
                one["extra_info"]["optsuite"] |= {"sha256": "others", "test": answers(COUNT, wrong=range(70))}
        run["datetime"] = f"2026-01-{number + 1:02}T00:00:00+00:00"
        run["commit_info"] = {"id": f"{number:x}" * 16, "dirty": False}
        (kept / f"{number:04}_commit.json").write_text(json.dumps(run))
    return tmp_path / "history"


def test_a_history(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The command's own tables and figure: the commit that made it worse is marked, and is where the series changed."""
    out = tmp_path / "out"
    assert main(["history", str(folder), "--out", str(out)]) == 0
    table = pd.read_csv(out / "history.csv")
    assert list(table["accuracy"]) == [0.998] * 6 + [0.993] * 4
    assert list(table["regressed"]) == [0] * 6 + [2] + [0] * 3
    assert (table["bytes"] == 2000).all()
    assert table["latency_us"].tolist() == pytest.approx([20.2] * 10)
    assert table["hypervolume"].iloc[0] > table["hypervolume"].iloc[-1] > 0
    text = (out / "history.md").read_text()
    assert "- conv, best int8 accuracy: 0.998 -> 0.993 since 666666666666 (2026-01-07) (p 0.0" in text
    assert "- 666666666666 (2026-01-07): conv_qat int8 accuracy: REGRESSED, 0.9980 -> 0.9930" in text
    assert "![history_conv.png](history_conv.png)" in text
    assert sorted(path.name for path in out.iterdir()) == ["history.csv", "history.md", "history_conv.png"]
    assert "| conv" in capsys.readouterr().out


def test_what_is_left_out_is_said(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A file of another tool, of another profile: the rest is a history all the same."""
    (folder / "theirs.json").write_text("{}")
    first = next(folder.rglob("0000_commit.json"))
    first.write_text(first.read_text().replace('"profile": "full"', '"profile": "smoke"'))
    assert main(["history", str(folder), "--out", str(tmp_path / "out")]) == 0
    said = capsys.readouterr().err
    assert "left out: " in said
    assert "theirs.json: not the JSON of an optsuite run" in said
    assert "2026-01-01T00:00:00+00:00: profile smoke" in said
    assert len(pd.read_csv(tmp_path / "out" / "history.csv")) == 9


def test_nothing_to_follow(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """An empty folder: exit 2 and one line."""
    assert main(["history", str(tmp_path), "--out", str(tmp_path / "out")]) == 2
    assert "no .json file; accepted is a folder that --benchmark-storage" in capsys.readouterr().err


def test_a_single_run(folder: Path, tmp_path: Path) -> None:
    """Nothing to compare with, nothing that changed."""
    for path in list(folder.rglob("*.json"))[1:]:
        path.unlink()
    runs, _ = history.load(folder)
    assert history.regressions(runs, Tolerances()) == {}
    assert main(["history", str(folder), "--out", str(tmp_path / "out")]) == 0
    assert "No series changed" in (tmp_path / "out" / "history.md").read_text()


@pytest.mark.parametrize(
    ("values", "place"),
    [
        ([1.0] * 10, None),
        ([1.0], None),
        ([], None),
        ([None, None, None], None),
        ([1.0, 2.0], None),  # half of all shuffles do as well
        ([1.0] * 5 + [2.0] * 5, 5),
        ([1.0] * 9 + [2.0], None),  # one odd value in ten comes first or last in a fifth of all shuffles
        ([None, *[1.0] * 5, None, *[2.0] * 5], 7),
    ],
)
def test_change_point(values: list[float | None], place: int | None) -> None:
    """The first run after it; runs without a value don't count."""
    found = history.change_point(values)
    assert (found and found.run) == place
    if found:
        assert (found.before, found.after) == (1.0, 2.0)


def test_noise_has_no_change_point() -> None:
    """At p 0.05, in about one series of twenty; a shift of five standard deviations is found at its place."""
    rng = np.random.default_rng(0)
    assert sum(history.change_point(rng.normal(size=20).tolist()) is not None for _ in range(100)) <= 12
    shifted = rng.normal(size=20) + 5 * (np.arange(20) >= 12)
    found = history.change_point(shifted.tolist())
    assert found is not None
    assert found.run == 12
