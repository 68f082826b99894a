"""How steady the machine is while rows are timed."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import version

import numpy as np

from optsuite import probe_models
from optsuite.cpu import cores
from optsuite.judge.steadiness import TOLERANCE, typical
from optsuite.litert import THREADS, LiteRTRunner, rounds
from optsuite.measure.host import governor, peaks
from optsuite.results.header import Environment, ReferenceTimes

_ROW_WAIT_S = 0.5
"""How long a row waits for a steady machine, at most."""
_RUN_WAIT_SHARE = 0.05
"""The share of a run that all its rows together wait, at most."""
_STEADY_TIMES = 3
"""How many times in succession the reference has to be no slower than typical."""
_LEARN_S = 1.0
"""How long it takes to learn what is typical: longer than most of what disturbs a machine."""


class Monitor:
    """Times one fixed model around each row of a run: changes of its time are changes of the machine.

    Attributes:
        environment: The machine and the software.
        reference_times: The medians around each row so far.

    """

    def __init__(self, load: float | None) -> None:
        """Learn what is typical; `load` is that of the machine before the run began."""
        self.environment = Environment(
            cores=cores(),
            governor=governor(),
            load=load,
            threads=THREADS,
            versions={name: version(name) for name in ("ai-edge-litert", "numpy", "pytest-benchmark")},
            peak_macs_per_s=peaks(),
        )
        self.reference_times: list[ReferenceTimes] = []
        # A short call: a neighbour on the same core slows it by half, as it does small models, a large product hardly.
        self._call = LiteRTRunner(probe_models.matrix_product(batch=4, inputs=64, outputs=64, dtype="float32")).invoke
        self._start = time.perf_counter()
        first = []
        while time.perf_counter() - self._start < _LEARN_S:
            first.append(self._median_s())
        self._seen = [typical(first)]
        self._waited_s = 0.0

    @contextmanager
    def watch(self, experiment: str, variant: str) -> Iterator[None]:
        """Time the reference before and after what is timed inside, which begins when the machine is steady.

        The machine is steady when the reference was, three times in succession, not much slower than is typical of the
        times at first and before each row. After the longest wait, the timing begins in any case.
        """
        before_row = before = self._median_s()
        self._seen.append(before_row)
        slow = (1 + TOLERANCE) * typical(self._seen)
        start = time.perf_counter()
        longest_s = min(_ROW_WAIT_S, _LEARN_S + _RUN_WAIT_SHARE * (start - self._start) - self._waited_s)
        steady = waited = 0.0
        while steady < _STEADY_TIMES and waited <= longest_s:
            before = self._median_s()
            steady = steady + 1 if before <= slow else 0
            waited = time.perf_counter() - start
        self._waited_s += waited
        yield
        self.reference_times.append(
            ReferenceTimes(
                experiment=experiment,
                variant=variant,
                start_s=start - self._start,
                waited_s=waited,
                before_row_s=before_row,
                before_timing_s=before,
                after_timing_s=self._median_s(),
            )
        )

    def _median_s(self) -> float:
        return float(np.median(rounds(self._call, 1_000)))
