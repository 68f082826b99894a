"""The examinations of targets, by the real tools: TFLM's interpreter and Arm's Vela."""

from __future__ import annotations

import os
import re
import signal
import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import flatbuffers
import numpy as np
import pandas as pd
import pytest
from ai_edge_litert import schema_py_generated as schema
from catalogs import BUILTIN
from runs import ROOT, SMOKE, WITH_TFLM, Smoke, run_pytest

from optsuite.__main__ import main
from optsuite.catalog import user_file
from optsuite.catalog.catalog import Catalog
from optsuite.catalog.selection import select
from optsuite.catalog.targets import TARGETS
from optsuite.errors import OptsuiteError
from optsuite.examine import ethos_u
from optsuite.examine.ethos_u import EthosU
from optsuite.examine.examination import Examination, ExaminationTask
from optsuite.examine.printed import printed_by
from optsuite.examine.target import Target
from optsuite.probe_models import matrix_product
from optsuite.report import payoff
from optsuite.results import reader
from optsuite.results.figures import Figure
from optsuite.spec.data import Split
from optsuite.spec.metric import ACCURACY
from optsuite.stages.quantize import Quantize, quantized

needs_tflm = pytest.mark.skipif(not WITH_TFLM, reason="tflite-micro is not installed")
ARENA, ANSWERS = TARGETS["tflm"].examinations
(U55,), (U85,) = (TARGETS[name].examinations for name in ("ethos-u55-128", "ethos-u85-256"))


def _task(dtype: str, outputs: int = 3) -> ExaminationTask:
    """A matrix product, and random inputs."""
    rng = np.random.default_rng(0)
    test = Split(x=rng.random((50, 8), np.float32) / 8, y=rng.integers(0, 3, 50).astype(np.int32))
    content = matrix_product(batch=1, inputs=8, outputs=outputs, dtype=dtype)
    return ExaminationTask(content=content, metric=ACCURACY, splits={"test": test})


@needs_tflm
@pytest.mark.parametrize("dtype", ["float32", "int8"])
def test_the_arena_of_a_known_model(dtype: str) -> None:
    """The head holds the input and the output, each at an address that 16 divides; the sum is the whole."""
    found = ARENA.run(_task(dtype)).figures
    size = 1 if dtype == "int8" else 4
    assert found["tflm_head_bytes"] == sum(-(-values * size // 16) * 16 for values in (8, 3))
    assert found["tflm_arena_bytes"] == found["tflm_head_bytes"] + found["tflm_tail_bytes"]


@needs_tflm
def test_the_answers_are_those_of_litert_to_a_step() -> None:
    """A float has no steps to count."""
    found = ANSWERS.run(_task("float32")).figures
    assert found.keys() == {"tflm_accuracy", "tflm_changed", "tflm_difference"}
    assert found["tflm_difference"] < 1e-5
    found = ANSWERS.run(_task("int8")).figures
    assert 0 <= found["tflm_accuracy"] <= 1
    assert found["tflm_changed"] == 0
    assert found["tflm_steps"] <= 1


@needs_tflm
def test_answers_that_are_no_numbers_have_no_difference() -> None:
    """All other figures are there."""
    task = _task("float32")
    task.splits["test"].x[0] = np.inf
    assert ANSWERS.run(task).figures.keys() == {"tflm_accuracy", "tflm_changed"}


@needs_tflm
def test_what_tflm_can_not_run_says_why() -> None:
    """What it prints from C++ is the reason."""
    broken = bytearray(_task("int8").content)
    place = broken.index(b"TFL3") + 4
    task = replace(_task("int8"), content=bytes(broken[:place]) + bytes(len(broken) - place))
    with pytest.raises(OptsuiteError, match="TFLM can't run it: "):
        ARENA.run(task)


@needs_tflm
@pytest.mark.parametrize("examination", [ARENA, ANSWERS], ids=lambda one: one.name)
def test_what_fails_when_it_is_called_says_why(examination: Examination[Any]) -> None:
    """Floats to uint8: TFLM loads it, and fails at the first call. It was a failure of each run, without a reason."""
    model = schema.ModelT.InitFromPackedBuf(matrix_product(batch=1, inputs=8, outputs=8, dtype="float32"), 0)
    code = schema.BuiltinOperator.QUANTIZE
    model.operatorCodes = [schema.OperatorCodeT(builtinCode=code, deprecatedBuiltinCode=code)]
    (graph,) = model.subgraphs
    graph.operators = [schema.OperatorT(inputs=[0], outputs=[2])]
    graph.tensors[2].type = schema.TensorType.UINT8
    graph.tensors[2].quantization = schema.QuantizationParametersT(scale=[1 / 128], zeroPoint=[0])
    builder = flatbuffers.Builder()
    builder.Finish(model.Pack(builder), b"TFL3")
    with pytest.raises(OptsuiteError, match=r"TFLM can't run .*Input FLOAT32, output UINT8 not supported"):
        examination.run(replace(_task("float32"), content=bytes(builder.Output())))


def test_what_is_written_below_python_is_caught(capfd: pytest.CaptureFixture[str]) -> None:
    """As what Python prints; and the next line goes where it did before."""
    assert printed_by(lambda: os.write(2, b"from below\n")) == "from below\n"
    assert printed_by(lambda: print("from Python")) == "from Python\n"
    os.write(1, b"to where it went before\n")
    assert capfd.readouterr().out == "to where it went before\n"


@pytest.mark.parametrize("examination", [U55, U85], ids=lambda one: one.name)
def test_the_figures_of_an_npu(examination: Examination[Any]) -> None:
    """All that are declared; more weights are more flash and more cycles."""
    small, large = (examination.run(_task("int8", outputs)).figures for outputs in (3, 300))
    assert set(small) == {figure.name for figure in examination.figures}
    for name in ("flash_bytes", "weight_bytes", "cycles", "inference_s"):
        assert 0 < small[f"{examination.name}_{name}"] < large[f"{examination.name}_{name}"]
    assert small[f"{examination.name}_sram_bytes"] > 0
    assert small[f"{examination.name}_cpu_operators"] == 0


def test_a_file_of_floats_does_not_run_on_an_npu() -> None:
    """It is a reason, not a figure."""
    with pytest.raises(OptsuiteError, match="no operator of it runs on the NPU"):
        U55.run(_task("float32"))


def test_a_system_with_dram_is_refused() -> None:
    """Vela reports neither its flash nor its SRAM."""
    system = replace(U55, accelerator="ethos-u65-256", system_config="Ethos_U65_High_End", memory_mode="Dedicated_Sram")  # type: ignore[call-arg]
    with pytest.raises(OptsuiteError, match="Ethos_U65_High_End has DRAM"):
        system.run(_task("int8"))


@pytest.mark.parametrize(
    ("name", "resources", "said"),
    [
        ("latency", ("flash",), "expected another name for the target 'latency': it is that of a figure"),
        ("none", ("flash",), "expected another name for the target 'none'"),
        ("board", ("flash", "flash"), "target board: expected one figure of each resource, got flash, flash"),
    ],
)
def test_a_target_that_can_not_be_told_apart_is_refused(name: str, resources: tuple[Any, ...], said: str) -> None:
    """Its name is a criterion of the gate, and an option of `recommend` is one figure of it."""

    @dataclass(frozen=True, kw_only=True)
    class Board(EthosU):
        @property
        def figures(self) -> tuple[Figure, ...]:
            return tuple(
                Figure(name=f"board_{number}", label="x", unit="", better="lower", resource=resource)
                for number, resource in enumerate(resources)
            )

    board = Board(name="board", accelerator="x", system_config="x", memory_mode="x")
    with pytest.raises(OptsuiteError, match=said):
        BUILTIN.joined(Catalog(targets={name: Target(name=name, examinations=(board,))}))


def test_a_crash_of_vela_is_its_answer() -> None:
    """Vela 5.2 divides by the size of a weight of 4 bits: it takes a process with it that nobody misses."""
    int4 = quantized(_task("float32").content, Quantize(recipe="dynamic_wi4_afp32"))
    with pytest.raises(OptsuiteError, match=r"Vela 5\.[\d.]+ crashed on this file: SIGFPE"):
        U55.run(replace(_task("float32"), content=int4))


@pytest.mark.parametrize(
    ("does", "status"),
    [
        ("lambda _: None", 0),
        ("lambda _: 'it failed'", 1),
        ("lambda _: 1 / 0", 1),
        ("lambda _: sys.exit(0)", 1),
        ("lambda _: open('/missing')", 2),
        ("lambda _: os.kill(os.getpid(), signal.SIGFPE)", -signal.SIGFPE),
    ],
)
def test_the_exit_status_of_velas_process(does: str, status: int) -> None:
    """Its own errors are those of the file, errors of the machine are not, and a signal is a crash."""
    main = eval(does, {"sys": sys, "os": os, "signal": signal})
    found: list[int] = []
    printed_by(lambda: found.append(ethos_u._status(main, [])))
    assert found == [status]


def test_a_target_of_ones_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The catalogue of docs/reference/targets.md; a section that the configuration file lacks is named."""
    import ethosu

    page = (ROOT / "docs/reference/targets.md").read_text()
    (block,) = re.findall(r"^```python\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)
    vela_ini = Path(ethosu.__path__[0]) / "config_files" / "Arm" / "vela.ini"
    text = vela_ini.read_text().replace("System_Config.Ethos_U55_Deep_Embedded", "System_Config.My_Board")
    (tmp_path / "vela.ini").write_text(text)
    (tmp_path / "my_board.py").write_text(block)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    catalog = BUILTIN.joined(user_file.read(tmp_path / "my_board.py"))
    (mine,) = select(catalog, models=["tutorial"], targets=["my-board"]).targets[0].examinations
    assert mine.run(_task("int8")).figures["my-board_cycles"] > 0
    with pytest.raises(OptsuiteError, match=r"Vela failed: .*Other"):
        replace(mine, system_config="Other").run(_task("int8"))  # type: ignore[call-arg]


def test_targets_are_named() -> None:
    """All by default, or the user's; "none" is none; an unknown one is an error that lists them."""
    chosen = select(BUILTIN, models=["tutorial"], targets=["ethos-u55-128"])
    assert [one.name for one in chosen.examinations()][-1] == "ethos-u55-128"
    assert "ethos-u55-128_cycles" in {figure.name for figure in chosen.figures()}
    assert select(BUILTIN, models=["tutorial"], targets=["none"]).targets == ()
    by_default = [one.name for one in select(BUILTIN, models=["tutorial"]).targets]
    assert by_default == [name for name in TARGETS if not name.endswith("-answers")]  # these are on request
    smoke = select(BUILTIN, profile="smoke", models=["tutorial"])
    assert [one.name for one in smoke.targets] == [name for name in by_default if name.startswith(("tflm", "ethos"))]
    assert "tflm-answers" not in [one.name for one in smoke.examinations()]  # nor is what is slow
    named = select(BUILTIN, profile="smoke", models=["tutorial"], targets=["tflm"])
    assert "tflm-answers" in [one.name for one in named.examinations()]
    (asked,) = select(BUILTIN, models=["tutorial"], targets=["cortex-a76-answers"]).targets
    assert asked.on_request
    mine = Target(name="mine", examinations=(replace(U55, name="mine"),))
    assert select(BUILTIN.joined(Catalog(targets={"mine": mine})), models=["tutorial"]).targets == (mine,)
    with pytest.raises(OptsuiteError, match="unknown target 'm4'; expected one of tflm, ethos-u55-128"):
        select(BUILTIN, targets=["m4"])


ABSENT = """
from dataclasses import dataclass

from optsuite.catalog import Target
from optsuite.examine.ethos_u import EthosU


@dataclass(frozen=True, kw_only=True)
class Elsewhere(EthosU):
    packages = ("no-such-package",)


NPU = Elsewhere(name="board", accelerator="ethos-u55-128", system_config="x", memory_mode="y")
TARGETS = [Target(name="board", examinations=(NPU,))]
"""


@pytest.mark.slow
def test_a_target_whose_tool_is_not_installed_is_a_marked_absence(smoke: Smoke, tmp_path: Path) -> None:
    """The run says so, as the report does, with the command that installs it; the rest is measured."""
    (tmp_path / "catalog_with_board.py").write_text(ABSENT)
    done = run_pytest(
        *SMOKE[:-1],  # not the targets that it names
        "--optsuite-recipes=baseline",
        "--optsuite-variants=int8",
        f"--optsuite-catalog={tmp_path / 'catalog_with_board.py'}",
        f"--optsuite-cache={smoke.cache}",
        f"--benchmark-json={tmp_path / 'run.json'}",
    )
    assert done.returncode == 0, done.stdout
    reason = "no-such-package is not installed: pip install no-such-package"
    assert f"optsuite: no figures of board: {reason}" in done.stdout
    run = reader.read(tmp_path / "run.json")
    assert [(one.target, one.absent) for one in run.header.examinations][-1] == ("board", reason)
    assert run.resources() == {}
    assert main(["report", str(tmp_path / "run.json"), "--out", str(tmp_path / "out")]) == 0
    assert f"### board\n\nAbsent: {reason}\n" in (tmp_path / "out" / "report.md").read_text()
    assert not [name for name in pd.read_csv(tmp_path / "out" / "results.csv") if "board" in str(name)]
    assert "board_flash" not in (tmp_path / "out" / "report.html").read_text()


@pytest.mark.slow
def test_what_pruning_brings_on_an_npu(smoke: Smoke, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The real command: a pruned file of the same bytes is smaller in flash there, and takes fewer cycles."""
    done = run_pytest(
        *SMOKE,
        "--optsuite-recipes=baseline,prune-0.8",
        "--optsuite-variants=int8,fp32",
        "--optsuite-targets=ethos-u55-128",
        f"--optsuite-cache={smoke.cache}",
        f"--benchmark-json={tmp_path / 'run.json'}",
    )
    assert done.returncode == 0, done.stdout
    run = reader.read(tmp_path / "run.json")
    before, after = (run.row(f"tutorial_{recipe}_s0", "int8") for recipe in ("baseline", "prune-0.8"))
    assert before is not None
    assert after is not None
    assert before.measured.bytes == after.measured.bytes
    for name in ("flash_bytes", "weight_bytes", "cycles"):
        figures = (one.measured.figures[f"ethos-u55-128_{name}"] for one in (after, before))
        assert next(figures) < 0.8 * next(figures)
    floats = run.row("tutorial_baseline_s0", "fp32")
    assert floats is not None
    assert floats.measured.unexamined == {"ethos-u55-128": "no operator of it runs on the NPU"}
    assert main(["report", str(tmp_path / "run.json"), "--out", str(tmp_path / "out")]) == 0
    table = pd.read_csv(tmp_path / "out" / "results.csv").set_index("exp_id")
    assert table["tflite_int8_ethos-u55-128_flash_bytes"]["tutorial_prune-0.8_s0"] < 10_000
    text = (tmp_path / "out" / "report.md").read_text()
    assert "## Targets" in text
    assert "### ethos-u55-128\n\nBy ethos-u-vela " in text
    assert "![acc_on_ethos-u55-128](figures/acc_on_ethos-u55-128.png)" in text
    assert {path.name for path in (tmp_path / "out" / "figures").glob("acc_on_*.png")} == {"acc_on_ethos-u55-128.png"}
    pays = payoff.recipes(run)["ethos-u55-128"].set_index("experiment")
    assert pays["cycles"]["tutorial_baseline"] == "1.00"
    assert 0.1 < float(pays["flash"]["tutorial_prune-0.8"]) < 0.5
    here = payoff.recipes(run)[payoff.HERE].set_index("experiment")
    assert here["file"]["tutorial_prune-0.8"] == "1.00"
    capsys.readouterr()
    on_npu = ["recommend", str(tmp_path / "run.json"), "--target", "ethos-u55-128"]
    assert main([*on_npu, "--max-flash", "10000B", "--max-latency", "1ms"]) == 0
    shown = " ".join(capsys.readouterr().out.split())
    assert (
        "1 of 2 variants that run on ethos-u55-128 is within the limits: flash on ethos-u55-128 (Vela) at most" in shown
    )
    assert "2 more do not run on ethos-u55-128, or not all of their operators do. 2: no operator of it runs" in shown
    tight = "--limit=ethos-u55-128_flash_bytes=100"
    assert main([*on_npu, "--max-flash", "64KB", tight]) == 1  # the tighter of the two counts
    assert main([*on_npu, "--all"]) == 0
    assert "tutorial_baseline_s0 fp32: does not run on ethos-u55-128: no operator of it" in capsys.readouterr().out
    assert main([*on_npu, "--max-flash", "1KB"]) == 1
    assert main([*on_npu, "--max-arena", "1KB"]) == 2
    assert "--max-arena: ethos-u55-128 has no figure for it; expected some of --max-flash, " in capsys.readouterr().err
    assert main(["recommend", str(tmp_path / "run.json"), "--target", "tflm"]) == 2
    assert "the run has no figures of target 'tflm'; expected one of ethos-u55-128" in capsys.readouterr().err
