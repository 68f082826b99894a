"""Datasets from folders of images."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import version
from os import PathLike
from pathlib import Path

import numpy as np

from optsuite.catalog.loaders.splits import Loader, check_unchanged, checked_split
from optsuite.errors import OptsuiteError
from optsuite.files import File
from optsuite.spec.data import Dataset, Split
from optsuite.spec.metric import ACCURACY, Metric

_PICTURES = (".png", ".jpg", ".jpeg", ".bmp", ".gif", ".webp")


def from_folder(
    name: str,
    path: str | PathLike[str],
    size: tuple[int, int],
    channels: int = 3,
    *,
    metric: Metric = ACCURACY,
    class_weights: Mapping[int, float] | None = None,
) -> Dataset:
    """Make a dataset of a folder of images: PATH/train/CLASS/*.png and PATH/test/CLASS/*.png.

    Labels are the classes of the training split in alphabetical order. Without PATH/validation, the validation split is
    made as by `from_npz`.

    Args:
        name: The name of the dataset.
        path: The folder.
        size: The (height, width) that images are resized to, in pixels.
        channels: 1 for grey, 3 for RGB; values are from 0 to 1.
        metric: What models are judged by, and trained for.
        class_weights: The weight of each label in the training loss; 1 for labels that are not in it.

    Raises:
        OptsuiteError: `channels` is neither 1 nor 3, or there is no such folder.

    """
    if channels not in (1, 3):
        raise OptsuiteError(f"dataset {name}: expected 1 or 3 channels, got {channels}")
    file = File.of(path)
    return Dataset(
        name=name,
        input_shape=(*size, channels),
        fingerprint=file.sha256,
        load=_Folder(file=file, size=size, channels=channels, decoder=f"pillow {version('pillow')}"),
        metric=metric,
        class_weights=class_weights or {},
    )


@dataclass(frozen=True)
class _Folder(Loader):
    file: File
    size: tuple[int, int]
    channels: int
    decoder: str
    """The package that reads and scales the images: another version may make other pixels, so it is part of the key."""

    def __str__(self) -> str:
        return self.file.path

    def read(self, split: str) -> Split | None:
        from PIL import Image, UnidentifiedImageError

        root = Path(self.file.path)
        pictures = [path for path in (root / "train").glob("*/*") if path.suffix.lower() in _PICTURES]
        classes = sorted({path.parent.name for path in pictures})
        if not (root / split).is_dir():
            return None
        if unknown := {path.name for path in (root / split).glob("*") if path.is_dir()} - set(classes):
            raise OptsuiteError(
                f"{root / split}: expected the classes of the training split, {', '.join(classes)}; "
                f"got {', '.join(sorted(unknown))}"
            )
        x, y = [], []
        for label, name in enumerate(classes):
            for path in sorted((root / split / name).glob("*")):
                if path.suffix.lower() not in _PICTURES:
                    continue
                try:
                    with Image.open(path) as file:
                        if file.mode.startswith(("I", "F")):
                            raise OptsuiteError(f"{path}: expected 8 bits per channel, got mode {file.mode}")
                        picture = file.convert("L" if self.channels == 1 else "RGB")
                        x.append(np.asarray(picture.resize(self.size[::-1], Image.Resampling.BILINEAR)))
                except (OSError, UnidentifiedImageError) as error:
                    raise OptsuiteError(f"{path} is no image that can be read: {error}") from error
                y.append(label)
        if not x:
            raise OptsuiteError(f"{root / split}: expected images as {split}/CLASS/*{', *'.join(_PICTURES)}, got none")
        check_unchanged(self.file)
        # Not class by class: the profile smoke takes the first of them.
        order = np.random.default_rng(0).permutation(len(x))
        images = np.stack(x).reshape(-1, *self.size, self.channels)[order]
        return checked_split(images, np.array(y)[order], str(root / split), classes=True)
