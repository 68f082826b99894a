"""The tables of `optsuite spread`: how much trainings differ."""

from __future__ import annotations

from statistics import fmean

import numpy as np
import pandas as pd

from optsuite.judge.training_spread import LEAST, Rows, Spread
from optsuite.judge.verdict import ALPHA
from optsuite.results.run import Run
from optsuite.units import number


def table(rows: Rows, *, alpha: float = ALPHA) -> pd.DataFrame:
    """One line per row: its trainings, and the smallest changes that a comparison with one new training finds.

    `drop_found` is an accuracy drop, `growth_found` a growth of the gzip size, both fractions, where all these rows are
    compared together, with a chance of `alpha` for any false alarm; they are missing for fewer than 5 trainings.
    """
    p = alpha / max(1, 2 * len(rows))
    lines = []
    for one in rows.values():
        count = len(one.seeds)
        found = pd.DataFrame({"accuracy": one.accuracy, "gzip_bytes": one.gzip_bytes}, dtype=float)
        mean, sd = found.mean(), found.std()
        line = {
            "experiment": one.experiment,
            "variant": one.variant,
            "seeds": str(count),
            "accuracy": mean["accuracy"],
            "accuracy_sd": sd["accuracy"],
            "gzip_bytes": mean["gzip_bytes"],
            "gzip_bytes_sd": sd["gzip_bytes"],
        }
        if count >= LEAST:
            gzip = found["gzip_bytes"] / mean["gzip_bytes"]
            line["drop_found"] = Spread.of(found["accuracy"].tolist(), resolution=0).least(p, count, 1)
            line["growth_found"] = Spread.of(gzip.tolist(), resolution=0).least(p, count, 1)
        lines.append(line)
    return pd.DataFrame(lines)


def of_examinations(rows: Rows, run: Run) -> pd.DataFrame:
    """One line per row and figure of an examination that varies with the weights.

    `sd` is a share of the mean; `growth_found` is as in `table`, where all these are compared together.
    """
    varying = [one for one in run.examined_figures() if one.varies and one.tolerance is not None]
    known = [(row, one, values) for row in rows.values() for one in varying if any(values := row.values(one.name))]
    lines = []
    for row, figure, values in known:
        mean = fmean(values)
        line = {
            "experiment": row.experiment,
            "variant": row.variant,
            "seeds": str(len(values)),
            "figure": figure.name,
            "mean": number(round(mean)),
        }
        if len(values) > 1:
            line["sd"] = f"{float(np.std(values, ddof=1)) / mean:.4f}"
        if len(values) >= LEAST:
            shares = Spread.of([value / mean for value in values], resolution=1 / mean)
            line["growth_found"] = f"{shares.least(ALPHA / 2 / len(known), len(values), 1):.4f}"
        lines.append(line)
    return pd.DataFrame(lines)
