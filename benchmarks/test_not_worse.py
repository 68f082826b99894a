"""The gate against an earlier run, `--optsuite-reference`: each judgement of `optsuite compare` is a test.

Collected only with that option.
"""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from optsuite.judge.criteria import criteria
from optsuite.judge.verdict import Judgement, Verdict, passes
from optsuite.measure.suite import Suite
from optsuite.spec.experiment import Experiment
from optsuite.spec.variant import Variant


def test_not_worse(
    suite: Suite,
    judgements: Sequence[Judgement],
    experiment: Experiment,
    variant: Variant,
    criterion: str,
    pytestconfig: pytest.Config,
) -> None:
    """What is judged of a variant of an experiment, over all its seeds, has not regressed."""
    row = f"{experiment.model.name}_{experiment.recipe.name}", variant.name
    metrics = criteria(suite.selection)[criterion]
    found = [one for one in judgements if (one.experiment, one.variant) == row and one.metric in metrics]
    if not found:
        pytest.skip("no invariant is in force" if criterion == "invariants" else "not measured in this run")
    allow = pytestconfig.getoption("optsuite_allow_not_comparable")
    if failed := [one for one in found if not passes([one], allow_not_comparable=allow)]:
        named = [f"{one.metric} " if one.metric != criterion else "" for one in failed]
        lines = [f"{name}{one.verdict}: {one.reason}" for name, one in zip(named, failed, strict=True)]
        pytest.fail("\n".join(lines), pytrace=False)
    if all(one.verdict is Verdict.NOT_COMPARABLE for one in found):
        pytest.skip(found[0].detail)


def test_nothing_is_missing(judgements: Sequence[Judgement]) -> None:
    """Every row of the reference run that this run was requested to measure was measured."""
    missing = [one for one in judgements if one.lost_row]
    if missing:
        pytest.fail("\n".join(f"{one.experiment} {one.variant}: {one.detail}" for one in missing), pytrace=False)
