"""The CPU: what kernels are chosen by."""

from __future__ import annotations

from pathlib import Path

import pytest

from optsuite import cpu


def _info(monkeypatch: pytest.MonkeyPatch, text: str, machine: str) -> str:
    monkeypatch.setattr(Path, "read_text", lambda path, *_: text)
    monkeypatch.setattr("platform.machine", lambda: machine)
    return cpu.features.__wrapped__()


X86 = "processor\t: {0}\nmodel name\t: Some CPU @ {0} GHz\ncpu MHz\t: {0}\nflags\t\t: fpu sse4_1 {1} fma f16c\n\n"
ARM = "processor\t: 0\nFeatures\t: fp asimd asimddp\nCPU implementer\t: 0x41\nCPU part\t: {}\n\n"


def test_features_are_those_of_the_kernels(monkeypatch: pytest.MonkeyPatch) -> None:
    """Instruction sets, and on ARM the core; neither the clock nor the number of cores nor the model's name."""
    one = _info(monkeypatch, X86.format(0, "avx avx2") + X86.format(1, "avx avx2"), "x86_64")
    assert one == "x86_64 avx avx2 f16c fma sse4_1"
    assert _info(monkeypatch, X86.format(3, "avx avx2"), "x86_64") == one
    assert _info(monkeypatch, X86.format(0, "avx avx2 avx512f"), "x86_64") != one
    arm = _info(monkeypatch, ARM.format("0xd03"), "aarch64")
    assert arm == "aarch64 asimd asimddp 0x41 0xd03"
    assert _info(monkeypatch, ARM.format("0xd0b"), "aarch64") != arm


def test_flags_are_not_there_twice() -> None:
    """As py-cpuinfo has them."""
    assert cpu.vectors(["avx512_vnni", "avx512vnni", "fpu", "fma", "avx2"]) == ("avx512vnni", "fma", "avx2")


def test_this_machine_has_features() -> None:
    """Whatever it is."""
    assert cpu.features().split()[0]
