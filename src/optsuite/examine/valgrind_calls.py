"""Run under Valgrind: `python -m optsuite.examine.valgrind_calls OUT WARM_UP_CALLS CALLS` counts instructions.

OUT is the path that callgrind was given for what it writes. Each line of standard input is the path of a .tflite file;
each line of standard output is a JSON object that has either "instructions", of CALLS calls, or "error". Little is
imported: everything takes fifty times as long here.
"""

from __future__ import annotations

import ctypes
import json
import mmap
import os
import platform
import re
import sys
from collections.abc import Callable
from pathlib import Path

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
        """Prepare to count; `out` is the path that callgrind was given for what it writes."""
        self._page = mmap.mmap(-1, mmap.PAGESIZE, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
        self._page.write(bytes.fromhex(_REQUEST_CODE[platform.machine()]))
        prototype = ctypes.CFUNCTYPE(ctypes.c_uint64, ctypes.c_void_p, ctypes.c_uint64)
        self._code = prototype(ctypes.addressof(ctypes.c_char.from_buffer(self._page)))
        self._out = out
        self._dumps = 0
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
        self._dumps += 1  # callgrind numbers what it writes
        dump = self._out.with_name(f"{self._out.name}.{self._dumps}")
        (total,) = re.findall(r"^totals: (\d+)$", dump.read_text(), re.MULTILINE)
        dump.unlink()
        return int(total)

    def _request(self, number: int) -> None:
        words = (ctypes.c_uint64 * 6)(number)
        self._code(ctypes.addressof(words), 0)


def main(out: Path, warm_up_calls: int, calls: int) -> None:
    """Answer until standard input is closed, and delete the folder of what callgrind writes."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # LiteRT may print
    callgrind = Callgrind(out)
    warm = False
    try:
        for line in sys.stdin:
            answer: dict[str, int | str]
            try:
                runner = LiteRTRunner(Path(line.rstrip("\n")).read_bytes())
                for _ in range(warm_up_calls + (0 if warm else _REPEATS)):
                    runner.invoke()
                warm = True
                answer = {"instructions": callgrind.instructions(runner.invoke, calls)}
            except (OptsuiteError, RuntimeError) as error:
                answer = {"error": str(error)}
            print(json.dumps(answer), file=answers, flush=True)
    finally:
        # Valgrind does not follow: the process ends at once, and callgrind does not write once more.
        os.execvp("rm", ["rm", "-r", str(out.parent)])


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))
