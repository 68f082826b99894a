"""Names, which may hold anything, made harmless where they are written: in file names, figures, CSV and Markdown."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

import pandas as pd


def file_name(name: str) -> str:
    """One plain part of a path; what had to be changed is told apart by a hash."""
    plain = re.sub(r"[^A-Za-z0-9._-]", "_", name)[:80].lstrip(".")
    return name if plain == name else f"{plain}-{hashlib.sha256(name.encode('utf-8', 'replace')).hexdigest()[:8]}"


def label(name: str) -> str:
    """Text in a figure: what can be drawn, and fits. Matplotlib takes $ for mathematics, _ first for "no legend"."""
    drawn = "".join(character if character.isprintable() else " " for character in name).strip().lstrip("_") or "?"
    return (drawn if len(drawn) <= 48 else f"{drawn[:47]}…").replace("$", r"\$")


def cell(text: str) -> str:
    """Text in a cell of a Markdown table: no column, tag or line of its own."""
    escaped = text.replace("\\", "\\\\").replace("|", "\\|").replace("<", "&lt;")
    return re.sub(r"[\r\n\0]+", " ", escaped)


def write_csv(table: pd.DataFrame, path: Path, float_format: str | None = None) -> None:
    """A table whose texts no spreadsheet takes for formulas: an apostrophe goes before what begins like one (OWASP)."""
    texts = {name: table[name].map(_no_formula) for name in table if not pd.api.types.is_numeric_dtype(table[name])}
    table.assign(**{str(name): column for name, column in texts.items()}).to_csv(
        path, index=False, float_format=float_format
    )


def _no_formula(value: object) -> object:
    return f"'{value}" if isinstance(value, str) and value.startswith(("=", "+", "-", "@", "\t", "\r")) else value
