"""report.html: one file with all that the run says of each experiment, to look at."""

from __future__ import annotations

import base64
import hashlib
from dataclasses import dataclass
from importlib import resources

import jinja2
from markdown_it import MarkdownIt
from plotly.offline import get_plotlyjs

from optsuite.judge import recommend
from optsuite.judge.limits import Limits
from optsuite.judge.recommend import Choice
from optsuite.report import about, choice, pipelines, smoke
from optsuite.report.page import data
from optsuite.results.run import Row, Run
from optsuite.spec.data import Split
from optsuite.units import kilobytes, microseconds, number


def render(run: Run, test: Split | None) -> str:
    """The page as HTML that needs nothing else: script, style, data and images are in it."""
    page = resources.files("optsuite.report.page")
    scripts = [get_plotlyjs(), (page / "page.js").read_text("utf-8")]
    content = data.content(run, test)
    text: str = (
        _environment()
        .get_template("page.html.j2")
        .render(
            run=run,
            summary=about.summary(run),
            smoke=smoke.warning(run),
            picks=_picks(run),
            rules=choice.RULES,
            resamples=recommend.RESAMPLES,
            content=content,
            examined=[(figure, run.header.examined(figure.name).target) for figure in run.examined_figures()],
            targets=run.targets(),
            absences=about.absences(run),
            known={built.id: built for built in run.header.built},
            pipelines={model: data.pipeline(run, model, table) for model, table in pipelines.tables(run).items()},
            definitions=MarkdownIt("commonmark").enable("table").render(about.definitions()),
            style=(page / "page.css").read_text("utf-8"),
            scripts=scripts,
            # Only these scripts run, and nothing is loaded from anywhere, whatever names got into the page.
            policy="default-src 'none'; style-src 'unsafe-inline'; img-src data: blob:; script-src "
            + " ".join(map(_hash, scripts)),
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
    environment.filters |= {"kilobytes": kilobytes, "microseconds": microseconds, "number": number}
    return environment


def _hash(script: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()}'"


@dataclass(frozen=True, kw_only=True)
class _Pick:
    """A file that is the best by one preference or several.

    Attributes:
        choices: The choice by each of these preferences; all have the same best row.
        reference: The fp32 file of its model's baseline with the same seed, where that was measured.

    """

    choices: tuple[Choice, ...]
    reference: Row | None

    @property
    def row(self) -> Row:
        """The row that is picked."""
        return self.choices[0].ranked[0].row

    @property
    def gain(self) -> str:
        """What it gains over the fp32 file of the baseline, in words; an empty string where it is that file."""
        if self.reference is None or self.reference is self.row:
            return ""
        before, after = self.reference.measured, self.row.measured
        size = after.bytes / before.bytes
        latency = self.row.timing.median_s / self.reference.timing.median_s
        difference = after.test.accuracy - before.test.accuracy
        return f"{size:.2f} times the size, {latency:.2f} times the latency, accuracy {difference:+.4f}"


def _picks(run: Run) -> list[_Pick]:
    """The choice without limits by each preference, those that are the same as one; none where there is nothing."""
    rows = recommend.candidates(run)
    picked: dict[int, list[Choice]] = {}
    for preference in recommend.MARGINS if rows else ():
        choice = recommend.choose(rows, Limits(), preference)
        picked.setdefault(id(choice.ranked[0].row), []).append(choice)
    return [
        _Pick(choices=tuple(choices), reference=_fp32(run, choices[0].ranked[0].row)) for choices in picked.values()
    ]


def _fp32(run: Run, row: Row) -> Row | None:
    built = next((one for one in run.header.built if one.id == row.measured.experiment), None)
    baseline = run.baseline(built) if built else None
    return run.row(baseline.id, "fp32") if baseline else None
