"""The catalogue of datasets."""

from __future__ import annotations

import functools
import gzip
import hashlib
import os
import urllib.request
from collections.abc import Callable
from importlib import resources
from pathlib import Path

import numpy as np

from optsuite.errors import OptsuiteError
from optsuite.spec.data import Dataset, Split
from optsuite.spec.names import by_name

_VALIDATION_IMAGES = 5_000

# SHA-256 of the four original files of each, idx header included.
_MNIST = {
    "train_images": "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
    "train_labels": "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
    "test_images": "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
    "test_labels": "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
}
_FASHION = {
    "train_images": "c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888",
    "train_labels": "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9",
    "test_images": "5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b",
    "test_labels": "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34",
}
_FASHION_FILES = {
    "train_images": "train-images-idx3-ubyte.gz",
    "train_labels": "train-labels-idx1-ubyte.gz",
    "test_images": "t10k-images-idx3-ubyte.gz",
    "test_labels": "t10k-labels-idx1-ubyte.gz",
}
_FASHION_URL = "https://storage.googleapis.com/tensorflow/tf-keras-datasets"
"""The address that Keras downloads it from."""


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


def _fashion_places() -> list[Path]:
    """Debian's package dataset-fashion-mnist, and Keras's cache."""
    home = Path(os.environ.get("KERAS_HOME") or Path(os.path.expanduser("~"), ".keras"))
    return [Path("/usr/share/datasets/fashion-mnist"), home / "datasets" / "fashion-mnist"]


@functools.cache
def _fashion_array(name: str) -> np.ndarray:
    *_, kept = places = [place / _FASHION_FILES[name] for place in _fashion_places()]
    found = next((path for path in places if path.is_file()), kept)
    try:
        if not found.is_file():
            _download(f"{_FASHION_URL}/{found.name}", found)
        content = gzip.decompress(found.read_bytes())
    except (OSError, EOFError) as error:
        raise OptsuiteError(
            f"fashion_mnist: {found}: {error}; expected Debian's package dataset-fashion-mnist, Keras's copy in "
            f"{kept.parent}, or internet to download it"
        ) from error
    if hashlib.sha256(content).hexdigest() != _FASHION[name]:
        raise OptsuiteError(f"fashion_mnist: {found} is not the published data; delete it, and it is downloaded anew")
    header = 4 + 4 * content[3]
    sizes = [int.from_bytes(content[at : at + 4], "big") for at in range(4, header, 4)]
    return np.frombuffer(content, np.uint8, offset=header).reshape(sizes)


def _download(url: str, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f"{path.name}.{os.getpid()}")
    with urllib.request.urlopen(url, timeout=60) as answer:
        part.write_bytes(answer.read())
    part.replace(path)


@functools.cache
def load_mnist(split: str) -> Split:
    """MNIST as float32 (n, 28, 28, 1) in 0..1 with int32 labels; the last 5,000 training images are "validation"."""
    return _split(_mnist_array, split)


@functools.cache
def load_fashion_mnist(split: str) -> Split:
    """Fashion-MNIST, in the form of `load_mnist`."""
    return _split(_fashion_array, split)


def _split(array: Callable[[str], np.ndarray], split: str) -> Split:
    which = {
        "train": ("train", slice(None, -_VALIDATION_IMAGES)),
        "validation": ("train", slice(-_VALIDATION_IMAGES, None)),
        "test": ("test", slice(None)),
    }
    if split not in which:
        raise OptsuiteError(f"unknown split {split!r}; expected one of {', '.join(which)}")
    part, rows = which[split]
    images, labels = array(f"{part}_images")[rows], array(f"{part}_labels")[rows]
    return Split(x=images[..., np.newaxis].astype(np.float32) / 255.0, y=labels.astype(np.int32))


DATASETS = by_name(
    Dataset(
        name="mnist",
        input_shape=(28, 28, 1),
        fingerprint=hashlib.sha256(f"{_MNIST} {_VALIDATION_IMAGES}".encode()).hexdigest(),
        load=load_mnist,
    ),
    Dataset(
        name="fashion_mnist",
        input_shape=(28, 28, 1),
        fingerprint=hashlib.sha256(f"{_FASHION} {_VALIDATION_IMAGES}".encode()).hexdigest(),
        load=load_fashion_mnist,
    ),
)
