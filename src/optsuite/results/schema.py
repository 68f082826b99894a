"""The JSON Schema of a run's JSON: `python -m optsuite.results.schema > docs/reference/run.schema.json`."""

from __future__ import annotations

import json
import sys
from typing import Any

import msgspec

from optsuite.results.reader import SCHEMA, RunFile


def schema() -> dict[str, Any]:
    """Return the JSON Schema of what optsuite reads in the file; pytest-benchmark writes more into it."""
    title = f"The JSON of an optsuite run, schema version {SCHEMA}"
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": title} | msgspec.json.schema(RunFile)


def main() -> None:
    """Print the JSON Schema."""
    json.dump(schema(), sys.stdout, indent=2)
    print()


if __name__ == "__main__":
    main()
