"""The answers of a file: the record of its scores, mistakes and sizes."""

from __future__ import annotations

import gzip
import hashlib
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from optsuite.results.answers import Answers
from optsuite.results.measured import Measured
from optsuite.spec.data import Split
from optsuite.spec.metric import Metric


def mistakes(outputs: np.ndarray, answers: Answers) -> tuple[int, ...]:
    """The labels given to the inputs that were answered wrong, in their order: of the largest output."""
    return tuple(outputs.argmax(axis=-1)[~answers.correct()].tolist())


def answers(metric: Metric, outputs: np.ndarray, split: Split) -> Answers:
    """Return the scores of a model's outputs; OptsuiteError if they do not fit the metric."""
    metric.check(outputs.shape[1:], split.y)
    scores = metric.scores(outputs, split.y)
    return Answers.of(scores if metric.classes else scores.astype(np.float32))


def record(
    content: bytes,
    metric: Metric,
    splits: Mapping[str, Split],
    outputs: Mapping[str, np.ndarray],
    notes: Iterable[str],
    **rest: Any,
) -> Measured:
    """The record of a file that gave these answers to the splits "test" and "validation"; `rest` as in `Measured`."""
    test = answers(metric, outputs["test"], splits["test"])
    return Measured(
        sha256=hashlib.sha256(content).hexdigest(),
        test=test,
        validation=answers(metric, outputs["validation"], splits["validation"]),
        mistakes=mistakes(outputs["test"], test) if metric.classes else (),
        bytes=len(content),
        gzip_bytes=gzip_bytes(content),
        note="; ".join(filter(None, [*notes, not_finite(outputs["test"])])),
        **rest,
    )


def not_finite(outputs: np.ndarray) -> str:
    """Return a note on outputs, float32 (n, classes), that are not finite; an empty string if all are."""
    count = int((~np.isfinite(outputs).all(axis=-1)).sum())
    return f"{count} of {len(outputs)} answers are not finite" if count else ""


def gzip_bytes(content: bytes) -> int:
    """Size after gzip -9, without a time stamp."""
    return len(gzip.compress(content, compresslevel=9, mtime=0))
