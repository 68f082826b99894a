"""A file on a microcontroller, by TensorFlow Lite Micro's own interpreter: memory, missing operators, and answers."""

from __future__ import annotations

import os
import re
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from optsuite import cpu, litert
from optsuite.errors import OptsuiteError
from optsuite.examine.accuracy import scored
from optsuite.examine.examination import Examination, ExaminationTask
from optsuite.litert import LiteRTRunner, dequantized, or_end, quantized
from optsuite.results.examined import Findings
from optsuite.results.figures import Figure

IMAGES = 1_000
"""How many test images are asked: the kernels are reference kernels, written to be read."""
_ARENA_BYTES = 64 * 2**20
"""What the interpreter may use. How much it does use is recorded."""
_ARENA = {
    "total": ("tflm_arena_bytes", "arena"),
    "head": ("tflm_head_bytes", "arena, head"),
    "tail": ("tflm_tail_bytes", "arena, tail"),
}
"""The parts of the arena, as TFLM calls them -> the name and the label of each figure."""
_RECORDED = re.compile(r"Arena allocation (total|head|tail) (\d+) bytes")


@dataclass(frozen=True, kw_only=True)
class Memory(Examination[Findings]):
    """The arena of a file, and its accuracy on the first 1,000 test images.

    The arena is recorded on this machine: its tail holds pointers, which have 64 bits here and 32 on a
    microcontroller, so it is an upper bound there. The head, which holds the tensors, is the same.
    """

    name: str = "tflm"
    needs = ("test",)
    packages = ("tflite-micro", "numpy")

    @property
    def figures(self) -> tuple[Figure, ...]:
        arena = (
            Figure(
                name=name,
                label=f"{label} (TFLM)",
                unit="bytes",
                better="lower",
                tolerance=0.01,
                headline=name == "tflm_arena_bytes",
            )
            for name, label in _ARENA.values()
        )
        label = "accuracy of the first 1,000 images (TFLM)"
        return (*arena, Figure(name="tflm_accuracy", label=label, unit="", better="higher"))

    def run(self, task: ExaminationTask) -> Findings:
        with or_end():
            TflmRunner(task.content).invoke()  # not the one that is asked: a model may have a state
        runner = TflmRunner(task.content)
        recorded = dict(_RECORDED.findall(_stderr_of(runner.interpreter.print_allocations)))
        if recorded.keys() != _ARENA.keys():
            raise OptsuiteError(f"expected the sizes of the arena from TFLM, got {recorded}")
        test = task.splits["test"].first(IMAGES)
        accuracy = scored(task.metric, litert.outputs(runner, test.x), test).accuracy
        sizes = {_ARENA[part][0]: int(size) for part, size in recorded.items()}
        return Findings(figures={**sizes, "tflm_accuracy": accuracy})


@dataclass(frozen=True, kw_only=True)
class Difference(Examination[Findings]):
    """How the answers on TFLM differ from LiteRT's on this machine, on the first 1,000 test images."""

    name: str = "tflm-difference"
    needs = ("test",)
    packages = ("tflite-micro", "ai-edge-litert", "numpy")

    @property
    def figures(self) -> tuple[Figure, ...]:
        return (
            Figure(name="tflm_changed", label="answers that differ from LiteRT's (TFLM)", unit="", better="lower"),
            Figure(
                name="tflm_steps", label="largest difference from LiteRT's (TFLM)", unit="output steps", better="lower"
            ),
        )

    def tools(self) -> Mapping[str, str]:
        return {**super().tools(), "cpu": cpu.features()}

    def run(self, task: ExaminationTask) -> Findings:
        x = task.splits["test"].x[:IMAGES]
        with or_end():
            LiteRTRunner(task.content).invoke()
            TflmRunner(task.content).invoke()
        here, there = (
            litert.raw_outputs(runner, x) for runner in (LiteRTRunner(task.content), TflmRunner(task.content))
        )
        answers = (here.argmax(axis=-1), there.argmax(axis=-1)) if task.metric.classes else (here, there)
        changed = (answers[0] != answers[1]).reshape(len(x), -1).any(axis=-1)
        found: dict[str, int | float] = {"tflm_changed": int(changed.sum())}
        if np.issubdtype(here.dtype, np.integer):  # a float has no steps
            found["tflm_steps"] = int(np.abs(here.astype(int) - there.astype(int)).max())
        return Findings(figures=found)


class TflmRunner:
    """A .tflite model on TFLM's interpreter, as `litert.Runner`."""

    def __init__(self, content: bytes) -> None:
        """Load the model.

        Raises:
            OptsuiteError: TFLM can't run it; the message names the operator.

        """
        from tflite_micro.python.tflite_micro.runtime import Interpreter

        made: list[Any] = []
        said = _stderr_of(lambda: made.append(_made(Interpreter, content)))
        if isinstance(made[0], Exception):
            reasons = [line for line in said.splitlines() if line.strip()] or [str(made[0])]
            raise OptsuiteError(f"TFLM can't run it: {'; '.join(reasons)[:300]}")
        self.interpreter = made[0]
        self._input, self._output = (
            _details(getattr(self.interpreter, f"get_{side}_details")(0)) for side in ("input", "output")
        )

    def prepare(self, x: np.ndarray) -> np.ndarray:
        return quantized(x, self._input)

    def set(self, x: np.ndarray) -> None:
        self.interpreter.set_input(x, 0)

    def invoke(self) -> None:
        self.interpreter.invoke()

    def get(self) -> np.ndarray:
        answer: np.ndarray = self.interpreter.get_output(0)
        return answer

    def interpret(self, raw: np.ndarray) -> np.ndarray:
        return dequantized(raw, self._output)


def _made(interpreter: Any, content: bytes) -> Any:
    try:
        return interpreter.from_bytes(content, arena_size=_ARENA_BYTES)
    except Exception as error:  # TFLM raises RuntimeError, and prints why
        return error


def _details(found: Mapping[str, Any]) -> dict[str, Any]:
    """The details of a tensor as LiteRT gives them."""
    parameters = found["quantization_parameters"]
    scale = float(parameters["scales"][0]) if len(parameters["scales"]) else 0.0
    zero_point = int(parameters["zero_points"][0]) if len(parameters["zero_points"]) else 0
    return {"dtype": found["dtype"], "quantization": (scale, zero_point)}


def _stderr_of(call: Callable[[], object]) -> str:
    """Return what a call writes to stderr from C++."""
    with tempfile.TemporaryFile() as file:
        stderr = os.dup(2)
        os.dup2(file.fileno(), 2)
        try:
            call()
        finally:
            os.dup2(stderr, 2)
            os.close(stderr)
        file.seek(0)
        return file.read().decode("utf-8", "replace")
