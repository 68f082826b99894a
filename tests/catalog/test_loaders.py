"""Datasets out of files, folders and tf.data: what is read, what is refused, what counts for a key."""

from __future__ import annotations

import sys
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from optsuite.build.keys import canonical
from optsuite.catalog import datasets
from optsuite.catalog.loaders import folder, npz, splits
from optsuite.catalog.loaders.folder import from_folder
from optsuite.catalog.loaders.npz import from_npz, to_evaluate
from optsuite.catalog.loaders.tfdata import from_tfdata
from optsuite.errors import OptsuiteError
from optsuite.spec.metric import MeanAbsoluteError


def _arrays(count: int = 20, shape: tuple[int, ...] = (4, 4, 3), dtype: type = np.uint8) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(0)
    return {
        f"{part}_{split}": values.astype(dtype if part == "x" else np.int64)
        for split in ("train", "test")
        for part, values in (("x", rng.integers(0, 256, (count, *shape))), ("y", np.arange(count) % 3))
    }


@pytest.mark.parametrize("shape", [(4, 4, 3), (4, 4, 1), (16, 2), (7,)])
def test_an_npz_of_any_shape(shape: tuple[int, ...], tmp_path: Path) -> None:
    """Colour, grey, signals, features; bytes are brought to 0..1, and a tenth is kept for validation."""
    arrays = _arrays(shape=shape)
    np.savez_compressed(tmp_path / "data.npz", **arrays)  # type: ignore[arg-type]
    data = from_npz("mine", tmp_path / "data.npz")
    assert data.input_shape == shape
    test, train, validation = (data.load(name) for name in ("test", "train", "validation"))
    np.testing.assert_allclose(test.x, arrays["x_test"] / 255, rtol=1e-6)
    assert (test.x.dtype.name, test.y.dtype.name) == ("float32", "int32")
    assert (len(train.y), len(validation.y)) == (18, 2)
    rows = np.concatenate([train.x, validation.x]).reshape(20, -1)
    assert len(np.unique(np.concatenate([rows, (arrays["x_train"] / 255).reshape(20, -1).astype("f4")]), axis=0)) == 20


def test_a_validation_split_that_is_there_is_taken(tmp_path: Path) -> None:
    """And nothing is taken from the training split; floats are as they are."""
    arrays = _arrays(dtype=np.float32)
    arrays |= {"x_validation": arrays["x_test"][:5], "y_validation": arrays["y_test"][:5]}
    np.savez(tmp_path / "data.npz", **arrays)  # type: ignore[arg-type]
    data = from_npz("mine", tmp_path / "data.npz")
    assert [len(data.load(name).y) for name in ("train", "validation", "test")] == [20, 5, 20]
    np.testing.assert_array_equal(data.load("validation").x, arrays["x_test"][:5])


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"y_test": np.zeros(19, int)}, "expected y to be 20 labels, integers from 0, got int64"),
        ({"y_test": np.full(20, -1)}, "expected y to be 20 labels"),
        ({"y_test": np.zeros(20)}, "labels, integers from 0, got float64"),
        ({"y_test": np.arange(20) + 2**32}, "expected labels up to 2147483647, got 4294967315"),
        ({"y_test": np.full(20, 2**31, np.uint64)}, "expected labels up to 2147483647, got 2147483648"),
        ({"x_test": np.full((20, 4), np.nan)}, "expected numbers that float32 can hold, got some that are not finite"),
        ({"x_test": np.full((20, 4), 1e300)}, "expected numbers that float32 can hold"),
        ({"x_test": np.full((20, 4), "a")}, "expected x to be numbers .* got <U1"),
        ({"x_test": np.empty((0, 4))}, "expected x to be numbers .* got float64"),
        ({"x_test": np.full((20, 4), None)}, "can't be read: .*pickle"),
        ({"x_test": None}, "no item named 'x_test.npy'"),
    ],
)
def test_an_npz_that_can_not_be_used(changes: dict[str, Any], said: str, tmp_path: Path) -> None:
    """One line with the file and what was expected."""
    arrays = {name: array for name, array in (_arrays() | changes).items() if array is not None}
    np.savez(tmp_path / "data.npz", **arrays)
    with pytest.raises(OptsuiteError, match=said) as raised:
        from_npz("mine", tmp_path / "data.npz").load("test")
    assert "data.npz" in str(raised.value)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize("content", [None, b"", b"nonsense"])
def test_no_npz(content: bytes | None, tmp_path: Path) -> None:
    """It is not there, or is something else."""
    if content is not None:
        (tmp_path / "data.npz").write_bytes(content)
    with pytest.raises(OptsuiteError, match=r"data\.npz"):
        from_npz("mine", tmp_path / "data.npz")


@pytest.mark.parametrize("header", [b"{", b"{'descr': '<f4'}", b"[" * 5_000, b"0 0", b"f(", b"\xff", b"'a\n"])
def test_an_array_with_a_malformed_header(header: bytes, tmp_path: Path) -> None:
    """Numpy evaluates it as Python, and fails with Python's errors."""
    np.savez(tmp_path / "data.npz", **_arrays())  # type: ignore[arg-type]
    magic = np.lib.format.magic(2, 0) + len(header).to_bytes(4, "little")
    with zipfile.ZipFile(tmp_path / "data.npz") as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    for broken in ("x_test.npy", "y_test.npy"):
        with zipfile.ZipFile(tmp_path / "broken.npz", "w") as archive:
            for name, content in members.items():
                archive.writestr(name, magic + header if name == broken else content)
        with pytest.raises(OptsuiteError, match=r"broken\.npz can't be read"):
            to_evaluate(tmp_path / "broken.npz")
        with pytest.raises(OptsuiteError, match=r"broken\.npz can't be read"):
            from_npz("mine", tmp_path / "broken.npz").load("test")


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"hello", "x_test or y_test is no array"),
        (b"", "x_test or y_test is no array"),
        (np.lib.format.magic(2, 0) + (60_000).to_bytes(4, "little") + b" " * 60_000, "Header info length"),
    ],
)
def test_a_member_that_is_no_array(content: bytes, said: str, tmp_path: Path) -> None:
    """One line, also where numpy returns the bytes or has two lines to say."""
    np.savez(tmp_path / "data.npz", **_arrays())  # type: ignore[arg-type]
    with zipfile.ZipFile(tmp_path / "data.npz") as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    for broken in ("x_test.npy", "y_test.npy"):
        with zipfile.ZipFile(tmp_path / "broken.npz", "w") as archive:
            for name, whole in members.items():
                archive.writestr(name, content if name == broken else whole)
        with pytest.raises(OptsuiteError, match=rf"broken\.npz can't be read: {said}.*; expected") as raised:
            to_evaluate(tmp_path / "broken.npz")
        assert "\n" not in str(raised.value)


def test_a_damaged_archive_of_another_compression(tmp_path: Path) -> None:
    """Numpy reads whatever zipfile can."""
    np.savez(tmp_path / "data.npz", **_arrays())  # type: ignore[arg-type]
    with (
        zipfile.ZipFile(tmp_path / "data.npz") as archive,
        zipfile.ZipFile(tmp_path / "other.npz", "w", zipfile.ZIP_LZMA) as other,
    ):
        for name in archive.namelist():
            other.writestr(name, archive.read(name))
    content = bytearray((tmp_path / "other.npz").read_bytes())
    place = content.index(b"x_test.npy") + 30
    content[place] ^= 0xFF
    (tmp_path / "other.npz").write_bytes(content)
    with pytest.raises(OptsuiteError, match=r"other\.npz can't be read"):
        to_evaluate(tmp_path / "other.npz")


def test_another_decoder_is_other_data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another version of Pillow may make other pixels of the same files."""
    first = canonical(from_folder("pets", _folder(tmp_path), size=(4, 4)))
    monkeypatch.setattr(folder, "version", lambda name: "1.0")
    assert canonical(from_folder("pets", tmp_path, size=(4, 4))) != first


def test_a_regression_target_that_float32_can_not_hold(tmp_path: Path) -> None:
    """It would be infinite."""
    np.savez(tmp_path / "data.npz", **(_arrays() | {"y_test": np.full(20, 1e300)}))  # type: ignore[arg-type]
    with pytest.raises(OptsuiteError, match="expected numbers that float32 can hold"):
        to_evaluate(tmp_path / "data.npz", MeanAbsoluteError())


def _folder(root: Path, splits: tuple[str, ...] = ("train", "test")) -> Path:
    for split in splits:
        for label, name in enumerate(("cat", "dog")):
            (root / split / name).mkdir(parents=True)
            for number in range(5):
                Image.new("RGB", (8, 6), (100 * label, 10 * number, 0)).save(root / split / name / f"{number}.png")
    return root


@pytest.mark.parametrize("channels", [1, 3])
def test_a_folder_of_images(channels: int, tmp_path: Path) -> None:
    """Labels by the alphabet, sizes and channels as asked for."""
    data = from_folder("pets", _folder(tmp_path), size=(4, 5), channels=channels)
    test = data.load("test")
    assert data.input_shape == (4, 5, channels)
    assert test.x.shape == (10, 4, 5, channels)
    assert sorted(test.y.tolist()) == [0] * 5 + [1] * 5
    assert len(set(test.y[:5])) == 2  # not class by class
    if channels == 3:
        np.testing.assert_allclose(test.x[:, 0, 0, 0], test.y * 100 / 255, atol=1e-6)
        assert sorted((255 * test.x[:, 0, 0, 1]).round()) == sorted(2 * [0, 10, 20, 30, 40])
    assert len(data.load("train").y) == 9


def test_folders_that_can_not_be_used(tmp_path: Path) -> None:
    """The place that is wrong is named."""
    root = _folder(tmp_path / "data")
    (root / "test" / "bird").mkdir()
    (root / "train" / "ant").mkdir()  # has no images, and is no class
    with pytest.raises(OptsuiteError, match="test: expected the classes of the training split, cat, dog; got bird"):
        from_folder("pets", root, size=(4, 4)).load("test")
    (root / "test" / "bird").rmdir()
    (root / "test" / "dog" / "0.png").write_bytes(b"no image")
    with pytest.raises(OptsuiteError, match=r"0\.png is no image"):
        from_folder("pets", root, size=(4, 4)).load("test")
    Image.new("I;16", (8, 6), 50_000).save(root / "test" / "dog" / "0.png")
    with pytest.raises(OptsuiteError, match=r"0\.png: expected 8 bits per channel, got mode I;16"):
        from_folder("pets", root, size=(4, 4)).load("test")
    with pytest.raises(OptsuiteError, match="no train split"):
        from_folder("pets", _folder(tmp_path / "less", ("test",)), size=(4, 4)).load("train")
    with pytest.raises(OptsuiteError, match="expected 1 or 3 channels, got 2"):
        from_folder("pets", root, size=(4, 4), channels=2)


def test_data_that_changes_on_the_way(tmp_path: Path) -> None:
    """It is not what was declared, and keys say otherwise."""
    np.savez(tmp_path / "data.npz", **_arrays())  # type: ignore[arg-type]
    data = from_npz("mine", tmp_path / "data.npz")
    np.savez(tmp_path / "data.npz", **_arrays(count=21))  # type: ignore[arg-type]
    with pytest.raises(OptsuiteError, match="was changed since it was declared"):
        data.load("test")


def test_images_behind_a_link_count(tmp_path: Path) -> None:
    """They are read, and so are in the key."""
    root = _folder(tmp_path / "data")
    (root / "train" / "cat").rename(tmp_path / "cats")
    (root / "train" / "cat").symlink_to(tmp_path / "cats")
    first = canonical(from_folder("pets", root, size=(4, 4)))
    Image.new("RGB", (8, 6), (9, 9, 9)).save(tmp_path / "cats" / "0.png")
    assert canonical(from_folder("pets", root, size=(4, 4))) != first


def test_keys_follow_content_and_not_places(tmp_path: Path) -> None:
    """Moved it is the same data, changed it is not."""
    first = from_folder("pets", _folder(tmp_path / "data"), size=(4, 4))
    again = from_folder("pets", (tmp_path / "data").rename(tmp_path / "moved"), size=(4, 4))
    assert canonical(first) == canonical(again)
    (tmp_path / "moved/train/cat/0.png").unlink()
    assert canonical(from_folder("pets", tmp_path / "moved", size=(4, 4))) != canonical(first)
    assert canonical(from_folder("pets", tmp_path / "moved", size=(4, 5))) != canonical(again)


def signals(split: str) -> Any:
    """A small tf.data.Dataset."""
    import tensorflow as tf

    if split == "validation":
        return None
    x = np.arange(120, dtype=np.float32).reshape(10, 6, 2)
    return tf.data.Dataset.from_tensor_slices((x, np.arange(10) % 2)).shuffle(10)


def nothing(split: str) -> Any:
    """A mistake of the user's, or data that is not there."""
    return signals(split).take(0)


@pytest.mark.filterwarnings("ignore")  # TensorFlow's own
@pytest.mark.slow
def test_tfdata(monkeypatch: pytest.MonkeyPatch) -> None:
    """Read in a process of its own where TensorFlow is not loaded, or here: in the same order, shuffled as it is."""
    found = []
    for seed in range(3):
        splits._fitted.cache_clear()
        splits.load_test.cache_clear()
        data = from_tfdata("signals", (6, 2), signals, fingerprint="1")
        with monkeypatch.context() as patch:
            if seed == 0:
                patch.delitem(sys.modules, "tensorflow", raising=False)
            found.append(data.load("test"))
        assert [len(data.load(name).y) for name in ("train", "validation")] == [9, 1]
        from optsuite import keras

        keras.reset(seed)
    assert found[0].x.shape == (10, 6, 2)
    assert sorted(found[0].x[:, 0, 0]) != found[0].x[:, 0, 0].tolist()
    assert len({split.sha256 for split in found}) == 1
    with pytest.raises(OptsuiteError, match=r"nothing\('test'\): ValueError: .*; expected at least one \(x, label\)"):
        from_tfdata("signals", (6, 2), nothing, fingerprint="1").load("test")


def test_splits_to_evaluate_have_one_shape(tmp_path: Path) -> None:
    """A model takes only one."""
    arrays = _arrays() | {"x_validation": np.zeros((4, 9), np.float32), "y_validation": np.zeros(4, int)}
    np.savez(tmp_path / "data.npz", **arrays)
    with pytest.raises(OptsuiteError, match=r"expected inputs of one shape, got .* and .*"):
        npz.to_evaluate(tmp_path / "data.npz")


def test_fashion_mnist_is_checked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What lies in Keras's cache is the published data, or is refused; without internet it says what was expected."""
    datasets._fashion_array.cache_clear()
    monkeypatch.setattr(datasets, "_fashion_places", lambda: [tmp_path / "debian", tmp_path / "keras"])
    monkeypatch.setattr(datasets, "_FASHION_URL", f"file://{tmp_path}/nowhere")
    with pytest.raises(OptsuiteError, match="expected Debian's package dataset-fashion-mnist, Keras's copy"):
        datasets._fashion_array("test_labels")
    import gzip

    (tmp_path / "nowhere").mkdir()
    (tmp_path / "nowhere" / "t10k-labels-idx1-ubyte.gz").write_bytes(gzip.compress(b"\0\0\x08\1\0\0\0\2ab"))
    with pytest.raises(OptsuiteError, match="is not the published data"):
        datasets._fashion_array("test_labels")
    assert [path.name for path in (tmp_path / "keras").iterdir()] == ["t10k-labels-idx1-ubyte.gz"]
    monkeypatch.setitem(datasets._FASHION, "test_labels", datasets.idx_sha256(np.array([97, 98], np.uint8)))
    assert datasets._fashion_array("test_labels").tolist() == [97, 98]
    datasets._fashion_array.cache_clear()


@pytest.mark.skipif(not Path("/usr/share/datasets/fashion-mnist").exists(), reason="not installed")
def test_fashion_mnist_of_debian() -> None:
    """The published numbers of it."""
    splits = {name: datasets.load_fashion_mnist(name) for name in ("train", "validation", "test")}
    assert {name: split.x.shape for name, split in splits.items()} == {
        "train": (55_000, 28, 28, 1),
        "validation": (5_000, 28, 28, 1),
        "test": (10_000, 28, 28, 1),
    }
    assert np.bincount(splits["test"].y).tolist() == [1_000] * 10
