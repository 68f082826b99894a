"""How long it takes to load a file and to call it for the first time, and the memory that it holds then."""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from optsuite.litert import LiteRTRunner, rounds

_INTERPRETERS = 9


@dataclass(frozen=True, kw_only=True)
class Startup:
    """The start of a file: medians over new interpreters.

    Attributes:
        load_s: Seconds from the bytes of the file to allocated tensors.
        first_invoke_s: Seconds of the first call.
        heap_bytes: What the interpreter holds in memory then; None where the C library does not count it.

    """

    load_s: float
    first_invoke_s: float
    heap_bytes: int | None


def observe(content: bytes) -> Startup:
    """Load the file anew a few times and call each interpreter once; OptsuiteError where it can't be run."""
    heap_bytes = _heap_reader()
    loads, first_calls, held = [], [], []
    for _ in range(_INTERPRETERS):
        before = heap_bytes()
        runner = LiteRTRunner(content)
        loads.append(runner.load_s)
        first_calls.append(float(rounds(runner.invoke, 1)[0]))
        held.append(heap_bytes() - before)
        del runner  # or the next one's memory would be counted less this one's
    return Startup(
        load_s=float(np.median(loads)),
        first_invoke_s=float(np.median(first_calls)),
        heap_bytes=max(0, int(np.median(held))) or None,
    )


class _MallInfo(ctypes.Structure):
    """glibc's struct mallinfo2; `hblkhd` is what large allocations hold outside of the heap."""

    _fields_ = (
        *((name, ctypes.c_size_t) for name in ("arena", "ordblks", "smblks", "hblks", "hblkhd")),
        *((name, ctypes.c_size_t) for name in ("usmblks", "fsmblks", "uordblks", "fordblks", "keepcost")),
    )


def _heap_reader() -> Callable[[], int]:
    """Return a function that returns how many bytes malloc has given out; 0 if the C library is not glibc >= 2.33."""
    try:
        read = ctypes.CDLL(None).mallinfo2
    except (AttributeError, OSError, TypeError):
        return lambda: 0
    read.restype = _MallInfo

    def given_out() -> int:
        info = read()
        return int(info.uordblks + info.hblkhd)

    return given_out
