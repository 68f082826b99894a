"""What loaders have in common: splits are checked, and a missing validation split is drawn."""

from __future__ import annotations

import functools
from dataclasses import dataclass

import numpy as np

from optsuite.errors import OptsuiteError
from optsuite.files import File
from optsuite.spec.data import Split, check_targets

_SPLITS = ("train", "validation", "test")
VALIDATION_SHARE = 0.1


def drawn(split: Split, share: float) -> tuple[Split, Split]:
    """Return the rest of a split, and a share of it that is drawn at random, the same each time; both in order."""
    if len(split.y) < 2:
        raise OptsuiteError(
            f"expected at least two inputs to draw a validation split from, got {len(split.y)}; add inputs, or a "
            "validation split"
        )
    chance = np.random.default_rng(0).permutation(len(split.y))
    count = max(1, round(share * len(split.y)))
    left, drawn = (Split(x=split.x[rows], y=split.y[rows]) for rows in map(np.sort, (chance[count:], chance[:count])))
    return left, drawn


def checked_split(x: np.ndarray, y: np.ndarray, where: str, *, classes: bool) -> Split:
    """Return a split; OptsuiteError for inputs that are no numbers, or targets that do not fit them."""
    if x.dtype == np.uint8:
        x = x.astype(np.float32) / 255
    if x.dtype.kind not in "fiu" or x.ndim < 2 or not len(x):
        raise OptsuiteError(f"{where}: expected x to be numbers of shape (n, *input_shape), got {x.dtype} {x.shape}")
    check_targets(where, y, len(x), classes=classes)
    with np.errstate(over="ignore"):  # refused below
        x, y = x.astype(np.float32), y.astype(np.int32 if classes else np.float32)
    if not (np.isfinite(x).all() and np.isfinite(y).all()):
        raise OptsuiteError(f"{where}: expected numbers that float32 can hold, got some that are not finite")
    return Split(x=x, y=y)


@dataclass(frozen=True)
class Loader:
    """Loads each split once, by `read`; a missing validation split is drawn from the training split."""

    def __call__(self, split: str) -> Split:
        if split not in _SPLITS:
            raise OptsuiteError(f"unknown split {split!r}; expected one of {', '.join(_SPLITS)}")
        if split == "test":
            return load_test(self)
        return _fitted(self)[split]

    def read(self, split: str) -> Split | None:
        raise NotImplementedError


@functools.cache
def load_test(loader: Loader) -> Split:
    return _there(loader, "test")


@functools.cache
def _fitted(loader: Loader) -> dict[str, Split]:
    train, validation = _there(loader, "train"), loader.read("validation")
    if validation is not None:
        return {"train": train, "validation": validation}
    return dict(zip(("train", "validation"), drawn(train, VALIDATION_SHARE), strict=True))


def _there(loader: Loader, split: str) -> Split:
    found = loader.read(split)
    if found is None:
        raise OptsuiteError(f"{loader}: expected data with a train and a test split, got no {split} split")
    return found


def check_unchanged(file: File) -> None:
    if File.of(file.path) != file:
        raise OptsuiteError(f"{file.path} was changed since it was declared; start the run again")
