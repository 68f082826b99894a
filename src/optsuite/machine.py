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
from optsuite.noise import TOLERANCE
from optsuite.records import Environment, Watch

_GOVERNOR = Path("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor")
_PATIENCE_S = 0.5
_STEADY = 3


def cores() -> int:
    """How many the process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def load() -> float | None:
    """The average number of runnable processes over the last minute."""
    return os.getloadavg()[0] if hasattr(os, "getloadavg") else None


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
            governor=_GOVERNOR.read_text().strip() if _GOVERNOR.exists() else None,
            load=load,
            threads=THREADS,
            versions={name: version(name) for name in ("ai-edge-litert", "numpy", "pytest-benchmark")},
            peak_macs_per_s=peaks(),
        )
        self.watches: list[Watch] = []
        # A short call: a neighbour on the same core slows it by half, as it does small models, a large product hardly.
        self._call = LiteRTRunner(probes.matrix_product(batch=4, inputs=64, outputs=64, dtype="float32")).invoke
        self._seen = [self._median_s() for _ in range(50)]
        self._start = time.perf_counter()

    @contextmanager
    def watch(self, experiment: str, variant: str) -> Iterator[None]:
        """Time the reference before and after what is timed inside, which begins when the machine is steady.

        Steady is three times in a row near the median of what was seen on coming to each row, where nothing was chosen;
        after half a second it begins in any case.
        """
        start = time.perf_counter()
        coming = before = self._median_s()
        self._seen.append(coming)
        usual = np.median(self._seen)
        steady = 0
        while steady < _STEADY and time.perf_counter() - start < _PATIENCE_S:
            before = self._median_s()
            steady = steady + 1 if abs(before / usual - 1) <= TOLERANCE else 0
        yield
        self.watches.append(
            Watch(
                experiment=experiment,
                variant=variant,
                start_s=start - self._start,
                coming_s=coming,
                before_s=before,
                after_s=self._median_s(),
            )
        )

    def _median_s(self) -> float:
        return float(np.median(rounds(self._call, 1_000)))
