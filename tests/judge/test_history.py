"""Runs over commits: the figures, the marks, the change point."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from runs import answering

from optsuite.__main__ import main
from optsuite.config import Tolerances
from optsuite.judge import history
from optsuite.judge.history import hypervolumes
from optsuite.results import reader

COUNT = 10_000


@pytest.fixture
def folder(run_json: dict[str, Any], tmp_path: Path) -> Path:
    """Ten runs, kept as pytest-benchmark keeps them; from the seventh on conv_qat int8 answers 50 images wrong."""
    run_json["benchmarks"].pop()
    run_json["optsuite"]["datasets"][0]["labels"] = [0] * COUNT
    for one in run_json["benchmarks"]:
        one["extra_info"]["optsuite"] |= answering(COUNT, range(20))
    kept = tmp_path / "history" / "Linux-CPython-3.11-64bit"
    kept.mkdir(parents=True)
    for number in range(10):
        run = copy.deepcopy(run_json)
        for one in run["benchmarks"]:
            one["stats"]["data"] = []  # --benchmark-autosave leaves them out
        if number >= 6:
            for one in (run["benchmarks"][1], run["benchmarks"][3]):
                one["extra_info"]["optsuite"] |= {"sha256": "others", **answering(COUNT, range(70))}
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
    assert capsys.readouterr().out.startswith("model  date                 commit        hypervolume  accuracy  bytes")


def test_what_is_exact_is_followed_over_machines(folder: Path, tmp_path: Path) -> None:
    """Accuracy, sizes and what files use on a target; times are those of the newest run's machine alone."""
    declared = {"name": "npu_flash", "label": "flash of the NPU", "unit": "bytes", "better": "lower"}
    for number, path in enumerate(sorted(folder.rglob("*.json"))):
        run = json.loads(path.read_text())
        if number < 4:
            run["machine_info"]["cpu"]["brand_raw"] = "Another CPU"
        run["optsuite"]["figures"].append({**declared, "resource": "flash"})
        run["optsuite"]["examinations"] = [
            {"name": "npu", "figures": ["npu_flash"], "tools": {"compiler": "1"}, "target": "npu"}
        ]
        run["benchmarks"][3]["extra_info"]["optsuite"]["figures"] = {"npu_flash": 900 + 100 * (number >= 5)}
        path.write_text(json.dumps(run))
    assert main(["history", str(folder), "--out", str(tmp_path / "out")]) == 0
    table = pd.read_csv(tmp_path / "out" / "history.csv")
    assert table["npu_flash"].tolist() == [900] * 5 + [1000] * 5
    assert table["accuracy"].notna().all()
    for name in ("latency_us", "hypervolume"):
        assert table[name].isna().tolist() == [True] * 4 + [False] * 6
    text = (tmp_path / "out" / "history.md").read_text()
    assert "- conv, least flash of the NPU: 900 -> 1000 since 555555555555 (2026-01-06) (p 0.0" in text


def test_what_is_left_out_is_said(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A file of another tool, of another profile: the rest is a history all the same."""
    (folder / "theirs.json").write_text("{}")
    first = next(folder.rglob("0000_commit.json"))
    first.write_text(first.read_text().replace('"profile": "full"', '"profile": "smoke"'))
    assert main(["history", str(folder), "--out", str(tmp_path / "out")]) == 0
    said = capsys.readouterr().err
    assert "left out: " in said
    assert "theirs.json: not the JSON of an optsuite run" in said
    assert "2026-01-01T00:00:00+00:00: smoke, mnist, accuracy; not full, mnist, accuracy" in said
    assert len(pd.read_csv(tmp_path / "out" / "history.csv")) == 9


def test_nothing_to_follow(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """An empty folder: exit 2 and one line."""
    assert main(["history", str(tmp_path), "--out", str(tmp_path / "out")]) == 2
    assert "no .json file; expected a folder that --benchmark-storage" in capsys.readouterr().err


def test_a_single_run(folder: Path, tmp_path: Path) -> None:
    """Nothing to compare with, nothing that changed."""
    for path in list(folder.rglob("*.json"))[1:]:
        path.unlink()
    runs, _ = history.load(folder)
    assert history.regressions(runs, Tolerances()) == {}
    assert main(["history", str(folder), "--out", str(tmp_path / "out")]) == 0
    assert "No series changed" in (tmp_path / "out" / "history.md").read_text()


def test_a_run_of_less_in_between(folder: Path) -> None:
    """A regression is found where its row was measured next; a run that has nothing in common stops nothing."""
    paths = sorted(folder.rglob("*.json"))
    narrowed = json.loads(paths[6].read_text())
    narrowed["optsuite"]["requested"]["recipes"] = ["baseline"]
    narrowed["benchmarks"] = [one for one in narrowed["benchmarks"] if "qat" not in one["name"]]
    paths[6].write_text(json.dumps(narrowed))
    nothing = json.loads(paths[3].read_text())
    nothing["optsuite"]["requested"]["models"] = ["tutorial"]
    nothing["benchmarks"] = []
    paths[3].write_text(json.dumps(nothing))
    runs, left_out = history.load(folder)
    assert left_out == []
    found = history.regressions(runs, Tolerances())
    assert {run: [one.experiment for one in failed] for run, failed in found.items()} == {
        6: ["conv_baseline"],
        7: ["conv_qat"],
    }
    assert history.points(runs)[3].values == {}


@pytest.mark.parametrize(
    ("values", "place", "p"),
    [
        ([1.0] * 10, None, None),
        ([1.0], None, None),
        ([], None, None),
        ([1.0, 2.0], 1, 1.0),  # all shuffles do as well
        ([1.0] * 5 + [2.0] * 5, 5, 2 / 252),
        ([1.0] * 9 + [2.0], 9, 0.2),  # one odd value in ten comes first or last in a fifth of all shuffles
    ],
)
def test_change_point(values: list[float], place: int | None, p: float | None) -> None:
    """The first run after it, and the share of shuffles that do as well."""
    found = history.change_point(dict(enumerate(values)))
    assert (found and found.run) == place
    if found:
        assert (found.before, found.after) == (1.0, 2.0)
        assert found.p == pytest.approx(p, abs=0.01)


def test_changes_name_the_run_and_are_corrected() -> None:
    """A model that came later, and runs without an int8 file; of many series that are noise, hardly any changed."""
    rng = np.random.default_rng(0)

    def point(run: int, model: str, accuracy: float | None) -> history.Point:
        values = {"bytes": 1} if accuracy is None else {"bytes": 1, "accuracy": accuracy}
        return history.Point(run=run, model=model, values=values)

    late = [point(run, "late", None if run == 6 else 0.9 + 0.05 * (run >= 15)) for run in range(4, 25)]
    noisy = [point(run, f"noise {model}", rng.normal()) for model in range(20) for run in range(25)]
    step = [point(run, "step", 0.98 - 0.005 * (run >= 6)) for run in range(10)]
    found = history.changes([*late, *noisy, *step])
    assert set(found) == {("late", "accuracy"), ("step", "accuracy")}
    assert found["step", "accuracy"].run == 6
    assert found["late", "accuracy"].run == 15


def test_a_run_has_one_hypervolume(run_json: dict[str, Any], write_run: Callable[[Any], Path]) -> None:
    """Its box ends at the baseline's fp32 file: what costs more counts for nothing, and without that file is none."""
    run = reader.read(write_run(run_json))
    volume = hypervolumes(run, run.rows)["conv"]
    assert 0 < volume < 1
    assert hypervolumes(run, run.rows[1:]) == {}
    costlier = replace(run.rows[1], measured=replace(run.rows[1].measured, bytes=10**9))
    assert hypervolumes(run, [*run.rows, costlier])["conv"] == volume
