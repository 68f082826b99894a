"""Entry point of `python -m optsuite` and of the console script."""

from __future__ import annotations

import sys

from optsuite.cli import main

__all__ = ["main"]

if __name__ == "__main__":
    sys.exit(main())
