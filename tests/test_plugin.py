"""The plugin's manners: wrong input, silent passes, the user's own options, other people's tests."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from runs import HANGS_S, ROOT, SMOKE, Smoke, run_pytest

pytestmark = pytest.mark.slow

ONE = ("--optsuite-recipes=baseline", "--optsuite-variants=int8")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--optsuite-models=vgg"], "unknown model 'vgg'; accepted: conv, dscnn, tutorial"),
        (["--optsuite-recipes=prune"], "unknown recipe 'prune'; accepted: baseline, qat, prune-0.8, cluster-8,"),
        (["--optsuite-variants=int4"], "unknown variant 'int4'; accepted: keras, fp32, fp16, dynamic, int8, uint8"),
        (["--optsuite-profile=huge"], "unknown profile 'huge'; accepted: full, smoke"),
        (["--optsuite-dataset=cifar"], "unknown dataset 'cifar'; accepted: mnist"),
        (["--optsuite-matrix=most"], "unknown matrix 'most'; accepted: default, all"),
        (["--optsuite-seeds=x"], "--optsuite-seeds=x: accepted are whole numbers from 0 to 999999999"),
        (["--optsuite-seeds=-1"], "--optsuite-seeds=-1: accepted are whole numbers from 0 to 999999999"),
        (["--optsuite-jobs=0"], "--optsuite-jobs=0: accepted are whole numbers from 1 up"),
        (["--optsuite-builders=tcp://here:1"], "--optsuite-builders=tcp://here:1: accepted is dask://HOST:PORT"),
        (
            ["--optsuite-builders=dask://here:1", "--optsuite-jobs=2"],
            "--optsuite-jobs is for processes",
        ),
        (["--optsuite-models=conv,"], "--optsuite-models=conv,: accepted are names, separated by commas"),
        (["--optsuite-recipes=qat", "--optsuite-variants=int16x8"], "the selection leaves nothing to run"),
        (["--benchmark-only"], "--benchmark-only would skip the accuracy gates and pass"),
        (["-n", "2"], "run without xdist's -n"),
        (["--optsuite-profile="], "unknown profile ''; accepted: full, smoke"),
        (["--optsuite-seeds=4294967296"], "accepted are whole numbers from 0 to 999999999"),
        (["--benchmark-disable"], "nothing is timed, so"),
        (["--benchmark-skip"], "nothing is timed, so"),
        (["-k", "accuracy"], "nothing is timed, so"),
    ],
)
def test_usage_errors(arguments: list[str], message: str, tmp_path: Path) -> None:
    """Exit 4, what was given and what is accepted, nothing built and nothing written."""
    path = tmp_path / "run.json"
    done = run_pytest(*arguments, f"--benchmark-json={path}", f"--optsuite-cache={tmp_path / 'cache'}")
    assert done.returncode == pytest.ExitCode.USAGE_ERROR
    assert message in done.stdout + done.stderr
    assert list(tmp_path.iterdir()) == []


def test_a_store_that_can_not_be_is_a_usage_error(tmp_path: Path) -> None:
    """A file stands where a folder should be: one line, no traceback."""
    (tmp_path / "file").touch()
    done = run_pytest(*SMOKE, *ONE, f"--optsuite-cache={tmp_path / 'file' / 'cache'}")
    assert done.returncode == pytest.ExitCode.USAGE_ERROR
    assert "can't be written: Not a directory" in done.stderr
    assert "Traceback" not in done.stdout + done.stderr


def _run_in(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """The installed benchmarks, in a folder with a pyproject.toml of its own."""
    command = [sys.executable, "-m", "pytest", "--pyargs", "optsuite.benchmarks", "--rootdir", str(folder), *arguments]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)


def test_a_wrong_pyproject_section_is_a_usage_error(tmp_path: Path) -> None:
    """Told before anything is collected, also when no option of ours is given."""
    (tmp_path / "pyproject.toml").write_text("[tool.pytest.ini_options]\n[tool.optsuite]\nbudget = 1\n")
    done = _run_in(tmp_path)
    assert done.returncode == pytest.ExitCode.USAGE_ERROR
    assert "unknown field `budget`" in done.stderr


def test_a_catalogue_that_can_not_be_read_is_a_usage_error(tmp_path: Path) -> None:
    """One line, when it is pyproject.toml that names it, too."""
    (tmp_path / "pyproject.toml").write_text('[tool.pytest.ini_options]\n[tool.optsuite]\ncatalog = "mine.py"\n')
    (tmp_path / "mine.py").write_text("MODELS = [1]\n")
    done = _run_in(tmp_path)
    assert done.returncode == pytest.ExitCode.USAGE_ERROR
    assert done.stderr.startswith("ERROR: optsuite: ")
    assert "MODELS is [1]; accepted is a list of Model" in done.stderr
    assert "Traceback" not in done.stdout + done.stderr
    assert len((done.stdout + done.stderr).splitlines()) < 15


def test_patterns_that_match_nothing_are_told_of(tmp_path: Path) -> None:
    """A tolerance under a mistyped name would gate nothing, and nobody would know."""
    section = '[tool.optsuite.tolerances]\naccuracy = {"conv_*" = 0.1, "conv-qat_int8" = 0.0}\n'
    budgets = '[tool.optsuite.budgets]\nrecipe = {"conv_qat" = 0.1, "conv_qat-int8" = 0.1}\n'
    (tmp_path / "pyproject.toml").write_text(f"[tool.pytest.ini_options]\n{section}{budgets}")
    done = _run_in(tmp_path, "--collect-only")
    assert done.returncode == 0, done.stderr
    said = "PytestConfigWarning: optsuite: pyproject.toml has patterns that match nothing: "
    (line,) = (line for line in done.stdout.splitlines() if said in line)
    assert line.endswith(f"{said}tolerances.accuracy 'conv-qat_int8', budgets.recipe 'conv_qat-int8'")


def test_nothing_selected_is_no_pass(tmp_path: Path) -> None:
    """It has pytest's own exit code for it."""
    done = run_pytest("-k", "nothing_has_this_name", f"--optsuite-cache={tmp_path / 'cache'}")
    assert done.returncode == pytest.ExitCode.NO_TESTS_COLLECTED


def test_collecting_builds_nothing(tmp_path: Path) -> None:
    """--collect-only lists every row, in the catalogues' order, and touches no store."""
    done = run_pytest("--collect-only", "-q", f"--optsuite-cache={tmp_path / 'cache'}")
    assert done.returncode == 0
    rows = [line for line in done.stdout.splitlines() if "test_latency" in line]
    assert len(rows) == 131
    assert rows[0].endswith("test_latency[conv_baseline_s0-fp32]")
    assert rows[-1].endswith("test_latency[tutorial_prune-0.8_cluster-8_pcqat_s0-keras]")
    assert not (tmp_path / "cache").exists()


def test_a_gate_with_nothing_to_judge_is_skipped_with_its_reason(smoke: Smoke) -> None:
    """A baseline has no baseline."""
    done = run_pytest(*SMOKE, *ONE, f"--optsuite-cache={smoke.cache}", "-rs")
    assert done.returncode == 0, done.stdout
    assert "the selection has no row for this test" in done.stdout
    assert "4 passed, 1 skipped" in done.stdout


@pytest.mark.parametrize(
    ("given", "environment", "rounds"),
    [
        ("--benchmark-min-rounds=7", "", "7"),
        ("-q", "--benchmark-min-rounds=9", "9"),
        ("--benchmark-max-time=0", "", "1000"),
    ],
)
def test_the_users_own_timing_options_win(smoke: Smoke, given: str, environment: str, rounds: str) -> None:
    """On the command line or in the environment; what was not given keeps our default."""
    done = run_pytest(
        *SMOKE,
        *ONE,
        given,
        "--benchmark-columns=rounds",
        f"--optsuite-cache={smoke.cache}",
        "--benchmark-json=/dev/stdout",
        PYTEST_ADDOPTS=environment,
    )
    assert done.returncode == 0, done.stdout
    assert f'"rounds": {rounds},' in done.stdout


def test_fixtures_of_the_same_names_are_somebody_elses(tmp_path: Path) -> None:
    """A test of a project that knows nothing of optsuite, beside a section that optsuite could not read."""
    (tmp_path / "pyproject.toml").write_text("[tool.optsuite]\nnothing = 'known'\n")
    (tmp_path / "test_theirs.py").write_text(
        "import pytest\n\n"
        "@pytest.fixture\ndef suite():\n    return 'theirs'\n\n"
        "@pytest.fixture(params=[1, 2])\ndef experiment(request):\n    return request.param\n\n"
        "@pytest.fixture\ndef variant():\n    return 'theirs'\n\n"
        "def test_theirs(suite, experiment, variant):\n    assert suite == variant == 'theirs'\n"
    )
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout
    assert "2 passed" in done.stdout
    assert "optsuite:" not in done.stdout
    assert not (tmp_path / ".optsuite-cache").exists()


def test_other_peoples_tests_are_left_alone(tmp_path: Path) -> None:
    """Where nothing of ours is collected the plugin does nothing: names may clash, -n and --benchmark-only work."""
    (tmp_path / "test_theirs.py").write_text(
        "import sys\n"
        "import pytest\n\n"
        "@pytest.mark.parametrize('experiment', ['a'])\n"
        "@pytest.mark.parametrize('variant', [1])\n"
        "def test_theirs(experiment, variant):\n"
        "    assert not {'numpy', 'ai_edge_litert', 'tensorflow', 'rich'} & set(sys.modules)\n"
    )
    command = [sys.executable, "-m", "pytest", "-p", "no:benchmark", "-p", "no:cacheprovider"]
    for options in ([], ["-n", "1"]):
        done = subprocess.run([*command, *options], cwd=tmp_path, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout
        assert "optsuite:" not in done.stdout


TWICE = """
import sys, pytest
rows = ["bench.py", "--optsuite-profile=smoke", "--optsuite-models=tutorial", "--optsuite-variants=int8", *sys.argv[1:]]
codes = []
for more in (["--optsuite-recipes=baseline", "--optsuite-catalog=catalogue.py"], ["--optsuite-recipes=baseline"]):
    codes.append(int(pytest.main([*rows, *more])))
codes.append(int(pytest.main([*rows, "--optsuite-recipes=mine", "--optsuite-catalog=catalogue.py"])))
codes.append(int(pytest.main([*rows, "--optsuite-recipes=mine"])))
print(codes)
"""


def test_pytest_main_twice_in_one_process(smoke: Smoke, tmp_path: Path) -> None:
    """With a catalogue and without; the script that calls it does not run again in the processes that build."""
    cache = shutil.copytree(smoke.cache, tmp_path / "cache")
    shutil.copy(ROOT / "benchmarks" / "test_latency.py", tmp_path / "bench.py")
    (tmp_path / "catalogue.py").write_text(
        "from optsuite.catalog import Cluster, Recipe\nRECIPES = [Recipe(name='mine', stages=(Cluster(clusters=4),))]\n"
    )
    (tmp_path / "twice.py").write_text(TWICE)
    done = subprocess.run(
        [sys.executable, "twice.py", f"--optsuite-cache={cache}"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=HANGS_S,
        check=True,
    )
    assert done.stdout.splitlines()[-1] == "[0, 0, 0, 4]"
    assert "unknown recipe 'mine'" in done.stderr
    assert "built 2 of 2 steps" in done.stdout
