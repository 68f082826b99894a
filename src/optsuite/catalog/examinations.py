"""The catalogue of examinations: what is found out of every .tflite file, once."""

from __future__ import annotations

from typing import Any

from optsuite.examine.accuracy import Accuracy
from optsuite.examine.examination import Examination
from optsuite.examine.kernels import Kernels
from optsuite.examine.runtime import Runtime
from optsuite.examine.size import Size
from optsuite.spec.names import by_name

ACCURACY = Accuracy()
KERNELS = Kernels()
RUNTIME = Runtime()
SIZE = Size()
NEEDED = (ACCURACY, KERNELS, RUNTIME, SIZE)
"""What has to be found of every file: without it there is no row."""

EXAMINATIONS: dict[str, Examination[Any]] = by_name(*NEEDED)
