"""Several runs as one."""

from __future__ import annotations

import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from optsuite.errors import OptsuiteError
from optsuite.results import reader
from optsuite.results.join import joined

Write = Callable[[Any], Path]


def _other(run_json: dict[str, Any], model: str = "net") -> dict[str, Any]:
    """The same run of another model, on another machine."""
    other = copy.deepcopy(run_json)
    other["machine_info"]["cpu"]["brand_raw"] = "Another CPU"
    header = other["optsuite"]
    header["experiments"] = [name.replace("conv", model) for name in header["experiments"]]
    for record in [*header["built"], *header["absences"]]:
        for field in ("id", "model", "experiment"):
            if field in record:
                record[field] = record[field].replace("conv", model)
    for benchmark in other["benchmarks"]:
        if measured := benchmark["extra_info"].get("optsuite"):
            measured["experiment"] = measured["experiment"].replace("conv", model)
    return other


@pytest.fixture
def hashed(run_json: dict[str, Any]) -> dict[str, Any]:
    """A run whose test data is known."""
    run_json["optsuite"]["datasets"][0]["sha256"] = "ab"
    return run_json


def test_the_rows_of_both(hashed: dict[str, Any], write_run: Write) -> None:
    """Those of the second say where they are from; everything else is the first's."""
    first = reader.read(write_run(hashed))
    other = _other(hashed)
    other["optsuite"]["datasets"][0]["name"] = "theirs"
    for built in other["optsuite"]["built"]:
        built["dataset"] = "theirs"
    both = joined([first, reader.read(write_run(other))])
    assert (both.machine, both.date, both.header.profile) == (first.machine, first.date, first.header.profile)
    assert len(both.rows) == 2 * len(first.rows)
    assert {built.dataset for built in both.header.built} == {"mnist"}
    assert len(both.header.absences) == 2 * len(first.header.absences)
    assert both.rows[: len(first.rows)] == first.rows
    assert all("from another run, on Another CPU" in row.measured.note for row in both.rows[len(first.rows) :])
    assert both.absence("net_qat_s0", "int16x8") == first.absence("conv_qat_s0", "int16x8") == "TFLite cannot"
    assert joined([first]) is first


def test_what_can_not_be_joined(hashed: dict[str, Any], write_run: Write) -> None:
    """Runs of the same experiments are to be compared; accuracies on other data have no table in common."""
    first = reader.read(write_run(hashed))
    with pytest.raises(OptsuiteError, match=r"got conv_baseline_s0 in two of them; `optsuite compare` compares"):
        joined([first, first])
    other = _other(hashed)
    other["optsuite"]["datasets"][0]["sha256"] = "cd"
    with pytest.raises(OptsuiteError, match=r"expected runs on the same test data, got mnist \(100 labels\) and mnist"):
        joined([first, reader.read(write_run(other))])
