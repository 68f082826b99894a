"""A file on an Arm Ethos-U NPU, as Arm's compiler Vela estimates it: memory, cycles, and what falls back to the CPU."""

from __future__ import annotations

import csv
import faulthandler
import importlib.resources
import os
import re
import signal
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

from optsuite import programs
from optsuite.errors import OptsuiteError, UnavailableError, first_line
from optsuite.examine.examination import Examination, ExaminationTask
from optsuite.examine.printed import printed_by
from optsuite.files import File
from optsuite.litert import or_end
from optsuite.results.examined import Findings
from optsuite.results.figures import Figure, Resource

_LIMIT_S = 600
_KIB = 1024


@dataclass(frozen=True, kw_only=True)
class EthosU(Examination[Findings]):
    """The figures of a file on an Ethos-U. They are Vela's estimates, not measurements.

    A file with operators that fall back to the CPU has no cycles and no inference time: Vela does not estimate these
    operators.

    Attributes:
        accelerator: Vela's name of the accelerator, such as "ethos-u55-128".
        system_config: The system configuration, a section of the configuration file. It has to be one without DRAM:
            of others Vela reports neither flash nor SRAM.
        memory_mode: The memory mode, a section of the configuration file.
        config: The configuration file; None for the one that comes with Vela.

    """

    accelerator: str
    system_config: str
    memory_mode: str
    config: File | None = None
    packages = ("ethos-u-vela",)

    @property
    def figures(self) -> tuple[Figure, ...]:
        def figure(
            name: str,
            label: str,
            unit: str = "",
            *,
            tolerance: float | None = 0.01,
            varies: bool = False,
            resource: Resource = "",
        ) -> Figure:
            return Figure(
                name=f"{self.name}_{name}",
                label=f"{label} on {self.name} (Vela)",
                unit=unit,
                better="lower",
                tolerance=tolerance,
                varies=varies,
                resource=resource,
            )

        return (
            figure("flash_bytes", "flash", "bytes", varies=True, resource="flash"),
            # Vela buffers encoded weights in SRAM: the less they are, the more fit.
            figure("sram_bytes", "SRAM", "bytes", varies=True, resource="sram"),
            figure("weight_bytes", "encoded weights", "bytes", varies=True),
            figure("cycles", "cycles", varies=True, resource="cycles"),
            # The largest of the three bounds the cycles: Vela takes it for each operator.
            figure("npu_cycles", "NPU cycles", tolerance=None),
            figure("sram_cycles", "SRAM access cycles", tolerance=None),
            figure("flash_cycles", "flash access cycles", tolerance=None),
            figure("inference_s", "inference time", "s", tolerance=None, resource="latency"),
            figure("cpu_operators", "operators on the CPU", tolerance=0.0),
        )

    def run(self, task: ExaminationTask) -> Findings:
        # Vela names its files after the model and the system: two accelerators would share one.
        with tempfile.TemporaryDirectory() as folder:
            model, out = Path(folder) / "model.tflite", Path(folder) / "out"
            model.write_bytes(task.content)
            printed = self._compiled(model, out)
            on_cpu, on_npu = (_count(printed, where) for where in ("CPU", "NPU"))
            if not on_npu:
                raise OptsuiteError("no operator of it runs on the NPU")
            (summary,) = out.glob("*_summary_*.csv")
            with summary.open(newline="") as file:
                (line,) = csv.DictReader(file)

        def value(*columns: str) -> float:
            return sum(float(line[column]) for column in columns)

        if value("dram_memory_used"):
            raise OptsuiteError(
                f"{self.system_config} has DRAM, of which nothing is reported; expected a system without"
            )
        found: dict[str, int | float] = {
            "flash_bytes": round(_KIB * value("off_chip_flash_memory_used", "on_chip_flash_memory_used")),
            "sram_bytes": round(_KIB * value("sram_memory_used")),
            "weight_bytes": int(value("total_npu_encoded_weights")),
            "npu_cycles": int(value("cycles_npu")),
            "sram_cycles": int(value("cycles_sram_access")),
            "flash_cycles": int(value("cycles_off_chip_flash_access", "cycles_on_chip_flash_access")),
            "cpu_operators": on_cpu,
        }
        if not on_cpu:  # Vela does not estimate what falls back
            found |= {"cycles": int(value("cycles_total")), "inference_s": value("inference_time")}
        return Findings(figures={f"{self.name}_{name}": value for name, value in found.items()})

    def _compiled(self, model: Path, out: Path) -> str:
        """Compile the model for the NPU, and return what Vela printed."""
        try:
            from ethosu.vela import vela
        except ImportError as error:
            raise UnavailableError(f"ethos-u-vela can't be imported: {first_line(error)}") from error
        settings = [
            *("--accelerator-config", self.accelerator, "--system-config", self.system_config),
            *("--memory-mode", self.memory_mode, "--config", self._config()),
            *("--optimise", "Performance", "--output-dir", str(out)),
        ]
        statuses: list[int] = []
        with or_end(_LIMIT_S):
            printed = printed_by(lambda: statuses.append(_status(vela.main, [str(model), *settings])))
        (status,) = statuses
        if status in (_NO_ROOM, -signal.SIGKILL):
            raise UnavailableError(f"Vela failed on this machine: {_last_line(printed)}")
        if status < 0:
            raise OptsuiteError(f"Vela {version('ethos-u-vela')} crashed on this file: {signal.Signals(-status).name}")
        if status:
            raise OptsuiteError(f"Vela failed: {_last_line(printed)}")
        return printed

    def _config(self) -> str:
        if self.config:
            if not Path(self.config.path).is_file():
                raise UnavailableError(f"{self.config.path} is not on the machine that examines")
            return self.config.path
        return str(importlib.resources.files("ethosu") / "config_files" / "Arm" / "vela.ini")


_NO_ROOM = 2
"""The exit status of a process in which Vela failed for a reason of the machine."""


def _status(main: Callable[[list[str]], object], arguments: list[str]) -> int:
    """Run Vela in a process of its own, which it may crash; return the exit status, or minus the signal's number.

    The process is forked, so that it need not import Vela anew, which takes far longer than what it does then.
    """
    child = os.fork()
    if not child:
        programs.end_with_parent()
        faulthandler.disable()  # a crash is Vela's answer, and no failure of the process that examines
        status = 1
        try:
            status = 1 if main(arguments) else 0
        except (OSError, MemoryError) as error:
            print(error)
            status = _NO_ROOM
        except (Exception, SystemExit) as error:  # Vela's own errors, argparse's, and those of its C++
            print(error)
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(status)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def _last_line(printed: str) -> str:
    lines = [line for line in printed.splitlines() if line.strip()]
    return lines[-1][:300] if lines else "nothing printed"


def _count(printed: str, where: str) -> int:
    found = re.search(rf"^{where} operators = (\d+)", printed, re.MULTILINE)
    if not found:
        raise OptsuiteError(f"expected the number of {where} operators from Vela, got none")
    return int(found[1])
