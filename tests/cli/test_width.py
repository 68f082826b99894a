"""What the commands print fits a terminal of 100 columns."""

from __future__ import annotations

import json
import shutil
from pathlib import Path, PurePath
from typing import Any

import pytest
from runs import ROOT

from optsuite import probe_models
from optsuite.__main__ import main
from optsuite.judge.verdict import Verdict
from optsuite.store.store import Store
from optsuite.terminal import WIDTH, table, wrapped

LONG = "tutorial_prune-0.8_cluster-8_pcqat_s0"
"""The longest name of an experiment in the committed run."""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working folder: the committed run, one that is worse, a history of both, two .tflite files, and a store."""
    monkeypatch.chdir(tmp_path)
    shutil.copy(ROOT / "reports/mnist/run.json", "run.json")
    content: dict[str, Any] = json.loads(Path("run.json").read_text())
    content["datetime"] = "2030-01-01T00:00:00.123456+00:00"
    for one in content["benchmarks"]:
        one["extra_info"]["optsuite"]["bytes"] *= 2
        one["extra_info"]["optsuite"]["sha256"] = f"another than {one['extra_info']['optsuite']['sha256']}"
    Path("worse.json").write_text(json.dumps(content))
    Path("history").mkdir()
    for name in ("run.json", "worse.json"):
        shutil.copy(name, Path("history", name))
    for name in (LONG, "other"):
        Path(f"{name}.tflite").write_bytes(probe_models.matrix_product(batch=1, inputs=4, outputs=4, dtype="float32"))
    store = Store(Path("store"), pytest.fail)
    store.put("0" * 64, {"model.tflite": b"0" * 1_000_000})
    store.point(PurePath("full", "mnist", LONG, "int16x8"), "0" * 64)
    return tmp_path


@pytest.mark.parametrize(
    ("command", "said"),
    [
        pytest.param("report run.json --out out", "median_us", marks=pytest.mark.slow),  # figures take their time
        ("recommend run.json", "best in"),
        ("recommend run.json --all --prefer balanced", f"{LONG} dynamic"),
        ("recommend run.json --max-size 10KB --max-latency 30us --min-accuracy 0.98 --limit macs=500000", "macs"),
        ("recommend run.json --max-size 1KB --max-latency 1us", "Nearest"),
        ("recommend run.json --target tflm --all", "arena"),
        ("recommend run.json --target ethos-u85-256 --all", "sram"),
        ("recommend run.json --target ethos-u55-128 --limit tflm_arena_bytes=1000 --max-flash 1KB", "Nearest"),
        ("compare run.json worse.json", "tolerances: "),
        ("history history --out out", "hypervolume"),
        ("spread run.json", LONG.removesuffix("_s0")),
        (f"measure {LONG}.tflite other.tflite --targets none", "gzipped"),
        (f"ab {LONG}.tflite other.tflite", "of the first"),
        ("store ls --cache store", "1000"),
    ],
)
@pytest.mark.usefixtures("folder")
def test_lines_are_not_too_long(command: str, said: str, capfd: pytest.CaptureFixture[str]) -> None:
    """Of no command; but each verdict is one line, whatever its length, which CI can look for."""
    assert main(command.split()) in (0, 1)
    printed = capfd.readouterr().out
    assert said in printed
    verdicts = tuple(f"{verdict} " for verdict in Verdict)
    assert [line for line in printed.splitlines() if len(line) > WIDTH and not line.startswith(verdicts)] == []


def test_a_name_that_is_too_long_has_its_own_line() -> None:
    """Once for all of its rows; the others stay beside their cells. Nothing in a name controls the terminal."""
    short, long = "a\x1b[1m\nb", "x" * 90
    rows = [{"name": short, "size": "1 KB"}, *({"name": long, "size": f"{size} bytes"} for size in (10, 200))]
    assert table(rows, indent=2) == "\n".join(
        ["  name     size", "  a [1m b  1 KB", f"  {long}", f"{11 * ' '}10 bytes", f"{11 * ' '}200 bytes"]
    )


def test_lines_are_wrapped_between_words() -> None:
    """What is left of one goes on below it; paths stay whole."""
    path = "/" + 120 * "x"
    words = " ".join(["word"] * 30)
    expected = f"  {' '.join(['word'] * 19)}\n    {' '.join(['word'] * 11)}\n\n  {path}"
    assert wrapped(f"{words}\n\n{path}", indent=2, hanging=2) == expected
