"""A run -> report.html, report.md, results.csv and figures."""

from __future__ import annotations

from pathlib import Path

import jinja2
import pandas as pd

from optsuite.files import written
from optsuite.judge.steadiness import steadiness
from optsuite.report import (
    about,
    choice,
    escape,
    examined,
    figures,
    kernels,
    page,
    payoff,
    picks,
    pipelines,
    results_table,
    smoke,
    tables,
    timing,
)
from optsuite.results.calibration import Calibration
from optsuite.results.run import Run
from optsuite.spec.data import Split


def write(run: Run, out: Path, calibration: Calibration | None = None, test: Split | None = None) -> pd.DataFrame:
    """Write the report into the folder `out`, all of it or nothing; OptsuiteError where that can't be done.

    `calibration` says how far the times can be trusted. Returns the table of the results, with a line for all seeds of
    an experiment.
    """
    with written(out, "report") as made:
        results = results_table.results(run)
        escape.write_csv(results, made / "results.csv")
        merged = tables.over_seeds(results)
        if merged is not results:
            escape.write_csv(merged, made / "seeds.csv")
        pipeline_tables = pipelines.tables(run)
        for model, table in pipeline_tables.items():
            # The published table is of the tutorial's network; its name goes without saying.
            name = "pipelines.csv" if model == "tutorial" else f"pipelines-{escape.file_name(model)}.csv"
            escape.write_csv(table, made / name, float_format="%.2f")
        if not (found := examined.all_files(run)).empty:
            escape.write_csv(found, made / "examined.csv")
        executed = timing.execution(run)
        escape.write_csv(executed, made / "execution.csv")
        drawn = figures.draw(run, merged, made / "figures")
        picked = picks.picks(run)  # resampling takes a second
        text = _markdown(run, results, merged, pipeline_tables, executed, calibration, drawn, picked)
        (made / "report.md").write_text(text, "utf-8")
        (made / "report.html").write_text(page.render(run, test, picked), "utf-8")
        # What only an earlier run had must not be taken for this one's.
        figure_files = (out / "figures" / f"{name}.{kind}" for name in figures.FIGURES for kind in ("png", "svg"))
        of_targets = (out / "figures").glob("acc_on_*")
        for old in (*out.glob("pipelines*.csv"), out / "seeds.csv", out / "examined.csv", *figure_files, *of_targets):
            if not (made / old.relative_to(out)).exists():
                old.unlink(missing_ok=True)
    return merged


def _markdown(
    run: Run,
    results: pd.DataFrame,
    merged: pd.DataFrame,
    pipeline_tables: dict[str, pd.DataFrame],
    executed: pd.DataFrame,
    calibration: Calibration | None,
    drawn: list[str],
    picked: list[picks.Pick],
) -> str:
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("optsuite.report", "."),
        trim_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    environment.filters |= {"tries": timing.tries, "markdown": tables.markdown}
    environment.filters |= {"cell": escape.cell, "file_name": escape.file_name}
    text: str = environment.get_template("report.md.j2").render(
        run=run,
        several_seeds=merged is not results,
        summary=about.summary(run),
        smoke=smoke.warning(run),
        picks=tables.markdown(picks.table(picked)),
        rules=choice.RULES,
        frontiers={cost: tables.markdown(tables.frontier(merged, cost)) for cost in tables.FRONTIERS},
        results=tables.markdown(results_table.of_every_run(run, results)),
        comparison=tables.markdown(tables.comparison(merged)),
        recipes=tables.markdown(tables.recipes(run)),
        over_budget=tables.markdown(over) if not (over := tables.over_budget(run)).empty else "",
        pipelines={model: tables.markdown(table) for model, table in pipeline_tables.items()},
        invariants=tables.markdown(kernels.invariants(run)),
        payoff={where: tables.markdown(table) for where, table in payoff.recipes(run).items()},
        formats=tables.markdown(payoff.formats(run)),
        groups=examined.groups(run),
        bits=tables.markdown(bits) if not (bits := kernels.bits(run)).empty else "",
        compression=tables.markdown(tables.over_seeds(kernels.compression(run))),
        execution=tables.markdown(timing.of_baselines(run, executed)),
        slowdown=timing.slowdown(run),
        slower_in_int8=timing.slower_in_int8(run),
        has_dot_products=timing.has_dot_products(run),
        steadiness=steadiness(run),
        calibration=calibration,
        agreement=tables.markdown(timing.agreement(calibration)) if calibration else "",
        absences=about.absences(run),
        notes=about.notes(run),
        figures=drawn,
        definitions=about.definitions(),
    )
    return text
