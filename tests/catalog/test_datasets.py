"""The data that ships is the data that was published."""

from __future__ import annotations

import numpy as np
import pytest

from optsuite.catalog import datasets
from optsuite.errors import OptsuiteError


@pytest.mark.parametrize(("split", "count"), [("train", 55_000), ("validation", 5_000), ("test", 10_000)])
def test_mnist_splits(split: str, count: int) -> None:
    """All of MNIST, as float32 in 0..1, with every digit in every split."""
    data = datasets.load_mnist(split)
    assert data.x.shape == (count, 28, 28, 1)
    assert data.x.dtype == np.float32
    assert (data.x.min(), data.x.max()) == (0.0, 1.0)
    assert data.y.shape == (count,)
    assert set(data.y) == set(range(10))


def test_the_validation_split_is_the_end_of_the_training_images() -> None:
    """Train and validation join to the 60,000 published labels, in order."""
    joined = np.concatenate([datasets.load_mnist("train").y, datasets.load_mnist("validation").y])
    assert datasets.idx_sha256(joined.astype(np.uint8)).startswith("65a50cbbf4e906d7")


def test_altered_data_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is read is hashed as the original file."""
    datasets._mnist_array.cache_clear()
    monkeypatch.setitem(datasets._MNIST, "test_labels", "0" * 64)
    with pytest.raises(OptsuiteError, match="test_labels is not the published data"):
        datasets._mnist_array("test_labels")


def test_an_unknown_split_is_refused() -> None:
    """The message has the splits that there are."""
    with pytest.raises(OptsuiteError, match="unknown split 'dev'; expected one of train, validation, test"):
        datasets.load_mnist("dev")
