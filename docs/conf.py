"""The settings of the documentation site: `make docs` builds it with Sphinx."""

from __future__ import annotations

import re
from importlib.metadata import metadata
from pathlib import Path
from typing import Any

import optsuite

ROOT = Path(__file__).resolve().parent.parent

_PACKAGE = metadata("optsuite")
_URLS = dict(url.split(", ", 1) for url in _PACKAGE.get_all("Project-URL") or ())

project = "optsuite"
author = "optsuite maintainers"
version = release = optsuite.__version__

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "sphinx_click",
    "sphinx_copybutton",
]
exclude_patterns = ["_build"]
default_role = "code"  # what single backticks mean in docstrings
html_theme = "furo"
html_show_copyright = False
html_title = f"optsuite {version}"
html_theme_options = {
    "source_repository": f"{_URLS['Repository']}/",
    "source_branch": "main",
    "source_directory": "docs/",
}

myst_heading_anchors = 3
smartquotes = False  # it would make one dash of the two of an option

nitpick_ignore_regex = [("py:.*", ".*")]  # types of other packages, and internal ones, have no pages here
autodoc_member_order = "bysource"
autodoc_typehints = "description"
autodoc_typehints_description_target = "documented"
autodoc_class_signature = "separated"
napoleon_google_docstring = True
napoleon_use_ivar = True
napoleon_numpy_docstring = False


def _link_to_the_repository(app: Any, page: str, source: list[str]) -> None:
    """Let links to files that are no pages of the site lead to the repository; pictures are copied."""
    folder = Path(app.srcdir, page).parent

    def absolute(link: re.Match[str]) -> str:
        path = (folder / link["path"]).resolve()
        if path.is_relative_to(app.srcdir) or not path.exists():
            return link[0]
        kind = "tree" if path.is_dir() else "blob"
        return f"{link['text']}({_URLS['Repository']}/{kind}/main/{path.relative_to(ROOT)}{link['rest']})"

    source[0] = re.sub(r"(?<!!)(?P<text>\[[^\]]*\])\((?P<path>\.\./[^)#]+)(?P<rest>(#[^)]*)?)\)", absolute, source[0])


def setup(app: Any) -> None:
    """Register the handler of links that lead out of the site."""
    app.connect("source-read", _link_to_the_repository)
