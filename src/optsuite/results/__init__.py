"""The results of a run: records, and the JSON that holds them.

The public part is `read`, and the `Run` that it returns:

    import optsuite.results

    table = optsuite.results.read("run.json").to_frame()
"""

from __future__ import annotations

from optsuite.results.reader import read
from optsuite.results.run import Row, Run

__all__ = ["Row", "Run", "read"]
