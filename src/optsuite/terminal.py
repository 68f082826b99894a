"""Text for a terminal: tables and sentences, in lines of at most 100 characters."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence

WIDTH = 100
"""The characters that a line has at most. A word that is longer, such as a path, is not broken."""
_GAP = "  "


def wrapped(text: str, *, indent: int = 0, hanging: int = 0) -> str:
    """Return a text with each of its lines wrapped.

    Args:
        text: Lines of any length.
        indent: How many spaces each line starts with.
        hanging: How many more spaces what did not fit into a line starts with.

    """
    return "\n".join(
        textwrap.fill(
            line,
            WIDTH,
            initial_indent=" " * indent,
            subsequent_indent=" " * (indent + hanging),
            break_long_words=False,
            break_on_hyphens=False,
        )
        for line in text.splitlines()
    )


def table(rows: Sequence[Mapping[str, str]], *, indent: int = 0) -> str:
    """Return a table with a line of headings.

    Where the lines would be too long, the longest cells of the first column stand on lines of their own, above the
    other cells of their row. Such a cell is not repeated if the next row has the same.

    Args:
        rows: Heading -> cell, for each row; a row without a cell has an empty one.
        indent: How many spaces each line starts with.

    """
    headings = list(dict.fromkeys(heading for row in rows for heading in row))
    lines = [headings, *([_plain(row.get(heading, "")) for heading in headings] for row in rows)]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    room = WIDTH - indent - sum(len(_GAP) + width for width in widths[1:])
    if widths and widths[0] > room:
        widths[0] = max((len(line[0]) for line in lines if len(line[0]) <= room), default=0)
    printed = []
    above = ""
    for first, *others in lines:
        fits = len(first) <= widths[0]
        if not fits and first != above:
            printed.append(first)
        above = "" if fits else first
        cells = zip([first if fits else "", *others], widths, strict=True)
        printed.append(_GAP.join(f"{cell:{width}}" for cell, width in cells).rstrip())
    return textwrap.indent("\n".join(printed), " " * indent)


def _plain(cell: str) -> str:
    """A cell in one line, without characters that control the terminal."""
    return "".join(character if character.isprintable() else " " for character in cell)
