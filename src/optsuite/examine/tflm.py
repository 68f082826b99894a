"""A file on a microcontroller, by TensorFlow Lite Micro's own interpreter: memory, missing operators, and answers."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import numpy as np

from optsuite import litert
from optsuite.errors import OptsuiteError
from optsuite.examine.agreement import Agreement
from optsuite.examine.examination import Examination, ExaminationTask
from optsuite.examine.printed import printed_by
from optsuite.litert import or_end
from optsuite.results.examined import Findings
from optsuite.results.figures import Figure

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
        _call(task.content)
        recorded = dict(_RECORDED.findall(printed_by(TflmRunner(task.content).interpreter.print_allocations)))
        if recorded.keys() != _ARENA.keys():
            raise OptsuiteError(f"expected the sizes of the arena from TFLM, got {recorded}")
        return Findings(figures={_ARENA[part][0]: int(size) for part, size in recorded.items()})


@dataclass(frozen=True, kw_only=True)
class Answers(Agreement):
    """The answers of TFLM's reference kernels, beside those of LiteRT on this machine."""

    name: str = "tflm-answers"
    packages = ("tflite-micro", *Agreement.packages)
    prefix = "tflm"
    where = "TFLM"

    def answers_there(self, content: bytes, given: np.ndarray, here: np.ndarray) -> np.ndarray:
        _call(content)
        return litert.answers(TflmRunner(content), given)


class TflmRunner:
    """A .tflite model on TFLM's interpreter, as `litert.Answering`."""

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

    def set(self, x: np.ndarray) -> None:
        self.interpreter.set_input(x, 0)

    def invoke(self) -> None:
        self.interpreter.invoke()

    def get(self) -> np.ndarray:
        answer: np.ndarray = self.interpreter.get_output(0)
        return answer


def _call(content: bytes) -> None:
    """Call a file once, by an interpreter of its own, as a model may have a state.

    Raises:
        OptsuiteError: TFLM can't run it; the message says why.

    """
    runner, failed = TflmRunner(content), []

    def call() -> None:
        try:
            runner.invoke()
        except RuntimeError as error:
            failed.append(error)

    with or_end():
        said = printed_by(call)
    if failed:
        raise OptsuiteError(_reason(said) or f"TFLM can't run it: {failed[0]!s:.200}")


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
