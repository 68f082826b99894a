"""Data: its three splits, and the dataset that loads them."""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from optsuite.errors import OptsuiteError
from optsuite.spec.metric import ACCURACY, Metric

if TYPE_CHECKING:
    import numpy as np


@dataclass(frozen=True, kw_only=True)
class Split:
    """Inputs `x` (float32, (n, *shape)) and their targets `y` (n,): labels (int32, from 0), or numbers (float32)."""

    x: np.ndarray
    y: np.ndarray

    @functools.cached_property
    def sha256(self) -> str:
        """Of its inputs and targets."""
        return hashlib.sha256(self.x.tobytes() + self.y.tobytes()).hexdigest()

    def first(self, count: int | None) -> Split:
        """The first `count` of it, or all for None."""
        return Split(x=self.x[:count], y=self.y[:count])


@dataclass(frozen=True, kw_only=True)
class Dataset:
    """Labelled data in three splits.

    `load` takes "train", "validation" or "test"; `fingerprint` changes when the data does; `kind` names the input
    that a model must take; `metric` is what a model is judged by, and trained for. `class_weights` are what the labels
    count in training, 1 where nothing is said.
    """

    name: str
    input_shape: tuple[int, ...]
    fingerprint: str
    load: Callable[[str], Split]
    metric: Metric = ACCURACY
    class_weights: Mapping[int, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Refuse an input shape that is none."""
        check_input_shape(f"dataset {self.name}", self.input_shape)


def check_input_shape(owner: str, shape: object) -> None:
    """OptsuiteError, naming the owner, for what is no tuple of positive integers."""
    sizes = shape if isinstance(shape, tuple) else ()
    if not sizes or not all(isinstance(size, int) and size > 0 for size in sizes):
        raise OptsuiteError(
            f"{owner}: expected input_shape to be a tuple of positive integers, such as (28, 28, 1), got {shape!r}"
        )
