"""Data: a split, and the dataset that loads its three splits."""

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
    """The inputs of a split and their targets.

    Attributes:
        x: Inputs, float32 ``(n, *input_shape)``.
        y: Targets (n,): labels as int32, counted from 0, or numbers as float32.

    """

    x: np.ndarray
    y: np.ndarray

    @functools.cached_property
    def sha256(self) -> str:
        """The SHA-256 of the inputs and targets, as hex."""
        return hashlib.sha256(self.x.tobytes() + self.y.tobytes()).hexdigest()

    def first(self, count: int | None) -> Split:
        """Return the first `count` inputs and targets, or all for None."""
        return Split(x=self.x[:count], y=self.y[:count])


@dataclass(frozen=True, kw_only=True)
class Dataset:
    """Labelled data in three splits.

    Attributes:
        name: The name, for options, tables and file names.
        input_shape: The shape of one input, such as (28, 28, 1); a model must have the same.
        fingerprint: A text that changes when the data does; it is part of the key of what is built from it.
        load: A function that takes "train", "validation" or "test", and returns that split.
        metric: What models are judged by, and trained for.
        class_weights: The weight of each label in the training loss; 1 for labels that are not in it.

    Raises:
        OptsuiteError: `input_shape` is no tuple of positive integers.

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

    def split(self, name: str) -> Split:
        """Load a split, and check it.

        Raises:
            OptsuiteError: `load` failed, or what it returned is not a split of this dataset.

        """
        where = f'dataset {self.name}: load("{name}")'
        try:
            found = self.load(name)
        except OptsuiteError:
            raise
        except Exception as error:  # user-defined code may raise anything
            raise OptsuiteError(f"{where} raised {type(error).__name__}: {error}; expected a Split") from error
        if not isinstance(found, Split):
            raise OptsuiteError(f"{where}: expected a Split, got {type(found).__name__}")
        x, y = found.x, found.y
        if x.shape[1:] != self.input_shape or x.dtype != "float32" or not len(x):
            raise OptsuiteError(
                f"{where}: expected x to be float32 of shape (n, {', '.join(map(str, self.input_shape))}), got "
                f"{x.dtype} {x.shape}"
            )
        check_targets(where, y, len(x), classes=self.metric.classes)
        return found


def check_targets(where: str, y: np.ndarray, count: int, *, classes: bool) -> None:
    """OptsuiteError for what are not `count` labels that int32 can hold or, without classes, finite numbers."""
    import numpy as np

    if classes and (y.shape != (count,) or y.dtype.kind not in "iu" or y.min() < 0):
        raise OptsuiteError(f"{where}: expected y to be {count} labels, integers from 0, got {y.dtype} {y.shape}")
    if classes and y.max() > np.iinfo(np.int32).max:
        raise OptsuiteError(f"{where}: expected labels up to {np.iinfo(np.int32).max}, got {y.max()}")
    if not classes and (y.shape != (count,) or y.dtype.kind not in "fiu" or not np.isfinite(y).all()):
        raise OptsuiteError(f"{where}: expected y to be {count} finite numbers, got {y.dtype} {y.shape}")


def check_input_shape(owner: str, shape: object) -> None:
    """OptsuiteError, naming the owner, for what is no tuple of positive integers."""
    sizes = shape if isinstance(shape, tuple) else ()
    if not sizes or not all(isinstance(size, int) and size > 0 for size in sizes):
        raise OptsuiteError(
            f"{owner}: expected input_shape to be a tuple of positive integers, such as (28, 28, 1), got {shape!r}"
        )
