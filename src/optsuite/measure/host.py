"""The machine: what can be read of it, and what one thread of it can do at best."""

from __future__ import annotations

import os
from pathlib import Path

from optsuite import probe_models
from optsuite.litert import LiteRTRunner, rounds


def load() -> float | None:
    """The average number of runnable processes over the last minute; None where it can't be read."""
    try:
        return os.getloadavg()[0]
    except (AttributeError, OSError):
        return None


def governor() -> str | None:
    """Linux's policy for the clock of the first core that the process may use; None where it can't be read."""
    core = min(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else 0
    try:
        return Path(f"/sys/devices/system/cpu/cpu{core}/cpufreq/scaling_governor").read_text().strip()
    except OSError:
        return None


def peaks() -> dict[str, float]:
    """Precision -> MACs a second, the best of 30 products of two 512 x 512 matrices on LiteRT, with one thread."""
    size = 512
    runners = {
        precision: LiteRTRunner(probe_models.matrix_product(batch=size, inputs=size, outputs=size, dtype=precision))
        for precision in ("float32", "int8")
    }
    return {name: size**3 / float(rounds(runner.invoke, 30).min()) for name, runner in runners.items()}
