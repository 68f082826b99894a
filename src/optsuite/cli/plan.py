"""`optsuite plan`: show what pytest would build."""

from __future__ import annotations

import subprocess
import sys

import click


@click.command("plan", context_settings={"ignore_unknown_options": True}, add_help_option=False)
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED, metavar="[PYTEST ARGUMENTS]...")
@click.pass_context
def command(context: click.Context, arguments: tuple[str, ...]) -> int:
    """Show what pytest would build, and how long it may take.

    Takes the arguments and options of pytest; all benchmarks by default. Exits with the code of pytest.
    """
    if {"-h", "--help"} & set(arguments):
        print(f"{context.get_help()}\n\n{_options()}")
        return 0
    selected = arguments or ("--pyargs", "optsuite.benchmarks")
    pytest = [sys.executable, "-m", "pytest", *selected, "--optsuite-plan", "--quiet", "--no-header"]
    return subprocess.run(pytest, check=False).returncode


def _options() -> str:
    """Return the options of optsuite as pytest's help has them."""
    pytest = [sys.executable, "-m", "pytest", "--help", "-p", "no:cacheprovider"]
    lines = subprocess.run(pytest, capture_output=True, text=True, check=True).stdout.splitlines()
    first = next(place for place, line in enumerate(lines) if line.startswith("  --optsuite-"))
    after = (place for place, line in enumerate(lines) if place > first and line[:1].strip())
    return "\n".join(["Options of optsuite, besides pytest's:", *lines[first : next(after)]]).rstrip()
