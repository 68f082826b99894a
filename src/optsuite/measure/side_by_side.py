"""Models timed side by side: in one process, in turns drawn at random, so that what disturbs one disturbs all."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from functools import partial

import numpy as np

from optsuite.errors import OptsuiteError
from optsuite.litert import Call, LiteRTRunner, no_garbage_collection
from optsuite.results.measured import Measured
from optsuite.results.timing import Ratio
from optsuite.store import tflite
from optsuite.store.store import Store

_BLOCK_S = 5e-4
"""How long a block of calls takes: long beside a clock read, short beside what disturbs a machine."""
_WARM_UP = 0.2
"""The calls before each block that are not timed, as a share of its calls: the CPU caches hold the other models."""


def interleaved(makers: Sequence[Callable[[], Call]], *, sessions: int = 40, cycles: int = 12) -> np.ndarray:
    """The seconds of one call of what each maker makes, means over blocks: float64 (makers, sessions, cycles).

    A cycle is a block of calls of each, in an order drawn anew. Each session makes all of them anew: where an
    interpreter happens to lie in memory makes it faster or slower than its twin, which must not pass for a difference
    between their models.
    """
    rng = np.random.default_rng(0)
    times = np.empty((len(makers), sessions, cycles))

    def order() -> list[int]:
        drawn: list[int] = rng.permutation(len(makers)).tolist()
        return drawn

    with no_garbage_collection():
        for session in range(sessions):
            calls = {one: makers[one]() for one in order()}
            counts = {one: _calls_a_block(call) for one, call in calls.items()}
            for cycle in range(cycles):
                for one in order():
                    _timed(calls[one], int(_WARM_UP * counts[one]))
                    times[one, session, cycle] = _timed(calls[one], counts[one])
    return times


def ratio(reference: np.ndarray, candidate: np.ndarray) -> Ratio:
    """Return the median over sessions of the ratio of two models' medians; their times are (sessions, cycles) each.

    The interval is a percentile bootstrap (Efron 1979) over the sessions, as they are what is independent.
    """
    from scipy.stats import bootstrap  # takes a second to import

    ratios = np.median(candidate, axis=1) / np.median(reference, axis=1)
    found = bootstrap((ratios,), np.median, method="percentile", rng=np.random.default_rng(0)).confidence_interval
    return Ratio(value=float(np.median(ratios)), low=float(found.low), high=float(found.high))


def files(contents: Sequence[bytes]) -> np.ndarray:
    """`interleaved` of .tflite files."""

    def make(content: bytes) -> Call:
        invoke: Call = LiteRTRunner(content).invoke
        return invoke

    return interleaved([partial(make, content) for content in contents])


def side_by_side(store: Store) -> Callable[[Measured, Measured], Ratio]:
    """A function that times the files of two runs' rows, from their artifacts in the store.

    It raises OptsuiteError where one is not there, or is not what was measured.
    """

    def retime(reference: Measured, candidate: Measured) -> Ratio:
        try:
            contents = [tflite.content(store, measured) for measured in (reference, candidate)]
        except OptsuiteError as error:  # the same words for all rows, which are counted by them
            raise OptsuiteError(f"not both artifacts are in {store.root}") from error
        return ratio(*files(contents))

    return retime


def _timed(call: Call, count: int) -> float:
    """Seconds a call, the mean over `count` of them; NaN for none."""
    start = time.perf_counter()
    for _ in range(count):
        call()
    return (time.perf_counter() - start) / count if count else float("nan")


def _calls_a_block(call: Call) -> int:
    _timed(call, 20)
    return max(1, round(_BLOCK_S / min(_timed(call, 5) for _ in range(5))))
