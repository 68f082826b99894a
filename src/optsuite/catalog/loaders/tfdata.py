"""Datasets from `tf.data`."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from optsuite import spawn
from optsuite.catalog.loaders.splits import Loader, checked_split
from optsuite.errors import OptsuiteError, first_line
from optsuite.spec.data import Dataset, Split
from optsuite.spec.metric import ACCURACY, Metric
from optsuite.spec.names import function_name


def from_tfdata(
    name: str,
    input_shape: tuple[int, ...],
    make: Callable[[str], Any],
    fingerprint: str,
    *,
    metric: Metric = ACCURACY,
    class_weights: Mapping[int, float] | None = None,
) -> Dataset:
    """Make a dataset of finite datasets of tf.data, whose elements are (x, label), not batched.

    Each is read once per process, in a separate process if TensorFlow is not loaded yet. It has to give the same data
    in the same order each time, or the run fails. TensorFlow, numpy and random are seeded before each call.

    Args:
        name: The name of the dataset.
        input_shape: The shape of one input, such as (96, 96, 3).
        make: A function that takes "train", "validation" or "test", and returns a `tf.data.Dataset`; for "validation"
            it may return None, and the split is made as by `from_npz`.
        fingerprint: A text to change when the data does; besides it, only the code of `make` is part of the key.
        metric: What models are judged by, and trained for.
        class_weights: The weight of each label in the training loss; 1 for labels that are not in it.

    """
    return Dataset(
        name=name,
        input_shape=input_shape,
        fingerprint=fingerprint,
        load=_TfData(make=make, classes=metric.classes),
        metric=metric,
        class_weights=class_weights or {},
    )


@dataclass(frozen=True)
class _TfData(Loader):
    make: Callable[[str], Any]
    classes: bool

    def __str__(self) -> str:
        return f"{self.make.__module__}.{function_name(self.make)}"

    def read(self, split: str) -> Split | None:
        if "tensorflow" in sys.modules:
            arrays = _collected(self.make, split)
        else:  # the process that measures has none
            with spawn.executor() as process:
                arrays = process.submit(_collected, self.make, split).result()
        return None if arrays is None else checked_split(*arrays, f"{self}({split!r})", classes=self.classes)


def _collected(make: Callable[[str], Any], split: str) -> tuple[np.ndarray, np.ndarray] | None:
    from optsuite import keras

    keras.reset(0)  # whatever is drawn by chance is the same in all processes
    where = f"{function_name(make)}({split!r})"
    try:
        data = make(split)
        if data is None:
            return None
        x, y = zip(*data.as_numpy_iterator(), strict=True)
        return np.stack(x), np.array(y)
    except Exception as error:  # whatever the user's code may raise
        raise OptsuiteError(
            f"{where}: {type(error).__name__}: {first_line(error)}; expected at least one (x, label), with all x of "
            "one shape"
        ) from error
