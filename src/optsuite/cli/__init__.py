"""The `optsuite` command: one module per subcommand, and what they have in common."""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Sequence

import click

from optsuite import __version__
from optsuite.cli import ab, compare, history, init, install_aarch64, measure, plan, recommend, report, spread, store
from optsuite.errors import OptsuiteError, first_line

_CANNOT_USE_INPUT = 2
_UNEXPECTED_ERROR = 3
_BROKEN_PIPE = 128 + 13  # SIGPIPE


@click.group(context_settings={"help_option_names": ["-h", "--help"]}, no_args_is_help=False)
@click.version_option(__version__, message="%(version)s")
@click.option("--traceback", is_flag=True, help="Show the traceback of an unexpected error.")
def group(traceback: bool) -> None:
    """Work with optimised TFLite models and with the runs that measured them.

    A run is the JSON file that `pytest benchmarks/ --benchmark-json=RUN.json` writes.

    A command exits with 0 if it succeeds, 1 if the answer is no (`compare` finds a regression, `recommend` finds no
    variant within the limits), 2 if its input can't be used, and 3 if an unexpected error occurs. `plan` exits with
    the code of pytest.
    """


for _module in (ab, compare, history, init, install_aarch64, measure, plan, recommend, report, spread, store):
    group.add_command(_module.command)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command.

    Args:
        arguments: The command line after `optsuite`; that of this process by default.

    Returns:
        The exit code: 0 for success, 1 if the answer is no, 2 if the input can't be used, 3 after an unexpected error,
        141 if nobody reads the output any more, as shells have it.

    """
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # a terminal may not be able to show µ
    given = list(sys.argv[1:] if arguments is None else arguments)
    try:
        code = _run(given)
        print(end="", flush=True)  # there may be no standard output at all
        return code
    except BrokenPipeError:  # as of `optsuite ... | head`; what is left must not be written when Python ends
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return _BROKEN_PIPE
    except click.UsageError as error:
        error.show()
        return _CANNOT_USE_INPUT
    except OptsuiteError as error:
        print(f"optsuite: {error}", file=sys.stderr)
        return _CANNOT_USE_INPUT
    except Exception as error:
        if "--traceback" in given:
            raise
        message = f"unexpected {type(error).__name__}: {first_line(error)}"
        print(f"optsuite: {message}; `optsuite --traceback ...` shows where", file=sys.stderr)
        return _UNEXPECTED_ERROR


def _run(arguments: Sequence[str]) -> int:
    """Run the subcommand, and return its exit code."""
    # Not `group.main(...)`, which replaces KeyboardInterrupt and ends the process after a broken pipe.
    try:
        with group.make_context("optsuite", list(arguments)) as context:
            return int(group.invoke(context))
    except click.exceptions.Exit as finished:  # after --help and --version
        return finished.exit_code
