"""What is published: an sdist that makes the same wheel, and has no test that can't run."""

from __future__ import annotations

import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest
from runs import copy_source

pytestmark = pytest.mark.slow

_BUILD = "import sys; from setuptools import build_meta; print(getattr(build_meta, sys.argv[1])(sys.argv[2]))"


def _build(what: str, source: Path, out: Path) -> Path:
    done = subprocess.run(
        [sys.executable, "-c", _BUILD, what, out], cwd=source, capture_output=True, text=True, check=True
    )
    return out / done.stdout.splitlines()[-1]


def test_the_sdist_makes_the_same_wheel(tmp_path: Path) -> None:
    """Tests import files that setuptools would not take along: none of them is in it."""
    source = copy_source(tmp_path / "source")
    wheel = _build("build_wheel", source, tmp_path)
    with tarfile.open(_build("build_sdist", copy_source(tmp_path / "again"), tmp_path)) as archive:
        names = [name.partition("/")[2] for name in archive.getnames()]
        archive.extractall(tmp_path / "unpacked", filter="data")
    assert not [name for name in names if name.startswith("tests")]
    assert {"fixtures/plugin.py", "benchmarks/test_latency.py", "docs/reference/numbers.md"} <= set(names)
    (unpacked,) = (tmp_path / "unpacked").iterdir()
    (tmp_path / "second").mkdir()
    second = _build("build_wheel", unpacked, tmp_path / "second")
    assert zipfile.ZipFile(wheel).namelist() == zipfile.ZipFile(second).namelist()
