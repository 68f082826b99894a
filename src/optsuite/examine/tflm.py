"""A file on a microcontroller, by TensorFlow Lite Micro's own interpreter: memory, missing operators, and answers."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from optsuite import cpu, litert
from optsuite.errors import OptsuiteError
from optsuite.examine.accuracy import scored
from optsuite.examine.examination import Examination, ExaminationTask
from optsuite.examine.printed import printed_by
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
class Arena(Examination[Findings]):
    """The bytes of the arena that a file needs.

    They are recorded on this machine: the tail holds pointers, which have 64 bits here and 32 on a microcontroller, so
    it is an upper bound there. The head, which holds the tensors, is the same.
    """

    name: str = "tflm"
    packages = ("tflite-micro",)

    @property
    def figures(self) -> tuple[Figure, ...]:
        return tuple(
            Figure(
                name=name,
                label=f"{label} (TFLM)",
                unit="bytes",
                better="lower",
                tolerance=0.01,
                resource="arena" if name == "tflm_arena_bytes" else "",
            )
            for name, label in _ARENA.values()
        )

    def run(self, task: ExaminationTask) -> Findings:
        with or_end():
            TflmRunner(task.content).invoke()  # not the one that is asked: a model may have a state
        recorded = dict(_RECORDED.findall(printed_by(TflmRunner(task.content).interpreter.print_allocations)))
        if recorded.keys() != _ARENA.keys():
            raise OptsuiteError(f"expected the sizes of the arena from TFLM, got {recorded}")
        return Findings(figures={_ARENA[part][0]: int(size) for part, size in recorded.items()})


@dataclass(frozen=True, kw_only=True)
class Answers(Examination[Findings]):
    """The accuracy of a file on the first 1,000 test images, and how its answers differ from LiteRT's here."""

    name: str = "tflm-answers"
    needs = ("test",)
    packages = ("tflite-micro", "ai-edge-litert", "numpy")

    @property
    def figures(self) -> tuple[Figure, ...]:
        def figure(name: str, label: str, unit: str = "", better: Literal["higher", "lower"] = "lower") -> Figure:
            return Figure(name=f"tflm_{name}", label=f"{label} (TFLM)", unit=unit, better=better)

        return (
            figure("accuracy", "accuracy of the first 1,000 images", better="higher"),
            figure("changed", "answers that differ from LiteRT's"),
            figure("steps", "largest difference from LiteRT's", unit="output steps"),
        )

    def tools(self) -> Mapping[str, str]:
        return {**super().tools(), "cpu": cpu.features()}

    def run(self, task: ExaminationTask) -> Findings:
        test = task.splits["test"].first(IMAGES)
        with or_end():
            LiteRTRunner(task.content).invoke()
            TflmRunner(task.content).invoke()
        litert_runner, tflm_runner = LiteRTRunner(task.content), TflmRunner(task.content)
        here, there = (litert.raw_outputs(runner, test.x) for runner in (litert_runner, tflm_runner))
        answers = (here.argmax(axis=-1), there.argmax(axis=-1)) if task.metric.classes else (here, there)
        changed = (answers[0] != answers[1]).reshape(len(test.x), -1).any(axis=-1)
        found: dict[str, int | float] = {
            "tflm_accuracy": scored(task.metric, tflm_runner.interpret(there), test).accuracy,
            "tflm_changed": int(changed.sum()),
        }
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
        said = printed_by(lambda: made.append(_made(Interpreter, content)))
        if isinstance(made[0], Exception):
            raise OptsuiteError(_reason(said) or f"TFLM can't run it: {made[0]!s:.200}")
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


def _reason(said: str) -> str:
    """Return why TFLM does not run a model, of what it printed: the operator, and what TFLM says of it."""
    lines = [re.sub(r"^\S+\.cc(:\d+)? ", "", line.strip()) for line in said.splitlines() if line.strip()]
    if not lines:
        return ""
    operator = re.search(r"Node (\S+) \(number|builtin opcode '(\S+)'", said)
    name = f"its operator {operator[1] or operator[2]}" if operator else "it"
    return f"TFLM can't run {name}: {lines[0][:200]}"


def _details(found: Mapping[str, Any]) -> dict[str, Any]:
    """The details of a tensor as LiteRT gives them."""
    parameters = found["quantization_parameters"]
    scale = float(parameters["scales"][0]) if len(parameters["scales"]) else 0.0
    zero_point = int(parameters["zero_points"][0]) if len(parameters["zero_points"]) else 0
    return {"dtype": found["dtype"], "quantization": (scale, zero_point)}
