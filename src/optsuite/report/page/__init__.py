"""report.html: one file with all that the run says of each experiment, to look at."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence
from importlib import resources

import jinja2
from markdown_it import MarkdownIt
from plotly.offline import get_plotlyjs

from optsuite.judge import recommend
from optsuite.report import about, choice, smoke
from optsuite.report.page import data
from optsuite.report.picks import Pick
from optsuite.results.run import Run
from optsuite.spec.data import Split
from optsuite.units import kilobytes, microseconds

_SCRIPTS = ("base", "plots", "table", "mistakes", "detail", "frontier", "results", "choose", "compare", "start")
"""The page's scripts, in the order in which they run: what one declares, those after it use."""


def render(run: Run, test: Split | None, picks: Sequence[Pick]) -> str:
    """The page as HTML that needs nothing else: script, style, data and images are in it."""
    page = resources.files("optsuite.report.page")
    plotly = get_plotlyjs()
    scripts = [(page / f"{name}.js").read_text("utf-8") for name in _SCRIPTS]
    content = data.content(run, test)
    text: str = (
        _environment()
        .get_template("page.html.j2")
        .render(
            run=run,
            summary=about.summary(run),
            smoke=smoke.warning(run),
            picks=picks,
            rules=choice.RULES,
            resamples=recommend.RESAMPLES,
            content=content,
            definitions=MarkdownIt("commonmark").enable("table").render(about.definitions()),
            style=(page / "page.css").read_text("utf-8"),
            plotly=plotly,
            scripts=scripts,
            # Only these scripts run, and nothing is loaded from anywhere, whatever names got into the page.
            policy="default-src 'none'; style-src 'unsafe-inline'; img-src data: blob:; script-src "
            + " ".join(map(_hash, [plotly, *scripts])),
        )
    )
    return text


def _environment() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("optsuite.report.page", "."),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    environment.policies["json.dumps_kwargs"] = {"allow_nan": False, "ensure_ascii": False}
    environment.filters |= {"kilobytes": kilobytes, "microseconds": microseconds}
    return environment


def _hash(script: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()}'"
