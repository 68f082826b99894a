"""The table of `optsuite spread`: how much trainings differ."""

from __future__ import annotations

import pandas as pd

from optsuite.judge.training_spread import LEAST, Rows, Spread
from optsuite.judge.verdict import ALPHA


def table(rows: Rows) -> pd.DataFrame:
    """One line per row: its trainings, and the smallest changes that a comparison with one new training finds.

    `drop_found` is an accuracy drop, `growth_found` a growth of the gzip size, both fractions, where all these rows are
    compared together; they are missing for fewer than 5 trainings.
    """
    p = ALPHA / max(1, 2 * len(rows))
    lines = []
    for one in rows.values():
        count = len(one.seeds)
        found = pd.DataFrame({"accuracy": one.accuracy, "gzip_bytes": one.gzip_bytes}, dtype=float)
        mean, sd = found.mean(), found.std()
        line = {
            "experiment": one.experiment,
            "variant": one.variant,
            "trainings": str(count),
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
