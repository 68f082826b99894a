"""Datasets out of what people have: an .npz file, a folder of images, a `tf.data.Dataset`."""

from __future__ import annotations

import functools
import sys
import tokenize
import zipfile
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import version
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np

from optsuite import spawn
from optsuite.metrics import ACCURACY, Metric
from optsuite.spec import Dataset, File, OptsuiteError, Split, first_line

_SPLITS = ("train", "validation", "test")
_VALIDATION_SHARE = 0.1
_PICTURES = (".png", ".jpg", ".jpeg", ".bmp", ".gif", ".webp")


def from_npz(
    name: str,
    path: str | PathLike[str],
    *,
    metric: Metric = ACCURACY,
    class_weights: Mapping[int, float] | None = None,
) -> Dataset:
    """An .npz file with x_train, y_train, x_test and y_test, and x_validation and y_validation if you have them.

    x is (n, *shape): uint8 is taken for 0..255 and brought to 0..1, float is taken as it is. y is (n,), labels from 0,
    or numbers where the metric is not one of classes. Without a validation split a tenth of the training split, drawn
    once and for all, is kept out of it for that.
    """
    file = File.of(path)
    return Dataset(
        name=name,
        kind=_kind(_npz_shape(file)[1:]),
        fingerprint=file.sha256,
        load=_Npz(file=file, classes=metric.classes),
        metric=metric,
        class_weights=class_weights or {},
    )


def from_folder(
    name: str,
    path: str | PathLike[str],
    size: tuple[int, int],
    channels: int = 3,
    *,
    metric: Metric = ACCURACY,
    class_weights: Mapping[int, float] | None = None,
) -> Dataset:
    """Images by class: PATH/train/CLASS/*.png and PATH/test/CLASS/*.png, and PATH/validation if you have it.

    Each is brought to `size`, (height, width), and `channels`, 1 (grey) or 3 (RGB), in 0..1. Labels are the classes of
    the training split in alphabetical order. Without a validation split it is made as by `from_npz`.
    """
    if channels not in (1, 3):
        raise OptsuiteError(f"dataset {name}: channels {channels}; accepted are 1 and 3")
    file = File.of(path)
    return Dataset(
        name=name,
        kind=_kind((*size, channels)),
        fingerprint=file.sha256,
        load=_Folder(file=file, size=size, channels=channels, decoder=f"pillow {version('pillow')}"),
        metric=metric,
        class_weights=class_weights or {},
    )


def from_tfdata(
    name: str,
    kind: str,
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
        kind=kind,
        fingerprint=fingerprint,
        load=_TfData(make=make, classes=metric.classes),
        metric=metric,
        class_weights=class_weights or {},
    )


def to_evaluate(path: str | PathLike[str], metric: Metric = ACCURACY) -> dict[str, Split]:
    """The "test" and "validation" split of an .npz that need not have more, in the form of `from_npz`.

    Without a validation split a fifth of the test images, drawn once and for all, is set aside for it: what chooses
    looks at those, and not at the ones that are reported.
    """
    loader = _Npz(file=File.of(path), classes=metric.classes)
    test, validation = _test(loader), loader._read("validation")
    if validation is None:
        return dict(zip(("test", "validation"), _drawn(test, 0.2), strict=True))
    if len(shapes := {split.x.shape[1:] for split in (test, validation)}) > 1:
        raise OptsuiteError(f"{path}: inputs are {' and '.join(map(str, shapes))}; accepted is one shape")
    return {"test": test, "validation": validation}


def _drawn(split: Split, share: float) -> tuple[Split, Split]:
    """What is left, and a share drawn by chance that is the same each time; each in its order."""
    if len(split.y) < 2:
        raise OptsuiteError(
            "a validation split can't be drawn from one input; accepted are two or more, or one of its own"
        )
    chance = np.random.default_rng(0).permutation(len(split.y))
    count = max(1, round(share * len(split.y)))
    left, drawn = (Split(x=split.x[rows], y=split.y[rows]) for rows in map(np.sort, (chance[count:], chance[:count])))
    return left, drawn


def _kind(shape: tuple[int, ...]) -> str:
    return "x".join(map(str, shape))


def _split(x: np.ndarray, y: np.ndarray, where: str, *, classes: bool) -> Split:
    """Checked: as many targets as inputs, of classes whole numbers from 0, and all of them numbers."""
    if x.dtype == np.uint8:
        x = x.astype(np.float32) / 255
    if x.dtype.kind not in "fiu" or x.ndim < 2 or not len(x):
        raise OptsuiteError(f"{where}: x is {x.dtype} {x.shape}; accepted are numbers, (n, *shape)")
    if classes and (y.shape != (len(x),) or y.dtype.kind not in "iu" or y.min() < 0):
        raise OptsuiteError(f"{where}: y is {y.dtype} {y.shape}; accepted are {len(x)} labels, whole numbers from 0")
    if not classes and (y.shape != (len(x),) or y.dtype.kind not in "fiu" or not np.isfinite(y).all()):
        raise OptsuiteError(f"{where}: y is {y.dtype} {y.shape}; accepted are {len(x)} numbers")
    if classes and y.max() > np.iinfo(np.int32).max:
        raise OptsuiteError(f"{where}: expected labels up to {np.iinfo(np.int32).max}, got {y.max()}")
    with np.errstate(over="ignore"):  # refused below
        x, y = x.astype(np.float32), y.astype(np.int32 if classes else np.float32)
    if not (np.isfinite(x).all() and np.isfinite(y).all()):
        raise OptsuiteError(f"{where}: expected numbers that float32 can hold, got some that are not finite")
    return Split(x=x, y=y)


@dataclass(frozen=True)
class _Loader:
    """Loads a split by `_read`, once; a validation split that is not there is drawn from the training split."""

    def __call__(self, split: str) -> Split:
        if split not in _SPLITS:
            raise OptsuiteError(f"unknown split {split!r}; accepted: {', '.join(_SPLITS)}")
        if split == "test":
            return _test(self)
        return _fitted(self)[split]

    def _read(self, split: str) -> Split | None:
        raise NotImplementedError


@functools.cache
def _test(loader: _Loader) -> Split:
    return _there(loader, "test")


@functools.cache
def _fitted(loader: _Loader) -> dict[str, Split]:
    train, validation = _there(loader, "train"), loader._read("validation")
    if validation is not None:
        return {"train": train, "validation": validation}
    return dict(zip(("train", "validation"), _drawn(train, _VALIDATION_SHARE), strict=True))


def _there(loader: _Loader, split: str) -> Split:
    found = loader._read(split)
    if found is None:
        raise OptsuiteError(f"{loader}: no {split} split; accepted is data with train and test")
    return found


@dataclass(frozen=True)
class _Npz(_Loader):
    file: File
    classes: bool

    def __str__(self) -> str:
        return self.file.path

    def _read(self, split: str) -> Split | None:
        with _npz_errors(self.file), np.load(self.file.path, allow_pickle=False) as arrays:
            if f"x_{split}" not in arrays:
                return None
            where = f"{self.file.path}, {split}"
            found = _split(arrays[f"x_{split}"], arrays[f"y_{split}"], where, classes=self.classes)
        _check_unchanged(self.file)
        return found


def _check_unchanged(file: File) -> None:
    if File.of(file.path) != file:
        raise OptsuiteError(f"{file.path} was changed since it was declared; start the run again")


@contextmanager
def _npz_errors(file: File) -> Iterator[None]:
    try:
        if not zipfile.is_zipfile(file.path):
            raise ValueError("it is no .npz")
        yield
    # numpy evaluates the header of an array, which may be any text.
    except (
        *(OSError, ValueError, KeyError, EOFError, SyntaxError, TypeError, RecursionError, MemoryError),
        *(zipfile.BadZipFile, zlib.error, tokenize.TokenError, NotImplementedError, RuntimeError),
    ) as error:
        raise OptsuiteError(
            f"{file.path} can't be read: {error}; accepted is an .npz with x and y of each split, as x_test and y_test"
        ) from error


def _npz_shape(file: File) -> tuple[int, ...]:
    """The shape of its test inputs, from the header alone: the file may be large."""
    with _npz_errors(file), zipfile.ZipFile(file.path) as archive, archive.open("x_test.npy") as array:
        version = np.lib.format.read_magic(array)
        read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
        shape: tuple[int, ...] = read(array)[0]
        return shape


@dataclass(frozen=True)
class _Folder(_Loader):
    file: File
    size: tuple[int, int]
    channels: int
    decoder: str
    """What reads and scales the images: another version may make other pixels, so it is part of the key."""

    def __str__(self) -> str:
        return self.file.path

    def _read(self, split: str) -> Split | None:
        from PIL import Image, UnidentifiedImageError

        root = Path(self.file.path)
        pictures = [path for path in (root / "train").glob("*/*") if path.suffix.lower() in _PICTURES]
        classes = sorted({path.parent.name for path in pictures})
        if not (root / split).is_dir():
            return None
        if unknown := {path.name for path in (root / split).glob("*") if path.is_dir()} - set(classes):
            raise OptsuiteError(f"{root / split}: {', '.join(sorted(unknown))}; accepted: {', '.join(classes)}")
        x, y = [], []
        for label, name in enumerate(classes):
            for path in sorted((root / split / name).glob("*")):
                if path.suffix.lower() not in _PICTURES:
                    continue
                try:
                    with Image.open(path) as file:
                        if file.mode.startswith(("I", "F")):
                            raise OptsuiteError(f"{path} has mode {file.mode}; accepted are 8 bits a channel")
                        picture = file.convert("L" if self.channels == 1 else "RGB")
                        x.append(np.asarray(picture.resize(self.size[::-1], Image.Resampling.BILINEAR)))
                except (OSError, UnidentifiedImageError) as error:
                    raise OptsuiteError(f"{path} is no image that can be read: {error}") from error
                y.append(label)
        if not x:
            raise OptsuiteError(f"{root / split} has no images; accepted is {split}/CLASS/*{', *'.join(_PICTURES)}")
        _check_unchanged(self.file)
        # Not class by class: the profile smoke takes the first of them.
        order = np.random.default_rng(0).permutation(len(x))
        images = np.stack(x).reshape(-1, *self.size, self.channels)[order]
        return _split(images, np.array(y)[order], str(root / split), classes=True)


@dataclass(frozen=True)
class _TfData(_Loader):
    make: Callable[[str], Any]
    classes: bool

    def __str__(self) -> str:
        return f"{self.make.__module__}.{self.make.__qualname__}"

    def _read(self, split: str) -> Split | None:
        if "tensorflow" in sys.modules:
            arrays = _collected(self.make, split)
        else:  # the process that measures has none
            with spawn.executor() as process:
                arrays = process.submit(_collected, self.make, split).result()
        return None if arrays is None else _split(*arrays, f"{self}({split!r})", classes=self.classes)


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
            f"{where}: {type(error).__name__}: {first_line(error)}; accepted is at least one (x, label), with all x of "
            "one shape"
        ) from error
