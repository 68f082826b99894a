"""`optsuite init`: what it writes, and what it leaves alone."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from optsuite import config
from optsuite.__main__ import main
from optsuite.catalog import user_file

WRITTEN = ("optsuite_catalog.py", ".github/workflows/optsuite.yml", "pyproject.toml")


def _content(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_three_files_are_written(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """They can be read, and are named on stdout."""
    assert main(["init", str(tmp_path)]) == 0
    *lines, try_it, run, report = capsys.readouterr().out.splitlines()
    assert lines == [f"wrote {tmp_path / name}" for name in WRITTEN]
    assert try_it == "try it:"
    assert run.startswith("  pytest --pyargs optsuite.benchmarks ")
    assert report == "  optsuite report try.json --out report"
    assert set(_content(tmp_path)) == set(WRITTEN)
    catalog = config.read(tmp_path / "pyproject.toml").catalog
    assert list(user_file.read(tmp_path / catalog).models) == ["mine"]


def test_a_section_is_added_to_a_pyproject(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In the current folder by default; the rest of the file stays to the byte."""
    monkeypatch.chdir(tmp_path)
    before = b'# mine\n[project]\nname = "mine"\n'
    Path("pyproject.toml").write_bytes(before)
    assert main(["init"]) == 0
    after = Path("pyproject.toml").read_bytes()
    assert after.startswith(before)
    assert tomllib.loads(after.decode())["tool"]["optsuite"] == {"catalog": "optsuite_catalog.py"}


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("pyproject.toml", b"[tool.optsuite]\n", "pyproject.toml: expected no section [tool.optsuite], got one"),
        ("pyproject.toml", b"[tool\n", "expected TOML, to which a section can be added"),
        ("pyproject.toml", b"\xff", "expected TOML, to which a section can be added"),
        ("optsuite_catalog.py", b"", "optsuite_catalog.py: expected no such file, got one"),
        (".github/workflows/optsuite.yml", b"", "optsuite.yml: expected no such file, got one"),
        (".github/workflows", b"a file", "can't be written: "),
    ],
)
def test_nothing_is_overwritten(
    name: str, content: bytes, message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """One line, exit 2, and a pyproject that is as before."""
    (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / name).write_bytes(content)
    assert main(["init", str(tmp_path)]) == 2
    said = capsys.readouterr().err
    assert said.startswith("optsuite: ")
    assert message in said
    assert said.count("\n") == 1
    kept = _content(tmp_path)
    assert kept[name] == content
    if name != ".github/workflows":  # the catalogue is written before the workflow
        assert set(kept) == {name}
