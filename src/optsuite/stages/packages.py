"""The packages that build, and their versions."""

from __future__ import annotations

import functools
from importlib.metadata import PackageNotFoundError, version

BUILDERS = ("tensorflow", "tf-keras", "tensorflow-model-optimization", "numpy")
"""The packages that every step may use: numpy draws and scales the data. Their versions are part of each key."""
RECORDED = ("h5py",)
"""Packages whose versions are recorded, but do not change what is built."""


@functools.cache
def builder_versions() -> dict[str, str] | None:
    """The versions of the packages that build, or None where one is missing and nothing can be built."""
    try:
        return {name: version(name) for name in BUILDERS}
    except PackageNotFoundError:
        return None
