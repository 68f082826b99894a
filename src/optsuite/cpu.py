"""The CPU: how many cores the process may use, and the instruction sets that kernels are written for."""

from __future__ import annotations

import functools
import os
import platform
import re
from collections.abc import Iterable
from pathlib import Path

# x86's and ARM's.
_VECTORS = re.compile(r"sse4_|avx|fma$|f16c$|gfni$|amx|neon|asimd|sve|sme\d*$|i8mm|bf16")
# ARM's kernels are chosen by the core, too, whose name these two numbers are.
_ARM_CORE = ("CPU implementer", "CPU part")


def cores() -> int:
    """Return how many cores the process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def vectors(flags: Iterable[str]) -> tuple[str, ...]:
    """Return the flags that kernels are written for; py-cpuinfo has some twice, with and without an underscore."""
    known = set(flags)
    twice = {flag for flag in known if "_" in flag and flag.replace("_", "") in known}
    return tuple(flag for flag in flags if _VECTORS.match(flag) and flag not in twice)


@functools.cache
def features() -> str:
    """Return what XNNPACK chooses its kernels by: the architecture, the instruction sets and, on ARM, the cores.

    Two machines with the same features run the same kernels of one LiteRT, and give the same answers.
    """
    found: dict[str, set[str]] = {}
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:  # no Linux
        from cpuinfo import get_cpu_info  # takes a second

        return " ".join([platform.machine(), *sorted(vectors(get_cpu_info().get("flags", ())))])
    for line in lines:
        name, _, value = line.partition(":")
        found.setdefault(name.strip(), set()).update(value.split())
    flags = found.get("flags", set()) | found.get("Features", set())
    cores_seen = sorted(value for name in _ARM_CORE for value in found.get(name, ()))
    return " ".join([platform.machine(), *sorted(vectors(flags)), *cores_seen])
