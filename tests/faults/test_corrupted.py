"""Every kind of file in a store, damaged in every way: noticed, said, set aside and built again; never measured."""

from __future__ import annotations

import random
import shutil
from collections import Counter
from collections.abc import Callable
from pathlib import Path, PurePath

import pytest
from runs import FAULTS, SMOKE, Smoke, run_pytest

from optsuite.errors import OptsuiteError
from optsuite.results import reader
from optsuite.spec.artifact import IMPORTED
from optsuite.store import bundle
from optsuite.store.store import Store

FEW = (*SMOKE, "--optsuite-recipes=baseline,qat", "--optsuite-variants=int8")


def _truncate(file: Path, other: Path) -> None:
    file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])


def _empty(file: Path, other: Path) -> None:
    file.write_bytes(b"")


def _zero(file: Path, other: Path) -> None:
    file.write_bytes(bytes(file.stat().st_size))


def _flip(file: Path, other: Path) -> None:
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)


def _swap(file: Path, other: Path) -> None:
    content = file.read_bytes()
    file.write_bytes(other.read_bytes())
    other.write_bytes(content)


def _link(file: Path, other: Path) -> None:
    file.unlink()
    file.symlink_to(other)


def _dangle(file: Path, other: Path) -> None:
    file.unlink()
    file.symlink_to(file.parent / "nothing")


def _folder(file: Path, other: Path) -> None:
    """Can't be read by anyone: permissions would not stop root."""
    file.unlink()
    file.mkdir()


def _remove(file: Path, other: Path) -> None:
    file.unlink()


DAMAGES = [_truncate, _empty, _zero, _flip, _swap, _link, _dangle, _folder, _remove]
FILES = ["manifest.json", "model.tflite", "model.h5", "info.json", "outputs.npz"]
Damage = Callable[[Path, Path], None]


@pytest.fixture
def copy(smoke: Smoke, tmp_path: Path) -> Path:
    """The smoke store, to be damaged."""
    return Path(shutil.copytree(smoke.cache, tmp_path / "cache"))


@pytest.mark.parametrize("damage", DAMAGES, ids=lambda damage: damage.__name__.strip("_"))
@pytest.mark.parametrize("name", FILES)
def test_is_noticed(name: str, damage: Damage, copy: Path, tally: Counter[str]) -> None:
    """By the store itself: said, set aside, and not there any more; so is the file it was swapped with."""
    file, *rest = sorted(copy.glob(f"objects/*/{name}"))
    # A teacher's record is with its answers, too, and mixed may be int4: swapped with its like a file is the same.
    other = next(one for one in rest if one.read_bytes() != file.read_bytes())
    said: list[str] = []
    store = Store(copy, said.append)
    damage(file, other)
    tally["a file damaged"] += 1
    assert store.get(file.parent.name) is None
    assert len(said) == 1
    assert "damaged artifact, set aside" in said[0]
    assert not file.parent.exists()
    assert (store.get(other.parent.name) is None) == (damage is _swap)


@pytest.mark.parametrize(
    ("name", "damage"),
    [(name, damage) for damage in DAMAGES for name in FILES]
    if FAULTS
    else [("model.h5", _empty), ("model.tflite", _flip)],
    ids=lambda one: getattr(one, "__name__", one),
)
def test_is_built_again(
    name: str,
    damage: Damage,
    copy: Path,
    smoke: Smoke,
    tmp_path: Path,
    tally: Counter[str],
) -> None:
    """By the real command, which measures what it would have measured."""
    variant = "int8" if name == "model.tflite" else "keras"
    index = Store(copy, print).index()
    file, other = (
        copy / "objects" / index[PurePath("smoke/mnist", f"tutorial_{recipe}_s0", variant)] / name
        for recipe in ("qat", "baseline")
    )
    damage(file, other)
    tally["a file damaged, and measured"] += 1
    output = _measures_the_same(copy, smoke, tmp_path / "run.json")
    assert "damaged artifact, set aside" in output
    assert list((copy / "aside").iterdir())


def _measures_the_same(cache: Path, smoke: Smoke, path: Path) -> str:
    """What the real command says, on that store, once its files and answers were found to be those of the smoke run."""
    done = run_pytest(*FEW, f"--optsuite-cache={cache}", f"--benchmark-json={path}")
    assert done.returncode == 0, done.stdout
    expected, rows = reader.read(smoke.json), reader.read(path).rows
    assert len(rows) == 2
    for row in rows:
        known = expected.row(row.measured.experiment, row.measured.variant)
        assert known is not None
        assert (row.measured.sha256, row.measured.test) == (known.measured.sha256, known.measured.test)
    return done.stdout


def test_the_index_and_what_else_lies_there(copy: Path, smoke: Smoke, tmp_path: Path, tally: Counter[str]) -> None:
    """Whatever their damage, they decide nothing where keys can be computed."""
    for number, path in enumerate(sorted((copy / "index").rglob("*/*/*/*"))):
        path.write_bytes([b"", b"\0" * 64, b"f" * 64, b"../../x"][number % 4])
        tally["an index entry damaged"] += 1
    for name in ("times.jsonl", "build.log", "build.lock"):
        (copy / name).write_bytes(b"\xff\0[]{")
        tally["a note damaged"] += 1
    _measures_the_same(copy, smoke, tmp_path / "run.json")


def test_a_bundle(smoke: Smoke, tmp_path: Path, times: Callable[[int, int], int], tally: Counter[str]) -> None:
    """Cut short, with bytes changed or zeroed: refused whole, or the same artifacts after all."""
    store, path = Store(smoke.cache, print), tmp_path / "bundle.zip"
    bundle.export(store, path, sorted(set(Store(smoke.cache, print).index().values()))[:2])
    whole = path.read_bytes()
    rng = random.Random(0)
    for number in range(times(30, 600)):
        content, place = bytearray(whole), rng.randrange(len(whole))
        if number % 3 == 0:
            del content[place:]
        elif number % 3 == 1:
            content[place] ^= 1 << rng.randrange(8)
        else:
            content[place : place + 100] = bytes(len(content[place : place + 100]))
        path.write_bytes(content)
        tally["a bundle damaged"] += 1
        target = Store(tmp_path / "target", print)
        try:
            bundle.load(target, path)
        except OptsuiteError:
            assert not target.stored()
            assert not target.index()
        else:
            assert all(target.get(key) == {**(store.get(key) or {}), IMPORTED: b""} for key in target.stored())
            shutil.rmtree(target.root)
