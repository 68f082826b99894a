"""The catalogue of datasets."""

from __future__ import annotations

import functools
import hashlib
from importlib import resources

import numpy as np

from optsuite.spec import Dataset, OptsuiteError, Split, catalogue

_VALIDATION_IMAGES = 5_000

# SHA-256 of the four original files, idx header included.
_MNIST = {
    "train_images": "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
    "train_labels": "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
    "test_images": "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
    "test_labels": "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
}


def idx_sha256(array: np.ndarray) -> str:
    """SHA-256 of a uint8 array as the idx file that MNIST was published in: magic, sizes (big-endian), bytes."""
    header = bytes([0, 0, 8, array.ndim]) + b"".join(size.to_bytes(4, "big") for size in array.shape)
    return hashlib.sha256(header + array.tobytes()).hexdigest()


@functools.cache
def _mnist_array(name: str) -> np.ndarray:
    with resources.files("optsuite").joinpath("data/mnist.npz").open("rb") as file, np.load(file) as arrays:
        array: np.ndarray = arrays[name]
    if idx_sha256(array) != _MNIST[name]:
        raise OptsuiteError(f"mnist.npz: {name} is not the published data; reinstall optsuite")
    return array


@functools.cache
def load_mnist(split: str) -> Split:
    """MNIST as float32 (n, 28, 28, 1) in 0..1 with int32 labels; the last 5,000 training images are "validation"."""
    which = {
        "train": ("train", slice(None, -_VALIDATION_IMAGES)),
        "validation": ("train", slice(-_VALIDATION_IMAGES, None)),
        "test": ("test", slice(None)),
    }
    if split not in which:
        raise OptsuiteError(f"unknown split {split!r}; accepted: {', '.join(which)}")
    part, rows = which[split]
    images, labels = _mnist_array(f"{part}_images")[rows], _mnist_array(f"{part}_labels")[rows]
    return Split(x=images[..., np.newaxis].astype(np.float32) / 255.0, y=labels.astype(np.int32))


DATASETS = catalogue(
    Dataset(
        name="mnist",
        kind="28x28x1",
        fingerprint=hashlib.sha256(f"{_MNIST} {_VALIDATION_IMAGES}".encode()).hexdigest(),
        load=load_mnist,
    ),
)
