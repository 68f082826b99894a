"""Every command and every Python block in the README and in docs/ is run, on the smoke profile.

With optsuite installed from its own wheel.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tomllib
from pathlib import Path

import pytest
import yaml
from runs import HANGS_S, ROOT, SMOKE_KINDS, Smoke

from optsuite import config
from optsuite.__main__ import main
from optsuite.results import reader

pytestmark = pytest.mark.slow

PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*/*.md"))]

# They would run themselves, or install anew: CI runs both on a clean checkout. test_own.py has init in an empty folder.
_ELSEWHERE = ("make bench", "make test", "optsuite init")
# 1 is an answer there: nothing is within the limits, which smoke accuracies may not be.
_MAY_SAY_NO = "optsuite recommend"
_TAKES_LONG = "optsuite.benchmarks.calibration"


def _blocks(page: Path, language: str) -> list[str]:
    """The content of each fenced block in that language."""
    return re.findall(rf"^```{language}\n(.*?)^```$", page.read_text(), re.MULTILINE | re.DOTALL)


@pytest.fixture
def project(smoke: Smoke, tmp_path: Path) -> Path:
    """A checkout without the product, where the smoke models are built."""
    for name in ("pyproject.toml", "conftest.py"):
        shutil.copy(ROOT / name, tmp_path / name)
    shutil.copytree(ROOT / "benchmarks", tmp_path / "benchmarks")
    shutil.copytree(smoke.cache, tmp_path / ".optsuite-cache")
    return tmp_path


_RUN = [
    page
    for page in PAGES
    if (_blocks(page, "sh") or _blocks(page, "python")) and page.stem not in ("own-model", "targets")
]
"""Those two have tests of their own: tests/test_user_catalog.py, tests/examine/test_targets.py."""


def _script(page: Path) -> str:
    """The blocks of a page in their order, as one shell script.

    Commands are run. A Python block whose first line is a file's name, as a comment, is written to that file; any
    other is run.
    """
    script = ["set -eu", "trap 'kill $(jobs -p) 2> kill.log || true' EXIT"]
    for language, block in re.findall(r"^```(sh|python)\n(.*?)^```$", page.read_text(), re.MULTILINE | re.DOTALL):
        if language == "python":
            named = re.match(r"# (\S+\.py)\n", block)
            script.append(f"{f'cat > {named[1]}' if named else 'python -'} << 'END OF BLOCK'\n{block}END OF BLOCK")
            continue
        for line in block.replace("\\\n", " ").splitlines():
            command = line.partition("#")[0].strip()
            if not command or command in _ELSEWHERE:
                continue
            if command.endswith("&"):
                command = f"{command.removesuffix('&')} > {len(script)}.log 2>&1 &"
            command += " --tries 1" if _TAKES_LONG in command else ""
            script.append(command + (" || test $? = 1" if command.startswith(_MAY_SAY_NO) else ""))
    return "\n".join(script)


@pytest.mark.parametrize("page", _RUN, ids=lambda page: page.stem)
def test_every_block_runs(page: Path, commands: Path, project: Path) -> None:
    """In their order, in one shell; each must end well. Pages with a catalogue of their own run all that it has."""
    few = ["--optsuite-profile=smoke", "--optsuite-variants=fp32,int8", "--benchmark-quiet", "-q"]
    if "--optsuite-builders" not in page.read_text():
        few.append("--optsuite-jobs=1")  # as `run_pytest` does
    if "\nMODELS = " in page.read_text():
        few.append("--optsuite-targets=none")
    else:
        few += ["--optsuite-models=tutorial", f"--optsuite-recipes={','.join(SMOKE_KINDS[:2])}"]
        few.append("--optsuite-targets=tflm,ethos-u55-128")
    done = subprocess.run(
        ["bash", "-xc", _script(page)],
        cwd=project,
        env=os.environ
        | {
            "PATH": f"{commands}{os.pathsep}{os.environ['PATH']}",
            "PYTEST_ADDOPTS": " ".join(few),
        },
        capture_output=True,
        text=True,
        timeout=HANGS_S,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]


def test_the_wheel_is_what_runs(commands: Path, tmp_path: Path) -> None:
    """Not this checkout, whose editable installation lies beside it."""
    code = "import optsuite, optsuite.fixtures.plugin as plugin; print(optsuite.__file__, plugin.__file__)"
    done = subprocess.run([commands / "python", "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert done.stdout.count(str(commands.parent)) == 2


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_links_lead_somewhere(page: Path) -> None:
    """To files of this repository."""
    targets = re.findall(r"\]\((?!https?:)([^)#]+)", page.read_text())
    assert [target for target in targets if not (page.parent / target).exists()] == []


def test_links_of_the_readme_work_elsewhere() -> None:
    """A package index shows it, so they are absolute; the files and headings are in this repository."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    repository = project["urls"]["Repository"]
    raw = repository.replace("github.com", "raw.githubusercontent.com")
    links = re.findall(r"\]\(([^)]+)\)", (ROOT / "README.md").read_text())
    assert len(links) > 20
    for link in links:
        path, _, heading = link.removeprefix(f"{repository}/blob/main/").removeprefix(f"{raw}/main/").partition("#")
        assert path != link
        assert (ROOT / path).is_file(), link
        assert not heading or re.search(
            rf"^#+ {heading.replace('-', '[- ]')}$", (ROOT / path).read_text(), re.MULTILINE | re.IGNORECASE
        )


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_settings_are_accepted(page: Path, tmp_path: Path) -> None:
    """Each TOML block is read as a pyproject.toml is."""
    for block in _blocks(page, "toml"):
        assert tomllib.loads(block)["tool"]["optsuite"]
        (tmp_path / "pyproject.toml").write_text(block)
        config.read(tmp_path / "pyproject.toml")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_yaml_can_be_read(page: Path) -> None:
    """Each YAML block, such as a job of a CI server."""
    for block in _blocks(page, "yaml"):
        assert isinstance(yaml.safe_load(block), dict)


def test_the_table_is_that_of_the_committed_run() -> None:
    """No number in the README that was not measured."""
    run = reader.read(ROOT / "reports/mnist/run.json")
    shown = re.findall(r"^\| (\S+_s0) (\S+) (\|.*)$", (ROOT / "README.md").read_text(), re.MULTILINE)
    assert len(shown) >= 3
    for experiment, variant, numbers in shown:
        row = run.row(experiment, variant)
        assert row is not None
        found, median_us = row.measured, 1e6 * row.timing.median_s
        expected = f"| {found.test.accuracy:.4f} | {found.bytes:,} | {found.gzip_bytes:,} | {median_us:.1f} µs |"
        assert numbers == expected


def test_the_recommendation_is_that_of_the_committed_run(capsys: pytest.CaptureFixture[str]) -> None:
    """Line by line, up to where the README leaves off."""
    (block,) = _blocks(ROOT / "README.md", "text")
    command, _, rest = block.partition("\n")
    _, _, *arguments = command.split()
    assert main([argument.replace("reports/", f"{ROOT}/reports/") for argument in arguments]) == 0
    assert capsys.readouterr().out.startswith(rest.partition("...")[0])
