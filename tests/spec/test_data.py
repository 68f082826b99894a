"""The splits that a user's function loads."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from optsuite.errors import OptsuiteError
from optsuite.spec.data import Dataset, Split
from optsuite.spec.metric import MeanAbsoluteError, Metric, TopK

X, Y = np.zeros((6, 8, 3), np.float32), np.arange(6)


def _dataset(found: Any, metric: Metric | None = None) -> Dataset:
    def load(name: str) -> Any:
        return {"test": found}[name]

    return Dataset(name="accel", input_shape=(8, 3), fingerprint="1", load=load, metric=metric or TopK())


@pytest.mark.parametrize(
    ("found", "message"),
    [
        (Split(x=X, y=Y + 0.5), "expected y to be 6 labels, integers from 0, got float64 (6,)"),
        (Split(x=X, y=Y.astype(np.float32)), "expected y to be 6 labels, integers from 0, got float32 (6,)"),
        (Split(x=X, y=Y - 1), "expected y to be 6 labels, integers from 0, got int64 (6,)"),
        (Split(x=X, y=Y[:5]), "expected y to be 6 labels, integers from 0, got int64 (5,)"),
        (Split(x=X.astype(float), y=Y), "expected x to be float32 of shape (n, 8, 3), got float64 (6, 8, 3)"),
        (Split(x=X.swapaxes(1, 2), y=Y), "expected x to be float32 of shape (n, 8, 3), got float32 (6, 3, 8)"),
        (Split(x=X[:0], y=Y[:0]), "expected x to be float32 of shape (n, 8, 3), got float32 (0, 8, 3)"),
        ((X, Y), "expected a Split, got tuple"),
    ],
)
def test_what_is_no_split_of_the_dataset_is_refused(found: Any, message: str) -> None:
    """Labels with fractions were judged, as wrong, and passed every gate."""
    with pytest.raises(OptsuiteError) as error:
        _dataset(found).split("test")
    assert str(error.value) == f'dataset accel: load("test"): {message}'


def test_an_error_of_the_users_function_is_one_line() -> None:
    """It names the split that was asked for."""
    with pytest.raises(OptsuiteError) as error:
        _dataset(Split(x=X, y=Y)).split("validation")
    assert str(error.value) == "dataset accel: load(\"validation\") raised KeyError: 'validation'; expected a Split"


def test_a_split_is_taken_as_it_is() -> None:
    """Labels of any integer type, and numbers where the metric is of numbers."""
    for split, metric in (
        (Split(x=X, y=Y), TopK()),
        (Split(x=X, y=Y.astype(np.uint8)), TopK()),
        (Split(x=X, y=(Y / 6).astype(np.float32)), MeanAbsoluteError()),
    ):
        assert _dataset(split, metric).split("test") is split
