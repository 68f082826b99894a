"""A file on an ARM core, by LiteRT's own build for aarch64 under QEMU's user-mode emulation: instructions, answers."""

from __future__ import annotations

import functools
import re
import signal
import subprocess
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from optsuite import programs
from optsuite.errors import OptsuiteError, UnavailableError
from optsuite.examine.aarch64 import installation
from optsuite.examine.agreement import Agreement
from optsuite.examine.examination import ExaminationTask
from optsuite.examine.instructions import CALLS, LIMIT_S, WARM_UP_CALLS, Instructions
from optsuite.litert import LiteRTRunner, or_end
from optsuite.results.examined import Findings

_COUNT = re.compile(rb"^instructions (\d+)$", re.MULTILINE)
_REFUSED = 1


@dataclass(frozen=True, kw_only=True)
class CortexInstructions(Instructions):
    """The instructions of one call on an ARM core, the name of which is that of the examination.

    Of a core QEMU knows the instruction sets, by which XNNPACK chooses its kernels, and not how fast it is.
    """

    @property
    def _counter(self) -> str:
        return "QEMU"

    def tools(self) -> Mapping[str, str]:
        return _tools(self.name)

    def run(self, task: ExaminationTask) -> Findings:
        with or_end():
            given = b"".join(one.tobytes() for one in LiteRTRunner(task.content).inputs())
        return self._findings(_run(self.name, task.content, given * WARM_UP_CALLS, CALLS).instructions)


@dataclass(frozen=True, kw_only=True)
class CortexAnswers(Agreement):
    """The answers of the kernels that LiteRT has for an ARM core, beside those of LiteRT on this machine.

    Attributes:
        core: The name of the core.

    """

    core: str

    @property
    def prefix(self) -> str:
        return self.name

    @property
    def where(self) -> str:
        return self.core

    def tools(self) -> Mapping[str, str]:
        return {**super().tools(), **_tools(self.core)}

    def answers_there(self, content: bytes, given: np.ndarray, here: np.ndarray) -> np.ndarray:
        outputs = _run(self.core, content, given.tobytes(), calls=0).outputs
        return np.frombuffer(outputs, here.dtype).reshape(here.shape)


@dataclass(frozen=True)
class _Ran:
    """What a run of `runner.c` gave: the bytes of all outputs, and the instructions of the calls that were counted."""

    outputs: bytes
    instructions: int


def _run(core: str, content: bytes, inputs: bytes, calls: int) -> _Ran:
    """Call a file once for each of the inputs, and then so many times to count.

    Raises:
        OptsuiteError: LiteRT can't run it.
        UnavailableError: QEMU failed, or it takes too long.

    """
    with tempfile.TemporaryDirectory() as folder:
        model = Path(folder) / "model.tflite"
        model.write_bytes(content)
        command = installation.installed().command(core, str(model), str(calls))
        try:
            done = subprocess.run(
                command,
                input=inputs,
                capture_output=True,
                timeout=LIMIT_S,
                check=False,
                preexec_fn=programs.end_with_parent,
            )
        except subprocess.TimeoutExpired as error:
            raise UnavailableError(f"it took over {LIMIT_S} s on {core} under QEMU") from error
    counts = [int(count) for count in _COUNT.findall(done.stderr)]
    if done.returncode == 0 and len(counts) == 2:
        return _Ran(outputs=done.stdout, instructions=counts[1] - counts[0])
    if done.returncode == _REFUSED or (done.returncode < 0 and done.returncode != -signal.SIGKILL):
        raise OptsuiteError(f"LiteRT {installation.LITERT} for aarch64 can't run it: {programs.why(done, lines=2)}")
    raise UnavailableError(f"QEMU failed: {programs.why(done)}")


@functools.cache
def _tools(core: str) -> Mapping[str, str]:
    """Return the core and the versions of what runs there; OptsuiteError where a program does not run on the core."""
    command = installation.installed().command(core, "--version")
    library = subprocess.run(command, capture_output=True, check=False)
    if library.returncode:
        raise OptsuiteError(f"QEMU does not emulate {core}: {programs.why(library)}")
    # "qemu-aarch64 version 7.2.22 (...)": of a release's corrections none changes what a program executes.
    found = re.search(r"version (\d+\.\d+)", subprocess.check_output([command[0], "--version"], text=True))
    return {
        "LiteRT for aarch64": installation.LITERT,
        "QEMU": found[1] if found else "unknown",
        "glibc for aarch64": library.stdout.decode().strip(),
        "core": core,
        "runner": installation.digest(),
    }
