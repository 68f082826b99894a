"""The kernels of a file: their statistics, and the number formats that it computes in."""

from __future__ import annotations

from dataclasses import dataclass

from optsuite import tflite
from optsuite.examine.examination import Examination, ExaminationTask
from optsuite.results.examined import Contents
from optsuite.results.kernels import describe


@dataclass(frozen=True, kw_only=True)
class Kernels(Examination[Contents]):
    """The statistics of a file's kernels."""

    name: str = "kernels"
    packages = ("ai-edge-litert", "numpy")
    record = Contents

    def run(self, task: ExaminationTask) -> Contents:
        found = tflite.kernels(task.content)
        return Contents(
            weights=tuple(
                describe(kernel.name, kernel.values, channel_axis=kernel.channel_axis, zero=kernel.zero)
                for kernel in found
            ),
            dtypes=tuple(kernel.dtype for kernel in found),
            used_dtypes=tuple(kernel.used_dtype for kernel in found),
            activations=tuple(sorted({kernel.input_dtype for kernel in found})),
            macs=sum(kernel.values.size * kernel.positions for kernel in found),
            biases=sum(kernel.biases for kernel in found),
        )
