"""A file on an Arm Ethos-U NPU, as Arm's compiler Vela estimates it: memory, cycles, and what falls back to the CPU."""

from __future__ import annotations

import csv
import importlib.resources
import re
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from optsuite.errors import OptsuiteError, UnavailableError
from optsuite.examine.examination import Examination, ExaminationTask
from optsuite.files import File
from optsuite.results.examined import Findings
from optsuite.results.figures import Figure

_LIMIT_S = 600
_VELA = "import sys; from ethosu.vela.vela import main; sys.exit(main(sys.argv[1:]))"
_KIB = 1024
_OF_THE_MACHINE = ("ImportError", "ModuleNotFoundError", "OSError", "PermissionError", "MemoryError")
"""How the last line of a failure begins that says nothing of the file."""


@dataclass(frozen=True, kw_only=True)
class EthosU(Examination[Findings]):
    """The figures of a file on an Ethos-U. They are Vela's estimates, not measurements.

    Attributes:
        accelerator: Vela's name of the accelerator, such as "ethos-u55-128".
        system_config: The system configuration, a section of the configuration file. Take one without DRAM: Vela
            reports no SRAM for the others.
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
            name: str, label: str, unit: str, tolerance: float, *, varies: bool = False, headline: bool = False
        ) -> Figure:
            return Figure(
                name=f"{self.name}_{name}",
                label=f"{label} on {self.name} (Vela)",
                unit=unit,
                better="lower",
                tolerance=tolerance,
                varies=varies,
                headline=headline,
            )

        return (
            figure("flash_bytes", "flash", "bytes", 0.01, varies=True, headline=True),
            figure("sram_bytes", "SRAM", "bytes", 0.01),
            figure("weight_bytes", "encoded weights", "bytes", 0.01, varies=True),
            figure("cycles", "cycles", "", 0.01, varies=True, headline=True),
            figure("inference_s", "inference time", "s", 0.01, varies=True),
            figure("cpu_operators", "operators on the CPU", "", 0.0),
        )

    def run(self, task: ExaminationTask) -> Findings:
        # Vela names its files after the model and the system: two accelerators would share one.
        with tempfile.TemporaryDirectory() as folder:
            model = Path(folder) / "model.tflite"
            model.write_bytes(task.content)
            printed = self._compiled(model, Path(folder) / "out")
            on_cpu, on_npu = (_count(printed, where) for where in ("CPU", "NPU"))
            if not on_npu:
                raise OptsuiteError("no operator of it runs on the NPU")
            (summary,) = (Path(folder) / "out").glob("*_summary_*.csv")
            with summary.open(newline="") as file:
                (line,) = csv.DictReader(file)
        flash = float(line["off_chip_flash_memory_used"]) + float(line["on_chip_flash_memory_used"])
        found = {
            "flash_bytes": round(flash * _KIB),
            "sram_bytes": round(float(line["sram_memory_used"]) * _KIB),
            "weight_bytes": int(float(line["total_npu_encoded_weights"])),
            "cycles": int(float(line["cycles_total"])),
            "inference_s": float(line["inference_time"]),
            "cpu_operators": on_cpu,
        }
        return Findings(figures={f"{self.name}_{name}": value for name, value in found.items()})

    def _compiled(self, model: Path, out: Path) -> str:
        """Compile the model for the NPU, and return what Vela printed."""
        settings = [
            *("--accelerator-config", self.accelerator, "--system-config", self.system_config),
            *("--memory-mode", self.memory_mode, "--config", self._config()),
            *("--optimise", "Performance", "--output-dir", str(out)),
        ]
        try:
            done = subprocess.run(
                [sys.executable, "-c", _VELA, str(model), *settings],
                capture_output=True,
                text=True,
                timeout=_LIMIT_S,
                check=False,
            )
        except subprocess.TimeoutExpired as error:
            raise UnavailableError(f"Vela took longer than {_LIMIT_S} s") from error
        if done.returncode < 0:
            raise UnavailableError("Vela was killed")
        if done.returncode:
            words = ((done.stderr.strip() or done.stdout.strip()).splitlines() or ["nothing"])[-1][:300]
            if words.startswith(_OF_THE_MACHINE):
                raise UnavailableError(f"Vela failed on this machine: {words}")
            raise OptsuiteError(f"Vela failed: {words}")
        return done.stdout

    def _config(self) -> str:
        if self.config:
            if not Path(self.config.path).is_file():
                raise UnavailableError(f"{self.config.path} is not on the machine that examines")
            return self.config.path
        try:
            return str(importlib.resources.files("ethosu") / "config_files" / "Arm" / "vela.ini")
        except ModuleNotFoundError as error:
            raise UnavailableError("ethos-u-vela is not installed") from error


def _count(printed: str, where: str) -> int:
    found = re.search(rf"^{where} operators = (\d+)", printed, re.MULTILINE)
    if not found:
        raise OptsuiteError(f"expected the number of {where} operators from Vela, got none")
    return int(found[1])
