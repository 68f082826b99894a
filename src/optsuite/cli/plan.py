"""`optsuite plan`: show what pytest would build."""

from __future__ import annotations

import subprocess
import sys

import click


@click.command("plan", context_settings={"ignore_unknown_options": True}, add_help_option=False)
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED, metavar="[PYTEST ARGUMENTS]...")
def command(arguments: tuple[str, ...]) -> int:
    """Show what pytest would build, and how long it may take.

    Takes the arguments and options of pytest; all benchmarks by default. Exits with the code of pytest.
    """
    selected = arguments or ("--pyargs", "optsuite.benchmarks")
    pytest = [sys.executable, "-m", "pytest", *selected, "--optsuite-plan", "--quiet", "--no-header"]
    return subprocess.run(pytest, check=False).returncode
