"""The pipeline table: every TFLite method of every collaborative pipeline of one model."""

from __future__ import annotations

import re

import pandas as pd

from optsuite.experiments import PIPELINES
from optsuite.results import Run

METHODS = ("keras", "fp32", "fp16", "dynamic", "uint8", "int8", "int16x8")


def label(recipe: str) -> str:
    """A recipe as the published table calls it: without numbers, `none` for the baseline, `quant` for plain QAT."""
    return {"baseline": "none", "qat": "quant"}.get(recipe, re.sub(r"-[0-9.]+", "", recipe))


def tables(run: Run) -> dict[str, pd.DataFrame]:
    """Model -> its table, for the models of which the run has a pipeline of two stages or more.

    Accuracy in percent, total time in ms for all test images, size in KB of 1,024 bytes; with several seeds, those of
    the first. A row for every method and pipeline: what is absent has the reason in its note.
    """
    seeds: dict[str, int] = {}
    for one in run.header.built:
        if one.kind in PIPELINES and "_" in one.kind:
            seeds[one.model] = min(one.seed, seeds.get(one.model, one.seed))
    numbers = dict.fromkeys(("Accuracy", "Total time", "File size"), "Float64")
    return {
        model: pd.DataFrame(
            [_line(run, f"{model}_{recipe}_s{seed}", method, recipe) for method in METHODS for recipe in PIPELINES]
        ).astype(numbers)
        for model, seed in seeds.items()
    }


def _line(run: Run, experiment: str, method: str, recipe: str) -> dict[str, object]:
    row = run.row(experiment, method)
    line: dict[str, object] = {"Method": method, "Model optimize": label(recipe)}
    if row is None:
        reason = run.absence(experiment, method)
        return line | {"Accuracy": pd.NA, "Total time": pd.NA, "File size": pd.NA, "Note": reason}
    measured = row.measured
    return line | {
        "Accuracy": round(100 * measured.test.accuracy, 2),
        "Total time": round(1e3 * measured.total_time_s, 2),
        "File size": round(measured.bytes / 1024, 2),
        "Note": measured.note,
    }
