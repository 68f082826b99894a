"""What is selected, what fits, and the graph that falls out of the recipes."""

from __future__ import annotations

import pytest

from optsuite.experiments import PROFILES, absence, select, step_of
from optsuite.spec import OptsuiteError
from optsuite.variants import VARIANTS

FULL = PROFILES["full"]


def test_the_default_matrix() -> None:
    """Nine experiments; the four of conv and the five of dscnn, in every form that they can take."""
    selection = select()
    assert [experiment.id for experiment in selection.experiments] == [
        "conv_baseline_s0",
        "conv_qat_s0",
        "conv_prune-0.8_s0",
        "conv_cluster-8_s0",
        "dscnn_baseline_s0",
        "dscnn_qat_s0",
        "dscnn_prune-0.8_s0",
        "dscnn_cluster-8_s0",
        "dscnn_kd_s0",
    ]
    assert [variant.name for variant in selection.variants] == list(VARIANTS)
    assert len(list(selection.rows())) == 9 * 7 - 2


@pytest.mark.parametrize(
    ("asked", "ids"),
    [
        ({"models": ["tutorial"], "recipes": ["qat"]}, ["tutorial_qat_s0"]),
        ({"recipes": ["kd"]}, ["dscnn_kd_s0"]),
        (
            {"models": ["dscnn"], "recipes": ["baseline"], "seeds": [0, 2]},
            ["dscnn_baseline_s0", "dscnn_baseline_s2"],
        ),
    ],
)
def test_select(asked: dict[str, list[str]], ids: list[str]) -> None:
    """Names narrow the matrix; what does not fit falls out where something else is left."""
    assert [experiment.id for experiment in select(**asked).experiments] == ids  # type: ignore[arg-type]


def test_a_model_outside_the_matrix_runs_every_recipe() -> None:
    """Adding a model is one entry."""
    kinds = [experiment.recipe.name for experiment in select(models=["tutorial"]).experiments]
    assert kinds == ["baseline", "qat", "prune-0.8", "cluster-8", "kd"]


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ({"models": ["vgg"]}, "unknown model 'vgg'; accepted: conv, dscnn, tutorial"),
        ({"models": ["conv"], "recipes": ["kd"]}, "recipe kd learns from conv itself"),
        ({"recipes": ["qat"], "variants": ["int16x8"]}, "cannot convert a model with fake-quantisation"),
    ],
)
def test_select_refuses_what_leaves_nothing(asked: dict[str, list[str]], message: str) -> None:
    """An empty selection is an error with its reason, never a pass."""
    with pytest.raises(OptsuiteError, match=message):
        select(**asked)  # type: ignore[arg-type]


def test_absences_follow_from_declared_capabilities() -> None:
    """int16x8 of a fake-quantised model, and nothing else."""
    selection = select()
    absent = [
        (experiment.id, variant.name)
        for experiment in selection.experiments
        for variant in selection.variants
        if absence(experiment, variant)
    ]
    assert absent == [("conv_qat_s0", "int16x8"), ("dscnn_qat_s0", "int16x8")]


def test_recipes_start_from_the_stored_prefix() -> None:
    """Every recipe of a model shares the training, and every variant shares its model."""
    dscnn = {experiment.recipe.name: experiment for experiment in select(models=["dscnn"]).experiments}
    baseline = step_of(dscnn["baseline"], VARIANTS["keras"], FULL)
    pruned = step_of(dscnn["prune-0.8"], VARIANTS["keras"], FULL)
    assert [parent.key for parent in pruned.inputs] == [baseline.key]
    for name in ("fp32", "int8"):
        converted = step_of(dscnn["prune-0.8"], VARIANTS[name], FULL)
        assert [parent.key for parent in converted.inputs] == [pruned.key]


def test_distillation_asks_the_trained_teacher() -> None:
    """The student starts from its own baseline and from the answers of conv's."""
    by_id = {experiment.id: experiment for experiment in select().experiments}
    kd = step_of(by_id["dscnn_kd_s0"], VARIANTS["keras"], FULL)
    student, answers = kd.inputs
    assert student.key == step_of(by_id["dscnn_baseline_s0"], VARIANTS["keras"], FULL).key
    assert [one.key for one in answers.inputs] == [step_of(by_id["conv_baseline_s0"], VARIANTS["keras"], FULL).key]
