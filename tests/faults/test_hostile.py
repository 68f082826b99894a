"""Files from strangers: a result or one line and exit 2, never a traceback, and nothing believed that can't be read."""

from __future__ import annotations

import contextlib
import copy
import io
import json
import random
import re
import shutil
from collections import Counter
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, NoReturn

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from runs import SMOKE, Smoke, run_sabotaged

from optsuite import config, tflite
from optsuite.__main__ import main
from optsuite.build.examiner import Examiner
from optsuite.build.running import local_workers
from optsuite.catalog.examinations import RUNTIME
from optsuite.catalog.profiles import PROFILES
from optsuite.catalog.variants import VARIANTS
from optsuite.errors import OptsuiteError
from optsuite.litert import LiteRTRunner
from optsuite.measure.standalone_files import stored
from optsuite.results import reader

NAMES = [
    "../../outside",
    "/etc/outside",
    "a/b\\c",
    "..",
    "a\0b",
    "=HYPERLINK(1)",
    "@x",
    "<script>alert(1)</script>",
    "a|b\nc",
    "$\\frac{1}$",
    "%s{0}{{x}}",
    "x" * 10_000,
    "ü\u202e\ud83d\ude00",
    "",
]
pytestmark = pytest.mark.filterwarnings("ignore:Glyph:UserWarning")  # matplotlib's fonts have not every character

_JUNK = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(min_value=-(2**70), max_value=2**70),
    st.floats(),
    st.sampled_from([0, 1, -1, 1e-320, 1e308, 2**63, 0.5]),
    st.sampled_from(NAMES),
    st.text(max_size=20),
    st.just([]),
    st.just({}),
)


def _places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """All paths into a JSON value; of long lists of numbers, the first."""
    found = [path] if path else []
    if isinstance(value, dict):
        for name in value:
            found += _places(value[name], (*path, name))
    elif isinstance(value, list):
        for index, one in enumerate(value[:3]):
            found += _places(one, (*path, index))
    return found


def _changed(value: Any, path: tuple[Any, ...], new: Any) -> None:
    *outer, last = path
    for step in outer:
        try:
            value = value[step]
        except (KeyError, IndexError, TypeError):
            return  # an earlier change took it away
    if isinstance(value, dict) or (isinstance(value, list) and isinstance(last, int) and last < len(value)):
        if new is _GONE and isinstance(value, dict):
            value.pop(last, None)
        elif new is _GONE:
            del value[last]
        else:
            value[last] = new


_GONE = object()
_CHANGES = st.lists(
    st.tuples(st.floats(0, 1, exclude_max=True), st.one_of(_JUNK, st.just(_GONE))), min_size=1, max_size=3
)


def _mutated(run: Any, changes: list[tuple[float, Any]]) -> str:
    run = copy.deepcopy(run)
    places = _places(run)
    for where, new in changes:
        _changed(run, places[int(where * len(places))], new)
    return json.dumps(run)


def _try(command: list[str], capsys: pytest.CaptureFixture[str]) -> int:
    code = main(command)
    said = capsys.readouterr()
    assert code in (0, 1, 2)
    if code == 2:
        assert said.err.startswith("optsuite: ")
        assert said.err.count("\n") == 1
    assert " nan" not in said.out.lower()
    return code


@pytest.fixture
def bounded(times: Callable[[int, int], int]) -> Callable[[int, int], Any]:
    """Hypothesis' settings: so many examples in the short form, so many in the long."""

    def bounded(short: int, long: int) -> Any:
        return settings(
            max_examples=times(short, long),
            deadline=None,
            database=None,
            derandomize=True,
            suppress_health_check=list(HealthCheck),
            phases=(Phase.generate,),
        )

    return bounded


@pytest.mark.parametrize("command", ["compare", "recommend", "history", "report"])
def test_mutated_runs(
    command: str,
    run_json: dict[str, Any],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    bounded: Callable[[int, int], Any],
    tally: Counter[str],
) -> None:
    """Any three places of the JSON replaced by anything, or taken out."""
    base = tmp_path / "base.json"
    base.write_text(json.dumps(run_json))
    kept = tmp_path / "kept"
    kept.mkdir()
    path = kept / "0001_run.json"
    out = tmp_path / "out"
    commands = {
        "compare": ["compare", str(base), str(path), "--cache", str(tmp_path / "cache")],
        "recommend": ["recommend", str(path), "--max-size", "3KB", "--min-accuracy", "0.5"],
        "history": ["history", str(kept), "--out", str(out)],
        "report": ["report", str(path), "--out", str(out)],
    }

    def attack(changes: list[tuple[float, Any]]) -> None:
        path.write_text(_mutated(run_json, changes))
        tally[f"a run's JSON changed, {command}"] += 1
        _try(commands[command], capsys)

    examples = {"report": (4, 150), "history": (10, 300)}.get(command, (40, 2_000))
    bounded(*examples)(given(_CHANGES)(attack))()
    inside = {base, kept, out, tmp_path / "cache"}
    assert {one for one in tmp_path.iterdir() if one not in inside} == set()


@pytest.mark.parametrize("name", NAMES, ids=range(len(NAMES)))
def test_names(name: str, run_json: dict[str, Any], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """In every place where a name is shown or becomes part of a path."""
    header = run_json["optsuite"]
    for one in header["built"]:
        one["model"] = name
        one["info"]["stages"][0]["stage"] = name
    header["built"][1]["recipe"] = "prune-0.8_pqat"
    header["absences"][0]["reason"] = name
    run_json["commit_info"]["id"] = name
    run_json["benchmarks"][0]["extra_info"]["optsuite"]["note"] = name
    old = {one["id"]: one["id"].replace("conv", name) for one in header["built"]}
    text = json.dumps(run_json)
    for before, after in old.items():
        text = text.replace(json.dumps(before), json.dumps(after))
    kept = tmp_path / "kept"
    kept.mkdir()
    path = kept / "0001_run.json"
    path.write_text(text)
    out = tmp_path / "deep" / "out"
    assert _try(["report", str(path), "--out", str(out)], capsys) == 0
    assert _try(["history", str(kept), "--out", str(out)], capsys) == 0
    assert _try(["recommend", str(path)], capsys) == 0
    assert _try(["compare", str(path), str(path), "--all"], capsys) == 0
    assert {one.name for one in tmp_path.iterdir()} == {"kept", "deep"}
    assert {one.name for one in out.parent.iterdir()} == {"out"}
    for table in out.glob("*.csv"):
        cells = table.read_text().replace("\n", ",").split(",")
        assert [cell for cell in cells if cell.startswith(("=", "@", '"=', '"@'))] == []
    assert "<script>" not in (out / "report.md").read_text()


_SECTION = """
[tool.optsuite.budgets]
recipe = { "dscnn_*" = 0.02, "x" = 1 }
variant = { "*-int8" = 0.01 }
[tool.optsuite.tolerances]
accuracy = { "*" = 0.001 }
size = { "*" = 0.01 }
"""


def test_a_section(tmp_path: Path, bounded: Callable[[int, int], Any], tally: Counter[str]) -> None:
    """Of pyproject.toml, with any pieces of it replaced by anything: budgets in 0..1, or one error that is ours."""
    path = tmp_path / "pyproject.toml"
    pieces = re.split(r"(\W)", _SECTION)

    def attack(changes: list[tuple[int, str]]) -> None:
        text = list(pieces)
        for place, new in changes:
            text[place] = new
        path.write_text("".join(text), errors="surrogatepass")
        tally["a section of pyproject.toml changed"] += 1
        try:
            found = config.read(path)
        except OptsuiteError:
            return
        assert all(0 <= budget <= 1 for budget in (found.budgets.recipe | found.budgets.variant).values())

    junk = st.one_of(st.text(max_size=5), st.sampled_from(["nan", "inf", "-1", "1e400", "[", "tool", "{}", "", "true"]))
    changes = st.lists(st.tuples(st.integers(0, len(pieces) - 1), junk), min_size=1, max_size=3)
    bounded(100, 5_000)(given(changes)(attack))()


def no_data(*of: object) -> NoReturn:
    """What an examination that needs no data does not load."""
    raise AssertionError(of)


def test_damaged_tflite_files(
    smoke: Smoke,
    tmp_path: Path,
    times: Callable[[int, int], int],
    tally: Counter[str],
    capfd: pytest.CaptureFixture[str],
) -> None:
    """Tried in a process of their own, as all are that were never run: what is left is read, or is one error."""
    whole = next(smoke.cache.glob("objects/*/model.tflite")).read_bytes()
    rng = random.Random(0)
    files = {}
    for number in range(times(20, 1_000)):
        content = bytearray(whole[: rng.randrange(8, len(whole))] if number % 4 == 0 else whole)
        for _ in range(rng.choice([1, 10, 100])):
            content[rng.randrange(8, len(content))] = rng.randrange(256)
        files[number] = bytes(content)
    tally["a .tflite file damaged"] += len(files)
    with stored({str(number): content for number, content in files.items()}) as (store, kept):
        examiner = Examiner([RUNTIME], PROFILES["full"], no_data, store, print)
        examiner.examine(kept.values(), partial(local_workers, 2), io.StringIO())
        bad = set()
        for number in files:
            try:
                examiner.find(kept[str(number)], RUNTIME)
            except OptsuiteError as error:
                if "was killed twice" in str(error):
                    bad.add(number)
    for number in files.keys() - bad:
        for use in (tflite.kernels, LiteRTRunner):
            with contextlib.suppress(OptsuiteError):
                use(files[number])


def test_a_file_that_crashes(smoke: Smoke, tmp_path: Path, tally: Counter[str]) -> None:
    """Its rows fail and say why; the run ends, and all others are measured."""
    cache = shutil.copytree(smoke.cache, tmp_path / "cache")
    for examined in [*cache.glob("objects/*/findings.json")]:
        shutil.rmtree(examined.parent)
    tally["a file that crashes the interpreter"] += 1
    few = (
        "--optsuite-recipes=baseline",
        "--optsuite-targets=none",
        f"--optsuite-cache={cache}",
        f"--benchmark-json={tmp_path / 'run.json'}",
    )
    done = run_sabotaged("crash LiteRT", *SMOKE, *few)
    assert done.returncode == 1
    run = reader.read(tmp_path / "run.json")
    measured = {row.measured.variant for row in run.rows}
    crashed = set(VARIANTS) - measured
    assert crashed
    assert {"keras", "int8"} <= measured
    for variant in crashed:
        assert run.absence("tutorial_baseline_s0", variant) == (
            "could not be examined by runtime: the process that examined the file was killed twice: the file or the "
            "examination may crash or never end"
        )
    done = run_sabotaged("", *SMOKE, *few)  # it was not noted as good, and nor as bad
    assert done.returncode == 0, done.stdout
