"""Run under Valgrind: `python -m optsuite.examine.valgrind_calls FOLDER WARM_UP_CALLS CALLS` counts instructions.

Callgrind writes to FOLDER/out, and FOLDER/warm-up.tflite is a small model. Each line of standard input is the path of a
.tflite file; each line of standard output is a JSON object with the "instructions" of CALLS calls, with an "error", or
with the exit "status" of a process that had neither. Little is imported: everything takes fifty times as long here.
"""

from __future__ import annotations

import ctypes
import json
import mmap
import os
import platform
import re
import signal
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn, TextIO

from optsuite import programs
from optsuite.errors import OptsuiteError
from optsuite.litert import LiteRTRunner

# What Valgrind takes for a request, as functions of the address of six words (the request and its arguments) and of
# what to return outside of Valgrind. The sequences are those of its manual, section "The Client Request mechanism".
_REQUEST_CODE = {
    # mov rax, rdi; mov rdx, rsi; rol rdi, 3; rol rdi, 13; rol rdi, 61; rol rdi, 51; xchg rbx, rbx; mov rax, rdx; ret
    "x86_64": "4889f8 4889f2 48c1c703 48c1c70d 48c1c73d 48c1c733 4887db 4889d0 c3",
    # mov x4, x0; mov x3, x1; ror x12, x12, 3; ror x12, x12, 13; ror x12, x12, 51; ror x12, x12, 61; orr x10, x10, x10;
    # mov x0, x3; ret
    "aarch64": "e40300aa e30301aa 8c0dcc93 8c35cc93 8ccdcc93 8cf5cc93 4a010aaa e00303aa c0035fd6",
}
_DUMP, _ZERO, _TOGGLE = (0x43540000 + number for number in range(3))
"""Callgrind's requests: write the count to a file, set it to zero, begin or stop counting."""

_REPEATS = 20
"""How often code that is counted runs before: Python adapts bytecode that runs often, which takes instructions."""


class Callgrind:
    """Callgrind's counter of this process, which runs under it."""

    def __init__(self, out: Path) -> None:
        """Prepare to count; `out` is where callgrind writes."""
        self._page = mmap.mmap(-1, mmap.PAGESIZE, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
        self._page.write(bytes.fromhex(_REQUEST_CODE[platform.machine()]))
        prototype = ctypes.CFUNCTYPE(ctypes.c_uint64, ctypes.c_void_p, ctypes.c_uint64)
        self._code = prototype(ctypes.addressof(ctypes.c_char.from_buffer(self._page)))
        self._out = out
        for _ in range(_REPEATS):  # the interpreter adapts to code that it has run
            self._counted(int, _REPEATS)

    def instructions(self, call: Callable[[], object], calls: int) -> int:
        """Return the instructions of so many calls."""
        # What counting itself takes is the same for any number of calls.
        return self._counted(call, calls) - self._counted(call, 0)

    def _counted(self, call: Callable[[], object], calls: int) -> int:
        self._request(_ZERO)
        self._request(_TOGGLE)
        for _ in range(calls):
            call()
        self._request(_TOGGLE)
        self._request(_DUMP)
        (dump,) = self._out.parent.glob(f"{self._out.name}.*")  # callgrind numbers what it writes
        (total,) = re.findall(r"^totals: (\d+)$", dump.read_text(), re.MULTILINE)
        dump.unlink()
        return int(total)

    def _request(self, number: int) -> None:
        words = (ctypes.c_uint64 * 6)(number)
        self._code(ctypes.addressof(words), 0)


def main(folder: Path, warm_up_calls: int, calls: int) -> None:
    """Answer until standard input is closed or SIGTERM comes, and delete the folder."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit())
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # LiteRT may print
    callgrind = Callgrind(folder / "out")
    # Valgrind's translation of what every file executes is made here, once.
    _count(callgrind, folder / "warm-up.tflite", _REPEATS, calls)
    try:
        for line in sys.stdin:
            # A process of its own for each file: it begins with the same memory, whatever was counted before.
            child = os.fork() or _answer(answers, callgrind, Path(line.rstrip("\n")), warm_up_calls, calls)
            status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
            if status:
                print(json.dumps({"status": status}), file=answers, flush=True)
    finally:
        _end("rm", "-r", str(folder))


def _answer(answers: TextIO, callgrind: Callgrind, model: Path, warm_up_calls: int, calls: int) -> NoReturn:
    """Answer and end."""
    try:
        programs.end_with_parent()
        answer: dict[str, int | str]
        try:
            answer = {"instructions": _count(callgrind, model, warm_up_calls, calls)}
        except (OptsuiteError, RuntimeError) as error:
            answer = {"error": str(error)}
        print(json.dumps(answer), file=answers, flush=True)
    except BaseException:
        traceback.print_exc()
        _end("false")
    _end("true")


def _count(callgrind: Callgrind, model: Path, warm_up_calls: int, calls: int) -> int:
    runner = LiteRTRunner(model.read_bytes())
    for _ in range(warm_up_calls):
        runner.invoke()
    return callgrind.instructions(runner.invoke, calls)


def _end(program: str, *arguments: str) -> NoReturn:
    """End with a program that Valgrind does not follow: callgrind does not write once more, which takes long."""
    os.execvp(program, [program, *arguments])


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))
