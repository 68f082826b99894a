"""Each package that optsuite asks for has a reason, and the page that tells of it is that of the pinned versions."""

from __future__ import annotations

import sys
import tomllib

import pytest
from dependencies import ROOT, WHY, text
from packaging.requirements import Requirement


def test_everything_asked_for_has_a_reason() -> None:
    """And nothing has one that is not asked for."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    listed = [
        *project["dependencies"],
        *(one for extra in project["optional-dependencies"].values() for one in extra),
    ]
    assert {Requirement(one).name for one in listed} - {"optsuite"} == WHY.keys() - {"pip", "setuptools"}


@pytest.mark.skipif(sys.version_info[:2] != (3, 11), reason="constraints.txt is of Python 3.11")
def test_the_page_is_up_to_date() -> None:
    """`make constraints` writes it."""
    assert (ROOT / "docs/reference/dependencies.md").read_text() == text()
