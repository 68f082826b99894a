"""The catalogue of targets: where a file is to run.

Files are examined for the targets that are named (`--optsuite-targets`), or else for all but those on request.
"""

from __future__ import annotations

from optsuite.examine.ethos_u import EthosU
from optsuite.examine.qemu import CortexAnswers, CortexInstructions
from optsuite.examine.target import Target
from optsuite.examine.tflm import Answers, Arena
from optsuite.examine.valgrind import HostInstructions
from optsuite.spec.names import by_name


def ethos_u(accelerator: str, system_config: str) -> Target:
    """Return the target of an Ethos-U without DRAM: weights in flash, tensors in SRAM."""
    npu = EthosU(name=accelerator, accelerator=accelerator, system_config=system_config, memory_mode="Shared_Sram")
    return Target(name=accelerator, examinations=(npu,))


def cortex(core: str) -> Target:
    """Return the target of an ARM core, by QEMU's name of it."""
    return Target(name=core, examinations=(CortexInstructions(name=core),))


def cortex_answers(core: str) -> Target:
    """Return the target that compares the answers of an ARM core's kernels with those here.

    It is examined on request: a float32 network of a million instructions takes 40 ms an image.
    """
    answers = CortexAnswers(name=f"{core}-answers", core=core)
    return Target(name=answers.name, examinations=(answers,), on_request=True)


TARGETS = by_name(
    Target(name="tflm", examinations=(Arena(), Answers())),
    ethos_u("ethos-u55-128", "Ethos_U55_High_End_Embedded"),
    ethos_u("ethos-u55-256", "Ethos_U55_High_End_Embedded"),
    ethos_u("ethos-u65-256", "Ethos_U65_Embedded"),
    ethos_u("ethos-u85-256", "Ethos_U85_SYS_Flash_High"),
    Target(name="host", examinations=(HostInstructions(),)),
    cortex("cortex-a53"),
    cortex("cortex-a72"),
    cortex("cortex-a76"),
    cortex_answers("cortex-a53"),
    cortex_answers("cortex-a76"),
)
