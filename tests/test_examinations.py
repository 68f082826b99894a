"""The examination of docs/how-to/own-examination.md: it is everywhere that figures are shown, judged or limited."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from runs import ROOT, SMOKE, Smoke, run_pytest

from optsuite.__main__ import main
from optsuite.results import reader

pytestmark = pytest.mark.slow

(CATALOG,) = re.findall(
    r"^```python\n(.*?)^```$", (ROOT / "docs/how-to/own-examination.md").read_text(), re.MULTILINE | re.DOTALL
)
"""The catalogue file that docs/how-to/own-examination.md shows."""
VARIANTS = {"fp32", "fp16", "dynamic", "int8", "uint8", "int16x8", "int4"}


@pytest.fixture(scope="module")
def run(smoke: Smoke, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The JSON of a run with that catalogue, on models that were built without it."""
    folder = tmp_path_factory.mktemp("examined")
    (folder / "kernel_count.py").write_text(CATALOG)
    done = run_pytest(
        *SMOKE,
        "--optsuite-recipes=baseline,qat",
        "--optsuite-targets=none",
        f"--optsuite-variants={','.join(['keras', *sorted(VARIANTS)])}",  # mixed may be the same file as int4
        f"--optsuite-catalog={folder / 'kernel_count.py'}",
        f"--optsuite-cache={shutil.copytree(smoke.cache, folder / 'cache')}",  # others read it
        f"--benchmark-json={folder / 'run.json'}",
    )
    assert done.returncode == 0, done.stdout
    # Nothing is built, and of the files only what no run had found before.
    assert "optsuite: building " not in done.stdout.replace("building took", "")
    assert "optsuite: examining 12 steps" in done.stdout
    return folder / "run.json"


def test_it_is_in_the_json(run: Path) -> None:
    """Declared once, found of every file but the one that it refuses, which says so; Keras models have none."""
    found = reader.read(run)
    declared = found.header.figures[-1]
    assert (declared.name, declared.better, declared.tolerance) == ("kernel_count", "lower", 0.1)
    for row in found.rows:
        measured = row.measured
        refused = measured.variant == "keras" or (measured.experiment, measured.variant) == (
            "tutorial_baseline_s0",
            "fp16",
        )
        assert measured.figures == ({} if refused else {"kernel_count": 2})
    (reason,) = (row.measured.unexamined for row in found.rows if row.measured.unexamined)
    assert reason == {"kernel-count": "expected no float16"}


def test_it_is_in_the_report(run: Path, tmp_path: Path) -> None:
    """A column of results.csv for each variant, a table, and an axis and a column of the page."""
    assert main(["report", str(run), "--out", str(tmp_path)]) == 0
    table = pd.read_csv(tmp_path / "results.csv").set_index("exp_id")
    assert table["tflite_int8_kernel_count"].tolist() == [2, 2]
    assert table["tflite_fp16_kernel_count"].isna().tolist() == [True, False]
    examined = pd.read_csv(tmp_path / "examined.csv")
    assert set(examined["variant"]) == VARIANTS
    text = (tmp_path / "report.md").read_text()
    assert "## Examinations" in text
    assert "### kernel-count\n\nBy optsuite." in text
    page = (tmp_path / "report.html").read_text()
    data = json.loads(re.findall(r'<script type="application/json" id="data">(.*?)</script>', page, re.DOTALL)[0])
    metric = data["metrics"][-1]
    assert metric["label"] == "operators with a kernel"
    assert {row[metric["key"]] for row in data["rows"] if row["variant"] == "int8"} == {2}
    assert '"label": "operators with a kernel"' in page


def test_it_is_judged(
    run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """By the tolerance of its declaration, or by that of pyproject.toml."""
    content: dict[str, Any] = json.loads(run.read_text())
    for one in content["benchmarks"]:
        if one["params"] == {"experiment": "tutorial_qat_s0", "variant": "int8"}:
            one["extra_info"]["optsuite"]["figures"]["kernel_count"] = 3
    (tmp_path / "new.json").write_text(json.dumps(content))
    monkeypatch.chdir(tmp_path)
    assert main(["compare", str(run), "new.json"]) == 1
    shown = capsys.readouterr().out
    assert "REGRESSED  tutorial_qat int8 kernel_count: 2 -> 3, +50.0 %; tolerance 0.1" in shown
    assert "kernel_count 0.1 for *" in " ".join(shown.split())
    (tmp_path / "pyproject.toml").write_text('[tool.optsuite.tolerances]\nkernel_count = { "*_qat-int8" = 0.5 }\n')
    assert main(["compare", str(run), "new.json"]) == 0
    assert "kernel_count 0.1 for *, 0.5 for *_qat-int8" in " ".join(capsys.readouterr().out.split())
    (tmp_path / "pyproject.toml").write_text("[tool.optsuite.tolerances]\nkernels = {}\n")
    assert main(["compare", str(run), "new.json"]) == 2
    assert "expected some of accuracy, latency, size, kernel_count, " in capsys.readouterr().err


def test_it_is_a_gate(run: Path, tmp_path: Path) -> None:
    """`--optsuite-reference` has a test for it on each row."""
    content: dict[str, Any] = json.loads(run.read_text())
    for one in content["benchmarks"]:
        one["extra_info"]["optsuite"]["figures"] = {"kernel_count": 1}
    (tmp_path / "reference.json").write_text(json.dumps(content))
    done = run_pytest(
        *SMOKE,
        "--optsuite-recipes=baseline",
        "--optsuite-variants=int8",
        f"--optsuite-catalog={run.parent / 'kernel_count.py'}",
        f"--optsuite-cache={run.parent / 'cache'}",
        f"--optsuite-reference={tmp_path / 'reference.json'}",
        "-k=not_worse",
    )
    assert done.returncode == 1
    assert "tutorial_baseline_s0-int8-kernel_count  test_not_worse: REGRESSED: 1 -> 2, +100.0 %" in done.stdout
    assert " 1 failed" in done.stdout


def test_it_is_a_limit(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Of `recommend`; a file without the figure is not within it."""
    assert main(["recommend", str(run), "--limit", "kernel_count=2", "--all"]) == 0
    shown = capsys.readouterr().out
    assert "11 of 12 variants are within the limits: operators with a kernel at most 2." in shown
    assert "tutorial_baseline_s0 fp16: beyond the limit of kernel_count (no such figure)" in shown
    assert main(["recommend", str(run), "--limit", "kernel_count=1"]) == 1
