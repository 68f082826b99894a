"""The one door to the LiteRT runtime: a model that runs, one pass over a split, timed rounds."""

from __future__ import annotations

import gc
import signal
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import cached_property
from typing import Any, Protocol

import numpy as np
from ai_edge_litert.interpreter import Interpreter

from optsuite.errors import OptsuiteError

THREADS = 1
"""The number of threads of a model: one, so that no two disturb each other."""
FIRST_CALL_S = 60
"""How many seconds it may take to load a file and to call it once; a damaged one may keep the runtime busy for ever."""
TIMED_INPUTS = 1_000
"""How many inputs of a split are timed, at most, for the total time of a pass over all of them."""
Call = Callable[[], object]
"""A function that is timed, such as the `invoke` of a runner."""


class Answering(Protocol):
    """A model that takes one input at a time, in the form that it takes."""

    def set(self, x: np.ndarray) -> None:
        """Give it one prepared input, (1, *shape)."""

    def invoke(self) -> None:
        """Run it."""

    def get(self) -> np.ndarray:
        """Its raw answer, (1, classes)."""


class Runner(Answering, Protocol):
    """A model that is timed; `invoke` alone is what latency means."""

    def prepare(self, x: np.ndarray) -> np.ndarray:
        """Inputs float32 (n, *shape) in the form that the model takes."""

    def interpret(self, raw: np.ndarray) -> np.ndarray:
        """Raw answers as float32."""


class LiteRTRunner:
    """A .tflite model on the LiteRT interpreter, one thread.

    A model of several inputs or outputs can be invoked, on inputs drawn by chance; it has no accuracy.

    Attributes:
        interpreter: LiteRT's.
        load_s: How long it took from the bytes to allocated tensors.
        invoke: Runs the model once.

    """

    def __init__(self, content: bytes) -> None:
        try:
            start = time.perf_counter()
            self.interpreter = Interpreter(model_content=content, num_threads=THREADS)
            self.interpreter.allocate_tensors()
            self.load_s = time.perf_counter() - start
            self._inputs = self.interpreter.get_input_details()
            self._outputs = self.interpreter.get_output_details()
            rng = np.random.default_rng(0)
            for given in self._inputs:
                # Whatever the memory held might be numbers that some CPUs are slow with.
                self.interpreter.set_tensor(given["index"], _drawn(given, rng))
        except (ValueError, RuntimeError) as error:
            raise OptsuiteError(f"LiteRT can't run this model: {str(error).strip()}") from error
        self.invoke = self.interpreter.invoke

    @cached_property
    def _input(self) -> dict[str, Any]:
        return self._only("input", self._inputs)

    @cached_property
    def _output(self) -> dict[str, Any]:
        return self._only("output", self._outputs)

    @staticmethod
    def _only(noun: str, found: list[dict[str, Any]]) -> dict[str, Any]:
        if len(found) != 1:
            raise OptsuiteError(
                f"the model has {len(found)} {noun}s: an accuracy needs a model of one input and one output; without "
                "data it can be timed"
            )
        return found[0]

    def inputs(self) -> list[np.ndarray]:
        """Return what all inputs hold."""
        return [self.interpreter.get_tensor(given["index"]) for given in self._inputs]

    @property
    def input_shape(self) -> tuple[int, ...]:
        """(1, *shape)."""
        return tuple(int(size) for size in self._input["shape"])

    def prepare(self, x: np.ndarray) -> np.ndarray:
        """Quantised by round(x / scale) + zero point, then clipped, where the input is an integer.

        One without a scale takes whole numbers as they are; OptsuiteError for others.
        """
        dtype, (scale, _) = self._input["dtype"], self._input["quantization"]
        if np.issubdtype(dtype, np.integer) and not scale:
            limits = np.iinfo(dtype)
            if (x != np.round(x)).any() or x.min() < limits.min or x.max() > limits.max:
                raise OptsuiteError(
                    f"its input is {np.dtype(dtype).name} without a scale: expected whole numbers from {limits.min} to "
                    f"{limits.max}, as float (uint8 data is scaled to 0..1), got {x.min():g} to {x.max():g}"
                )
        return quantized(x, self._input)

    def set(self, x: np.ndarray) -> None:
        self.interpreter.set_tensor(self._input["index"], x)

    def get(self) -> np.ndarray:
        answer: np.ndarray = self.interpreter.get_tensor(self._output["index"])
        return answer

    def interpret(self, raw: np.ndarray) -> np.ndarray:
        """(raw - zero point) x scale, where the output is an integer that has one."""
        return dequantized(raw, self._output)


def dequantized(raw: np.ndarray, details: Mapping[str, Any]) -> np.ndarray:
    """Return the raw answers of an output as float32, by its "quantization", a scale and a zero point."""
    scale, zero_point = details["quantization"]
    if not np.issubdtype(raw.dtype, np.integer) or not scale:
        return raw.astype(np.float32)
    answers: np.ndarray = ((raw.astype(np.int32) - zero_point) * scale).astype(np.float32)
    return answers


def quantized(x: np.ndarray, details: Mapping[str, Any]) -> np.ndarray:
    """Return numbers in the form that an input takes, by its "dtype" and "quantization"; see `LiteRTRunner.prepare`."""
    dtype, (scale, zero_point) = details["dtype"], details["quantization"]
    if not np.issubdtype(dtype, np.integer) or not scale:
        return x.astype(dtype)
    limits = np.iinfo(dtype)
    found: np.ndarray = np.clip(np.round(x / scale) + zero_point, limits.min, limits.max).astype(dtype)
    return found


def _drawn(details: Mapping[str, Any], rng: np.random.Generator) -> np.ndarray:
    """An input of uniform random numbers in 0..1; zeros where it takes whole numbers, which may be indices."""
    if np.dtype(details["dtype"]).kind not in "fiub":
        raise ValueError(f"input {details['name']} takes {np.dtype(details['dtype']).name}, expected numbers")
    shape = details["shape"]
    whole = np.dtype(details["dtype"]).kind != "f" and not details["quantization"][0]
    return quantized(np.zeros(shape) if whole else rng.random(shape, np.float32), details)


@contextmanager
def or_end(seconds: int = FIRST_CALL_S) -> Iterator[None]:
    """End this process where what is done inside takes longer: nothing else ends a call into the runtime."""
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)


def outputs(runner: Runner, x: np.ndarray) -> np.ndarray:
    """Return the answers, float32 (n, classes), to x, float32 (n, *shape), asked one at a time as a device would."""
    return runner.interpret(answers(runner, runner.prepare(x)))


def answers(model: Answering, prepared: np.ndarray) -> np.ndarray:
    """Return the raw answers, (n, classes), to prepared inputs, (n, *shape), each asked alone."""
    return np.concatenate(_pass(model, prepared))


def total_time_s(runner: Runner, x: np.ndarray) -> float:
    """Return the seconds of one pass over x, float32 (n, *shape): of set, invoke and get for each input.

    The pass is timed on the first 1,000 inputs, and its time multiplied by n / 1,000. Preparing them is not timed.
    """
    prepared = runner.prepare(x[:TIMED_INPUTS])
    with no_garbage_collection():
        start = time.perf_counter()
        _pass(runner, prepared)
        timed_s = time.perf_counter() - start
    return timed_s * len(x) / len(prepared)


def _pass(model: Answering, prepared: np.ndarray) -> list[np.ndarray]:
    found: list[np.ndarray] = []
    for index in range(len(prepared)):
        model.set(prepared[index : index + 1])
        model.invoke()
        found.append(model.get())
    return found


def rounds(call: Call, count: int, *, at_most_s: float = float("inf"), at_least: int = 0) -> np.ndarray:
    """The seconds of `count` calls, float64 (count,), the clock read around each as for a benchmark's rounds.

    It stops earlier when `at_most_s` is over and `at_least` so many calls were made.
    """
    clock = time.perf_counter
    seconds = np.empty(count)
    end = clock() + at_most_s
    for index in range(count):
        start = clock()
        if start > end and index >= at_least:
            return seconds[:index]
        call()
        seconds[index] = clock() - start
    return seconds


@contextmanager
def no_garbage_collection() -> Iterator[None]:
    """Switch Python's garbage collector off, and leave it as it was."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()
