"""The pipeline table: every TFLite method of every collaborative pipeline of one model."""

from __future__ import annotations

import re

import pandas as pd

from optsuite.report.tables import over_seeds
from optsuite.results.run import Run

METHODS = ("keras", "fp32", "fp16", "dynamic", "uint8", "int8", "int16x8", "int4", "mixed")


def label(recipe: str) -> str:
    """A recipe as the published table calls it: without numbers, `none` for the baseline, `quant` for plain QAT."""
    return {"baseline": "none", "qat": "quant"}.get(recipe, re.sub(r"-[0-9.]+", "", recipe))


def tables(run: Run) -> dict[str, pd.DataFrame]:
    """Model -> its table, for the models of which the run has a pipeline of two stages or more.

    Accuracy in percent, total time in ms for all test images, size in KB of 1,024 bytes; with several seeds, the means
    over them. A row for every method and pipeline: what is absent has the reason in its note.
    """
    seeds: dict[tuple[str, str], set[int]] = {}
    for one in run.header.built:
        if one.recipe in run.header.catalog.pipelines and "_" in one.recipe:
            seeds.setdefault((one.model, one.model_id), set()).add(one.seed)
    return {model: _table(run, model_id, sorted(found)) for (model, model_id), found in seeds.items()}


def _table(run: Run, model_id: str, seeds: list[int]) -> pd.DataFrame:
    lines = [
        {"Method": method, "Model optimize": label(recipe)} | _figures(run, f"{model_id}_{recipe}_s{seed}", method)
        for method in METHODS
        for recipe in run.header.catalog.pipelines
        for seed in seeds
    ]
    table = pd.DataFrame(lines).astype(dict.fromkeys(("Accuracy", "Total time", "File size"), "Float64"))
    return over_seeds(table, by=("Method", "Model optimize"))


def _figures(run: Run, experiment: str, method: str) -> dict[str, object]:
    row = run.row(experiment, method)
    if row is None:
        reason = run.absence(experiment, method)
        return {"Accuracy": pd.NA, "Total time": pd.NA, "File size": pd.NA, "Note": reason}
    measured = row.measured
    return {
        "Accuracy": round(100 * measured.test.accuracy, 2),
        "Total time": round(1e3 * measured.total_time_s, 2),
        "File size": round(measured.bytes / 1024, 2),
        "Note": measured.note,
    }
