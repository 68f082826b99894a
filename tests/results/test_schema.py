"""The JSON Schema of a run: that of the records, and one that the committed run follows."""

from __future__ import annotations

import json
from typing import Any

from runs import ROOT

from optsuite.results.reader import upgraded
from optsuite.results.schema import schema

COMMITTED = json.loads((ROOT / "docs/reference/run.schema.json").read_text())


def test_the_committed_schema_is_up_to_date() -> None:
    """`python -m optsuite.results.schema > docs/reference/run.schema.json` writes it."""
    assert json.loads(json.dumps(schema())) == COMMITTED


def test_the_committed_run_follows_the_schema() -> None:
    """Every required field is there, and the file has no field of optsuite's that the schema does not know."""
    run = upgraded(json.loads((ROOT / "reports" / "mnist" / "run.json").read_text()))
    header = _fields("Header")
    assert header["required"] <= run["optsuite"].keys() <= header["known"]
    measured = _fields("Measured")
    rows = [one["extra_info"]["optsuite"] for one in run["benchmarks"] if "optsuite" in one["extra_info"]]
    assert rows
    for row in rows:
        assert measured["required"] <= row.keys() <= measured["known"]


def _fields(record: str) -> dict[str, Any]:
    definition = COMMITTED["$defs"][record]
    return {"required": set(definition["required"]), "known": set(definition["properties"])}
