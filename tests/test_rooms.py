"""The rooms: CONTRIBUTING.md names each, and no module is too long. import-linter holds their order in `make lint`."""

from __future__ import annotations

from runs import ROOT

SOURCE = ROOT / "src" / "optsuite"
NOT_ROOMS = {"__init__.py", "__main__.py", "__pycache__", "data", "py.typed"}
LONGEST = 250


def test_every_room_is_in_the_map() -> None:
    """A room that CONTRIBUTING.md does not name would be found by nobody."""
    text = (ROOT / "CONTRIBUTING.md").read_text()
    rooms = [path.name + "/" * path.is_dir() for path in SOURCE.iterdir() if path.name not in NOT_ROOMS]
    assert [room for room in rooms if f"`{room}`" not in text] == []


def test_no_module_is_too_long() -> None:
    """A module has one subject, and at most 250 lines."""
    modules = [path for folder in (SOURCE, ROOT / "fixtures", ROOT / "benchmarks") for path in folder.rglob("*.py")]
    lengths = {str(path.relative_to(ROOT)): len(path.read_text().splitlines()) for path in modules}
    assert {name: length for name, length in lengths.items() if length > LONGEST} == {}
