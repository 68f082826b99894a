"""How the runtime runs a file: the time to load it and of the first call, its memory, and its kernels."""

from __future__ import annotations

import ctypes
from collections.abc import Callable

import numpy as np
from ai_edge_litert.interpreter import Interpreter

from optsuite.examine.kernels import Contents
from optsuite.litert import LiteRTRunner, rounds
from optsuite.results.measured import Execution

_INTERPRETERS = 9


def observe(content: bytes, contents: Contents) -> Execution:
    """Load the file anew a few times and call each interpreter once; OptsuiteError where it can't be run."""
    heap_bytes = _heap_reader()
    loads, first_calls, held = [], [], []
    for _ in range(_INTERPRETERS):
        before = heap_bytes()
        runner = LiteRTRunner(content)
        loads.append(runner.load_s)
        first_calls.append(float(rounds(runner.invoke, 1)[0]))
        held.append(heap_bytes() - before)
        operators, undelegated = _kernels(runner.interpreter)
        del runner  # or the next one's memory would be counted less this one's
    return Execution(
        load_s=float(np.median(loads)),
        first_invoke_s=float(np.median(first_calls)),
        heap_bytes=max(0, int(np.median(held))) or None,
        precision=contents.precision,
        operators=operators,
        undelegated=undelegated,
    )


def _kernels(interpreter: Interpreter) -> tuple[int, tuple[str, ...]]:
    """Return the number of operators, and the names of those that LiteRT runs itself, in the graph's order.

    A delegate's node is added to the graph, and what it replaces stays listed: what runs is what the outputs come from.
    """
    nodes = interpreter._get_ops_details()  # there is no public way
    makers = {int(tensor): node for node in nodes for tensor in node["outputs"]}  # the delegate's come last
    runs: dict[int, str] = {}
    tensors = [int(output["index"]) for output in interpreter.get_output_details()]
    while tensors:
        node = makers.get(tensors.pop())
        if node is not None and node["index"] not in runs:
            runs[node["index"]] = node["op_name"]
            tensors.extend(map(int, node["inputs"]))
    undelegated = tuple(name for _, name in sorted(runs.items()) if name != _DELEGATE)
    return sum(node["op_name"] != _DELEGATE for node in nodes), undelegated


_DELEGATE = "DELEGATE"
"""LiteRT's name of a delegate's node; XNNPACK's is the only delegate for CPUs that it includes."""


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
