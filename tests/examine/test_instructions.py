"""Instructions of one call: by Valgrind on this architecture, and by QEMU on ARM cores."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from runs import group_ends, needs_aarch64, needs_valgrind

from optsuite.build import sources
from optsuite.catalog.targets import TARGETS, cortex
from optsuite.errors import OptsuiteError
from optsuite.examine import qemu, valgrind
from optsuite.examine.aarch64 import installation
from optsuite.examine.examination import Examination, ExaminationTask
from optsuite.examine.valgrind import HostInstructions
from optsuite.probe_models import matrix_product
from optsuite.spec.data import Split
from optsuite.spec.metric import ACCURACY

COUNTERS = [
    pytest.param("host", marks=needs_valgrind),
    *(pytest.param(core, marks=needs_aarch64) for core in ("cortex-a53", "cortex-a72", "cortex-a76")),
]


def _examination(target: str) -> Examination[Any]:
    (found,) = TARGETS[target].examinations
    return found


def _count(target: str, content: bytes) -> int:
    task = ExaminationTask(content=content, metric=ACCURACY, splits={})
    (count,) = _examination(target).run(task).figures.values()
    return int(count)


def _product(outputs: int, dtype: str = "int8") -> bytes:
    return matrix_product(batch=1, inputs=256, outputs=outputs, dtype=dtype)


@pytest.mark.parametrize("target", COUNTERS)
def test_a_count_repeats_in_another_process(target: str) -> None:
    """Within 0.05 %, an alarm's twentieth part."""
    first = _count(target, _product(2048))
    valgrind.end()
    assert _count(target, _product(2048)) == pytest.approx(first, rel=5e-4)


@pytest.mark.parametrize("dtype", ["int8", "float32"])
@pytest.mark.parametrize("target", COUNTERS)
def test_one_more_tile_of_outputs_is_found(target: str, dtype: str) -> None:
    """Kernels work on 16 outputs at a time, or on fewer: 64 to 80 is over the tolerance of 1 %."""
    assert _count(target, _product(80, dtype)) > 1.01 * _count(target, _product(64, dtype))


@needs_aarch64
def test_a_core_with_dot_products_needs_fewer_instructions_for_int8() -> None:
    """The kernels are those of the core: A72 has the instructions of A53, and for float32 there are no better ones."""
    counts = {core: _count(core, _product(256)) for core in ("cortex-a53", "cortex-a72", "cortex-a76")}
    assert counts["cortex-a53"] == counts["cortex-a72"] > 1.9 * counts["cortex-a76"]
    floats = [_count(core, _product(256, "float32")) for core in ("cortex-a53", "cortex-a76")]
    assert floats[0] == pytest.approx(floats[1], rel=0.01)


@needs_aarch64
@pytest.mark.parametrize("dtype", ["int8", "float32"])
def test_the_emulated_runtime_answers_as_the_one_here(dtype: str) -> None:
    """To all inputs, in their order, to a step, or to what a float is exact to; a core without dot products, too."""
    rng = np.random.default_rng(0)
    test = Split(x=rng.random((50, 256), np.float32) / 8, y=rng.integers(0, 10, 50).astype(np.int32))
    task = ExaminationTask(content=_product(10, dtype), metric=ACCURACY, splits={"test": test})
    for core in ("cortex-a53", "cortex-a76"):
        (answers,) = TARGETS[f"{core}-answers"].examinations
        found = {name.removeprefix(f"{core}-answers_"): value for name, value in answers.run(task).figures.items()}
        assert found["changed"] == 0
        assert found.get("steps", 0) <= 1
        assert found.get("difference", 0) < 1e-3  # outputs are hundreds
        assert ("difference" in found) == (dtype == "float32")


@needs_aarch64
def test_what_the_emulated_runtime_can_not_load_says_why() -> None:
    """And is no failure of QEMU."""
    with pytest.raises(OptsuiteError, match=r"LiteRT 2.1.0 for aarch64 can't run it: .*the model can't be loaded"):
        qemu._run("cortex-a76", b"no model", b"", 1)


@needs_valgrind
def test_what_counts_ends_with_the_process_that_asked(tmp_path: Path) -> None:
    """Killed while a file keeps it busy for ever, which leaves nothing behind."""
    model, temporary = tmp_path / "model.tflite", tmp_path / "temporary"
    os.mkfifo(model)
    temporary.mkdir()
    code = f"from pathlib import Path; from optsuite.examine import valgrind; valgrind._counted(Path({str(model)!r}))"
    asking = subprocess.Popen(
        [sys.executable, "-c", code], env=os.environ | {"TMPDIR": str(temporary)}, start_new_session=True
    )
    with model.open("wb"):  # it is being read
        asking.kill()
        asking.wait()
        assert group_ends(asking.pid)
    assert not list(temporary.iterdir())


@needs_valgrind
def test_a_damaged_file_under_valgrind_says_why_and_the_next_is_counted() -> None:
    with pytest.raises(OptsuiteError, match="LiteRT can't run this model"):
        _count("host", b"no model")
    assert _count("host", _product(16)) > 0


@needs_aarch64
def test_a_core_that_qemu_does_not_know_is_absent() -> None:
    (unknown,) = cortex("cortex-x99").examinations
    with pytest.raises(OptsuiteError, match=r"QEMU does not emulate cortex-x99: .*cortex-x99"):
        unknown.tools()


def test_what_is_not_installed_names_the_command_that_installs_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """One command, for all that is missing."""
    monkeypatch.setattr(shutil, "which", lambda program: None)
    valgrind._versions.cache_clear()
    with pytest.raises(OptsuiteError, match=r"^valgrind is not installed: apt-get install valgrind$"):
        _examination("host").tools()
    command = r"apt-get install .* && optsuite install-aarch64"
    with pytest.raises(OptsuiteError, match=rf"^qemu-aarch64 is not installed: {command}$"):
        installation.installed()
    with pytest.raises(OptsuiteError, match=r"^qemu-aarch64 is not installed"):
        installation.install()


@pytest.mark.parametrize("target", COUNTERS)
def test_the_tools_of_a_count_are_those_that_it_depends_on(target: str) -> None:
    """Counts of two runs are compared where these are the same."""
    tools = _examination(target).tools()
    expected = {
        "host": {"ai-edge-litert", "Valgrind", "Python", "glibc", "cpu"},
    }.get(target, {"LiteRT for aarch64", "QEMU", "glibc for aarch64", "core", "runner"})
    assert tools.keys() == expected
    assert "avx512" not in " ".join(tools.values())  # Valgrind knows none of it


def test_the_programs_that_count_are_in_the_keys() -> None:
    """What runs under Valgrind is code that the key names; what runs under QEMU is among the tools."""
    assert "optsuite.examine.valgrind_calls" in sources.of(HostInstructions)
