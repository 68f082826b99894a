"""A folder of results, written whole or not at all."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from optsuite.spec import OptsuiteError


@contextmanager
def written(out: Path, what: str) -> Iterator[Path]:
    """A scratch folder, whose files take their places in `out` at the end; OptsuiteError where that can't be done."""
    try:
        out.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=out, prefix=".new-") as scratch:
            made = Path(scratch)
            yield made
            for file in sorted(made.rglob("*.*")):
                target = out / file.relative_to(made)
                target.parent.mkdir(exist_ok=True)
                os.replace(file, target)
    except OSError as error:
        raise OptsuiteError(f"the {what} can't be written to {out}: {error.strerror}; accepted is a folder") from error
