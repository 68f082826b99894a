"""A file on an ARM core, by LiteRT's own build for aarch64 under QEMU's user-mode emulation: instructions."""

from __future__ import annotations

import functools
import re
import subprocess
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from optsuite.errors import OptsuiteError, UnavailableError
from optsuite.examine.aarch64 import installation
from optsuite.examine.examination import ExaminationTask
from optsuite.examine.instructions import CALLS, LIMIT_S, WARM_UP_CALLS, Instructions
from optsuite.litert import LiteRTRunner, or_end
from optsuite.results.examined import Findings
from optsuite.spawn import end_with_parent

_COUNT = re.compile(rb"^instructions (\d+)$", re.MULTILINE)
_REFUSED = 1
_KILLED = -9


@dataclass(frozen=True, kw_only=True)
class CortexInstructions(Instructions):
    """The instructions of one call on an ARM core, the name of which is that of the examination.

    Of a core QEMU knows the instruction sets, by which XNNPACK chooses its kernels, and not how fast it is.
    """

    @property
    def _counter(self) -> str:
        return "QEMU"

    def tools(self) -> Mapping[str, str]:
        return {"LiteRT for aarch64": installation.LITERT, **_versions(self.name), "core": self.name}

    def run(self, task: ExaminationTask) -> Findings:
        with or_end():
            given = b"".join(one.tobytes() for one in LiteRTRunner(task.content).inputs())
        return self._findings(_run(self.name, task.content, given * WARM_UP_CALLS, CALLS).instructions)


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
                command, input=inputs, capture_output=True, timeout=LIMIT_S, check=False, preexec_fn=end_with_parent
            )
        except subprocess.TimeoutExpired as error:
            raise UnavailableError(f"{calls} calls took over {LIMIT_S} s on {core} under QEMU") from error
    counts = [int(count) for count in _COUNT.findall(done.stderr)]
    if done.returncode == 0 and len(counts) == 2:
        return _Ran(outputs=done.stdout, instructions=counts[1] - counts[0])
    said = done.stderr.decode(errors="replace").strip().splitlines() or [f"exit status {done.returncode}"]
    if done.returncode == _REFUSED or (done.returncode < 0 and done.returncode != _KILLED):
        raise OptsuiteError(f"LiteRT {installation.LITERT} for aarch64 can't run it: {'; '.join(said[-2:])}")
    raise UnavailableError(f"QEMU failed: {said[-1]}")


@functools.cache
def _versions(core: str) -> Mapping[str, str]:
    """Return the versions of QEMU and of the C library; OptsuiteError where a program does not run on the core."""
    command = installation.installed().command(core, "--version")
    library = subprocess.run(command, capture_output=True, text=True, check=False)
    if library.returncode:
        reason = library.stderr.strip().splitlines() or [f"exit status {library.returncode}"]
        raise OptsuiteError(f"QEMU does not emulate {core}: {reason[-1]}")
    # "qemu-aarch64 version 7.2.22 (...)": of a release's corrections none changes what a program executes.
    found = re.search(r"version (\d+\.\d+)", subprocess.check_output([command[0], "--version"], text=True))
    return {"QEMU": found[1] if found else "unknown", "glibc for aarch64": library.stdout.strip()}
