"""A file on this machine's architecture, by LiteRT under Valgrind's callgrind: instructions."""

from __future__ import annotations

import atexit
import contextlib
import functools
import json
import os
import platform
import re
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from optsuite import cpu
from optsuite.errors import OptsuiteError, UnavailableError
from optsuite.examine import valgrind_calls
from optsuite.examine.examination import ExaminationTask
from optsuite.examine.instructions import CALLS, LIMIT_S, WARM_UP_CALLS, Instructions
from optsuite.litert import or_end
from optsuite.probe_models import matrix_product
from optsuite.programs import end_with_parent
from optsuite.results.examined import Findings

_COMMAND = "apt-get install valgrind"
_SAME_ON_EVERY_MACHINE = {"PYTHONHASHSEED": "0", "OPENBLAS_NUM_THREADS": "1"}
"""What else takes part in a count: where Python's dictionaries find a name, and whether the process has threads."""
_VECTORS = {"sse4_1", "sse4_2", "avx", "avx2", "fma", "f16c"}
"""The instruction sets of x86 that Valgrind knows: what runs in it sees no others, whatever the CPU has."""


@dataclass(frozen=True, kw_only=True)
class HostInstructions(Instructions):
    """The instructions of one `Interpreter.invoke()` on this architecture, Python's own part included.

    On x86 they are those of a CPU with AVX2 and none of what came later, such as AVX-512 and VNNI.
    """

    name: str = "host"
    packages = ("ai-edge-litert",)

    @property
    def _counter(self) -> str:
        return "Valgrind"

    def tools(self) -> Mapping[str, str]:
        return {**super().tools(), **_versions()}

    def run(self, task: ExaminationTask) -> Findings:
        with tempfile.TemporaryDirectory() as folder, or_end(LIMIT_S):
            model = Path(folder) / "model.tflite"
            model.write_bytes(task.content)
            return self._findings(_counted(model))


def _counted(model: Path) -> int:
    """Return the instructions that `valgrind_calls` counts."""
    global _process
    _process = process = _process or _started()
    assert process.stdin
    assert process.stdout
    try:
        process.stdin.write(f"{model}\n")
        process.stdin.flush()
        line = process.stdout.readline()
    except BrokenPipeError:
        line = ""
    if not line:
        end()
        raise UnavailableError("Valgrind was killed")
    answer = json.loads(line)
    if "error" in answer:
        raise OptsuiteError(answer["error"])
    if status := answer.get("status"):
        reason = f"LiteRT ended under Valgrind with exit status {status}"
        crashed = status < 0 and status != -signal.SIGKILL
        raise OptsuiteError(reason) if crashed else UnavailableError(reason)
    return int(answer["instructions"])


_process: subprocess.Popen[str] | None = None
"""The process that counts. It takes seconds to start, so there is one for all files."""


def _started() -> subprocess.Popen[str]:
    """Start the process that counts.

    It deletes its folder and ends when its standard input is closed, or when this process ends.
    """
    folder = Path(tempfile.mkdtemp())
    (folder / "warm-up.tflite").write_bytes(matrix_product(batch=1, inputs=64, outputs=64, dtype="int8"))
    valgrind = ["valgrind", "--quiet", "--tool=callgrind", "--collect-atstart=no"]
    counting = [sys.executable, "-m", valgrind_calls.__name__, str(folder), str(WARM_UP_CALLS), str(CALLS)]
    return subprocess.Popen(
        [*valgrind, f"--callgrind-out-file={folder / 'out'}", *counting],
        env=os.environ | _SAME_ON_EVERY_MACHINE,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        preexec_fn=partial(end_with_parent, signal.SIGTERM),
    )


@atexit.register
def end() -> None:
    """End the process that counts, if there is one."""
    global _process
    process, _process = _process, None
    if process:
        with contextlib.suppress(BrokenPipeError):
            process.communicate()


@functools.cache
def _versions() -> Mapping[str, str]:
    if not shutil.which("valgrind"):
        raise OptsuiteError(f"valgrind is not installed: {_COMMAND}")
    found = re.search(r"valgrind-(\d+\.\d+)", subprocess.check_output(["valgrind", "--version"], text=True))
    architecture, *features = cpu.features().split()
    if architecture == "x86_64":
        features = [one for one in features if one in _VECTORS]
    return {
        "Valgrind": found[1] if found else "unknown",
        "Python": ".".join(platform.python_version_tuple()[:2]),
        "glibc": platform.libc_ver()[1],
        "cpu": " ".join([architecture, *features]),
    }
