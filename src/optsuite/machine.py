"""The machine: what can be read of it, what one thread of it can do at best, and how steady it is."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path

import numpy as np

from optsuite import probes
from optsuite.measure import THREADS, LiteRTRunner, rounds
from optsuite.noise import TOLERANCE, usual
from optsuite.records import Environment, Watch

_PATIENCE_S = 0.5
_PATIENCE = 0.05
"""How long a row waits at most, and which share of a run its rows wait at most together."""
_STEADY = 3
_LEARN_S = 1.0
"""How long it takes to learn what is usual: longer than most of what disturbs a machine."""


def cores() -> int:
    """How many the process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


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
        precision: LiteRTRunner(probes.matrix_product(batch=size, inputs=size, outputs=size, dtype=precision))
        for precision in ("float32", "int8")
    }
    return {name: size**3 / float(rounds(runner.invoke, 30).min()) for name, runner in runners.items()}


class Monitor:
    """One fixed model, timed again and again around what a run times: what changes in its times is the machine's.

    `load` is what `load()` said before the run began.
    """

    def __init__(self, load: float | None) -> None:
        self.environment = Environment(
            cores=cores(),
            governor=governor(),
            load=load,
            threads=THREADS,
            versions={name: version(name) for name in ("ai-edge-litert", "numpy", "pytest-benchmark")},
            peak_macs_per_s=peaks(),
        )
        self.watches: list[Watch] = []
        # A short call: a neighbour on the same core slows it by half, as it does small models, a large product hardly.
        self._call = LiteRTRunner(probes.matrix_product(batch=4, inputs=64, outputs=64, dtype="float32")).invoke
        self._start = time.perf_counter()
        first = []
        while time.perf_counter() - self._start < _LEARN_S:
            first.append(self._median_s())
        self._seen = [usual(first)]
        self._waited_s = 0.0

    @contextmanager
    def watch(self, experiment: str, variant: str) -> Iterator[None]:
        """Time the reference before and after what is timed inside, which begins when the machine is steady.

        Steady is three times in a row not much slower than was usual at first and on coming to each row, where nothing
        was chosen; with patience at an end it begins in any case.
        """
        coming = before = self._median_s()
        self._seen.append(coming)
        slow = (1 + TOLERANCE) * usual(self._seen)
        start = time.perf_counter()
        patience = min(_PATIENCE_S, _LEARN_S + _PATIENCE * (start - self._start) - self._waited_s)
        steady = waited = 0.0
        while steady < _STEADY and waited <= patience:
            before = self._median_s()
            steady = steady + 1 if before <= slow else 0
            waited = time.perf_counter() - start
        self._waited_s += waited
        yield
        self.watches.append(
            Watch(
                experiment=experiment,
                variant=variant,
                start_s=start - self._start,
                waited_s=waited,
                coming_s=coming,
                before_s=before,
                after_s=self._median_s(),
            )
        )

    def _median_s(self) -> float:
        return float(np.median(rounds(self._call, 1_000)))
