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


def from_tfdata(
    name: str,
    input_shape: tuple[int, ...],
    make: Callable[[str], Any],
    fingerprint: str,
    *,
    metric: Metric = ACCURACY,
    class_weights: Mapping[int, float] | None = None,
) -> Dataset:
    """What `make` returns for "train", "validation" and "test": a finite `tf.data.Dataset` of (x, label), not batched.

    It is read once a process, in one of its own where TensorFlow is not yet loaded, so it has to come in the same order
    each time (a run is refused otherwise); TensorFlow, numpy and random are seeded before each call. For "validation"
    it may be None: then it is drawn as by `from_npz`. Change `fingerprint` when the data does: only the code of `make`
    is looked at besides.
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
        return f"{self.make.__module__}.{self.make.__qualname__}"

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
    where = f"{make.__qualname__}({split!r})"
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
