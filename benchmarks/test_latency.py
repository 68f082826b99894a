"""The timings: one `invoke()` at batch 1, and with it all that is recorded of a variant."""

from __future__ import annotations

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from optsuite.litert import Runner
from optsuite.results.measured import Measured
from optsuite.results.reader import SECTION, plain


@pytest.mark.usefixtures("watched")
def test_latency(benchmark: BenchmarkFixture, runner: Runner, measured: Measured) -> None:
    """Time `invoke()` alone: the input was set before, the answer is not fetched."""
    benchmark.extra_info[SECTION] = plain(measured)
    benchmark(runner.invoke)
