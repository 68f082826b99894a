"""The `optsuite` command: its subcommands, their options, and the exit codes that they share."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
import pytest
from runs import ROOT

from optsuite import __version__
from optsuite.__main__ import main
from optsuite.cli import group
from optsuite.judge.recommend import MARGINS
from optsuite.results import reader

INTERFACE = {
    "ab": ("FILE.tflite...",),
    "compare": (
        *("REFERENCE.json", "NEW.json"),
        *(
            "--markdown FILE",
            "--json FILE",
            "--all",
            "--spread SEEDS.json",
            "--row EXPERIMENT VARIANT",
            "--allow-not-comparable",
            "--cache DIR",
        ),
    ),
    "history": ("DIR", "--out DIR"),
    "init": ("[DIR]",),
    "install-aarch64": (),
    "measure": (
        *(
            "FILE.tflite...",
            "--data DATA.npz",
            "--dataset NAME",
            "--profile NAME",
            "--metric NAME",
            "--targets A,B",
            "--catalog FILE.py",
        ),
        "--json RUN.json",
    ),
    "recommend": (
        *("RUN.json", "--target NAME", "--max-size 40KB", "--max-flash 64KB", "--max-sram 32KB", "--max-arena 32KB"),
        *("--max-instructions 200k", "--max-latency 30us", "--min-accuracy 0.98", "--limit FIGURE=NUMBER"),
        *("--models A,B", "--variants A,B", "--prefer [quality|balanced|compact]", "--all"),
    ),
    "report": ("RUN.json...", "--out DIR", "--catalog FILE.py", "--calibration FILE.json"),
    "spread": ("SEEDS.json", "--add-to RUN.json"),
    "store ls": ("--cache DIR",),
    "store export": ("BUNDLE", "--run RUN.json", "--cache DIR"),
    "store import": ("BUNDLE", "--cache DIR"),
    "store get": ("RUN.json", "EXPERIMENT", "VARIANT", "FILE.tflite", "--cache DIR"),
    "store gc": ("--keep-runs DIR", "--cache DIR"),
}
"""Command -> its arguments and options. `plan` is not here, as its arguments are those of pytest."""


@pytest.fixture(autouse=True)
def _wide_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    """Help texts are wrapped in the same way everywhere."""
    monkeypatch.setenv("COLUMNS", "100")


def _names(commands: click.Group) -> set[str]:
    """Return the names of all commands, those of groups in two words."""
    found = set()
    for name, command in commands.commands.items():
        found |= {f"{name} {inner}" for inner in _names(command)} if isinstance(command, click.Group) else {name}
    return found


def test_the_commands_are_these() -> None:
    """A new command has its line in the table above."""
    assert _names(group) == {*INTERFACE, "plan"}


@pytest.mark.parametrize("name", INTERFACE)
@pytest.mark.parametrize("option", ["--help", "-h"])
def test_help_lists_arguments_and_options(name: str, option: str, capsys: pytest.CaptureFixture[str]) -> None:
    """All of them, and no others; each option has a text."""
    assert main([*name.split(), option]) == 0
    printed = capsys.readouterr().out
    arguments = [one for one in INTERFACE[name] if not one.startswith("--")]
    assert printed.startswith(" ".join([f"Usage: optsuite {name} [OPTIONS]", *arguments]) + "\n")
    options = re.findall(r"^  (--.*?)(?:  +|\n +)\S", printed, re.MULTILINE)
    assert options == [one for one in INTERFACE[name] if one.startswith("--")]


@pytest.mark.parametrize("arguments", [["--help"], ["store", "--help"]])
def test_help_lists_the_commands(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """Each with a sentence that is not cut off."""
    assert main(arguments) == 0
    printed = capsys.readouterr().out
    commands = group if len(arguments) == 1 else group.commands["store"]
    assert isinstance(commands, click.Group)
    for name in commands.commands:
        assert re.search(rf"^  {name} +[A-Z].*[^.]\.$", printed, re.MULTILINE)


def test_help_has_the_margins_of_each_preference(capsys: pytest.CaptureFixture[str]) -> None:
    """They are declared in `judge`, which is not imported for a help text."""
    assert main(["recommend", "--help"]) == 0
    text = " ".join(capsys.readouterr().out.split())
    assert re.findall(r"at most (\S+) points less accurate", text) == [
        f"{100 * MARGINS[preference]:g}" for preference in ("balanced", "compact")
    ]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "Missing command"),
        (["store"], "Missing command"),
        (["unknown"], "No such command 'unknown'"),
        (["store", "unknown"], "No such command 'unknown'"),
        (["--unknown"], "No such option"),
        (["compare", "a.json", "b.json", "--unknown"], "No such option"),
        (["compare", "a.json"], "Missing argument 'NEW.json'"),
        (["ab"], "Missing argument 'FILE.tflite...'"),
        (["report", "run.json"], "Missing option '--out'"),
        (["recommend", "run.json", "more.json"], "unexpected extra argument"),
        (["recommend", "run.json", "--prefer", "other"], "Invalid value for '--prefer'"),
    ],
)
def test_a_usage_error_exits_with_2(arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    """The message and the usage are on stderr."""
    assert main(arguments) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err.startswith("Usage: optsuite ")
    assert message in printed.err


def test_the_version_is_printed_alone(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """`main()` without arguments takes those of the process, as the console script does."""
    monkeypatch.setattr(sys, "argv", ["optsuite", "--version"])
    assert main() == 0
    assert capsys.readouterr().out == f"{__version__}\n"


HEAVY = {"ai_edge_litert", "jinja2", "matplotlib", "numpy", "pandas", "PIL", "plotly", "pytest", "scipy", "tensorflow"}


@pytest.mark.parametrize("arguments", [["--help"], ["compare", "--help"], ["measure"]])
def test_help_imports_no_heavy_module(arguments: list[str]) -> None:
    """It takes a tenth of a second, where TensorFlow alone takes eight."""
    code = (
        "import sys; from optsuite.__main__ import main; code = main(sys.argv[1:]); "
        "print(*(name.partition('.')[0] for name in sys.modules), file=sys.stderr); sys.exit(code)"
    )
    done = subprocess.run([sys.executable, "-c", code, *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == (0 if "--help" in arguments else 2)
    assert "click" in done.stderr
    assert HEAVY & set(done.stderr.split()) == set()


@pytest.mark.parametrize("arguments", [["recommend", "run.json"], ["store", "gc", "--keep-runs", "."]])
def test_an_unexpected_error_exits_with_3(
    arguments: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """One line, and the traceback on request."""

    def fail(path: Path) -> None:
        raise ZeroDivisionError("division by zero\nand more")

    monkeypatch.chdir(tmp_path)
    Path("run.json").touch()
    monkeypatch.setattr(reader, "read", fail)
    assert main(arguments) == 3
    assert capsys.readouterr().err == (
        "optsuite: unexpected ZeroDivisionError: division by zero; `optsuite --traceback ...` shows where\n"
    )
    with pytest.raises(ZeroDivisionError):
        main(["--traceback", *arguments])


def test_an_input_that_can_not_be_used_exits_with_2(capsys: pytest.CaptureFixture[str]) -> None:
    """One line, with --traceback too: it names what to correct."""
    for options in ([], ["--traceback"]):
        assert main([*options, "recommend", "no run.json"]) == 2
        assert re.fullmatch(r"optsuite: no run\.json: No such file or directory.*\n", capsys.readouterr().err)


def test_ctrl_c_is_not_an_error_of_the_command(monkeypatch: pytest.MonkeyPatch) -> None:
    """Python ends the process by the signal, which a shell script can see."""

    def interrupt(path: Path) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(reader, "read", interrupt)
    with pytest.raises(KeyboardInterrupt):
        main(["recommend", "run.json"])


@pytest.mark.parametrize(
    "arguments",
    [
        ["benchmarks/", "-k", "int8 and not kd", "-xvs", "--optsuite-seeds=0,1", "--unknown", "value"],
        ["--traceback", "--version"],
        ["-n", "2", "--optsuite-matrix", "all", "-"],
    ],
)
def test_plan_hands_all_arguments_to_pytest(arguments: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Options too, in their order and also those that optsuite has itself; the exit code is that of pytest."""
    started = []

    def run(command: list[str], *, check: bool) -> subprocess.CompletedProcess[str]:
        started.append(command)
        return subprocess.CompletedProcess(command, 5)

    monkeypatch.setattr(subprocess, "run", run)
    assert main(["plan", *arguments]) == 5
    assert main(["plan"]) == 5
    end = ["--optsuite-plan", "--quiet", "--no-header"]
    pytest_command = [sys.executable, "-m", "pytest"]
    assert started == [
        [*pytest_command, *arguments, *end],
        [*pytest_command, "--pyargs", "optsuite.benchmarks", *end],
    ]


@pytest.mark.slow
def test_the_help_of_plan_has_our_options(capsys: pytest.CaptureFixture[str]) -> None:
    """Its own, and those that optsuite adds to pytest's, as pytest has them."""
    assert main(["plan", "--help"]) == 0
    said = capsys.readouterr().out
    assert said.startswith("Usage: optsuite plan")
    assert "  --optsuite-catalog=FILE.py\n" in said
    assert "--optsuite-seeds=0,1" in said
    assert "--benchmark-json" not in said


def test_a_report_without_images_says_why(
    run_json: dict[str, Any],
    write_run: Callable[[Any], Path],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """The data of the run is not here: the report is written, and one line is logged."""
    run_json["optsuite"]["datasets"][0]["name"] = "elsewhere"
    for one in run_json["optsuite"]["built"]:
        one["dataset"] = "elsewhere"
    catalog = tmp_path / "failing.py"
    catalog.write_text("raise ValueError('no disk')\n")
    out = tmp_path / "out"
    assert main(["report", str(write_run(run_json)), "--out", str(out), "--catalog", str(catalog)]) == 0
    printed = capsys.readouterr()
    assert printed.err.startswith("optsuite: report.html shows no images: ")
    assert "no disk" in printed.err
    assert printed.err.count("\n") == 1
    assert printed.out.endswith(f"the report is in {out / 'report.html'} and {out / 'report.md'}\n")


def test_nobody_reads_the_output() -> None:
    """As of `optsuite recommend run.json | head -1`: no error of ours, and none of Python's when it ends."""
    code = "import sys; from optsuite.__main__ import main; sys.exit(main())"
    arguments = ["recommend", str(ROOT / "reports" / "mnist" / "run.json"), "--all"]
    command = [sys.executable, "-c", code, *arguments]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        said = process.stderr.read()
    assert (process.returncode, said) == (141, "")


@pytest.mark.slow
@pytest.mark.parametrize("arguments", [["--help"], ["--version"], ["compare", "--help"], ["store", "ls"]])
def test_an_output_that_takes_nothing(arguments: list[str], tmp_path: Path) -> None:
    """None, a pipe without a reader, a full disk: the exit code says which, and 1 is an answer."""
    command = shlex.join([sys.executable, "-m", "optsuite", *arguments])
    for end, code in ((">&-", 0), ("> /dev/full", 3), ("| false; exit ${PIPESTATUS[0]}", 141)):
        done = subprocess.run(
            ["bash", "-c", f"{command} {end}"], cwd=tmp_path, capture_output=True, text=True, check=False
        )
        assert done.returncode == code
        assert "Traceback" not in done.stderr
