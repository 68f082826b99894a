"""95 % intervals of the numbers that are shown."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.stats import binomtest, quantile_test, ttest_1samp

from optsuite.results.answers import Answers
from optsuite.results.timing import Timing


def accuracy(answers: Answers) -> tuple[float, float]:
    """Return the interval of an accuracy: Wilson's (Wilson 1927), or Student's for graded answers."""
    if answers.graded:
        scores = answers.scores().astype(float)
        if not np.ptp(scores):
            return answers.accuracy, answers.accuracy
        student: Any = ttest_1samp(scores, 0.0).confidence_interval()
        return float(student.low), float(student.high)
    right = int(answers.correct().sum())
    interval = binomtest(right, answers.count).proportion_ci(method="wilson")
    return float(interval.low), float(interval.high)


def median_s(timing: Timing) -> tuple[float, float] | None:
    """Return the interval of a median from order statistics, for any distribution (Conover 1999, ch. 3.2).

    None without single rounds, or with too few of them.
    """
    if not timing.single_rounds:
        return None
    interval: Any = quantile_test(np.array(timing.rounds_s)).confidence_interval()
    low, high = float(interval.low), float(interval.high)
    return None if np.isnan(low + high) else (low, high)
