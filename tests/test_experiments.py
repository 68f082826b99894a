"""What is selected, what fits, and the graph that falls out of the recipes."""

from __future__ import annotations

from dataclasses import replace

import pytest

from optsuite.datasets import DATASETS
from optsuite.experiments import PROFILES, absence, misfit, select, step_of
from optsuite.models import MODELS
from optsuite.recipes import PIPELINES, RECIPES
from optsuite.spec import OptsuiteError
from optsuite.variants import VARIANTS

FULL = PROFILES["full"]


def test_the_default_matrix() -> None:
    """The four of conv, the five of dscnn and tutorial's eleven pipelines, in every form that they can take."""
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
        *(f"tutorial_{recipe}_s0" for recipe in RECIPES if recipe in PIPELINES),
    ]
    assert len(PIPELINES) == 11
    assert [variant.name for variant in selection.variants] == list(VARIANTS)
    assert len(list(selection.rows())) == 20 * 7 - 9


def test_the_whole_matrix() -> None:
    """Every recipe on every model that it fits: conv can't learn from itself."""
    kinds = {(one.model.name, one.recipe.name) for one in select(matrix="all").experiments}
    missing = {(model, recipe) for model in MODELS for recipe in RECIPES} - kinds
    assert missing == {("conv", "kd"), ("conv", "kd_prune-0.8_pqat")}


@pytest.mark.parametrize(
    ("asked", "ids"),
    [
        ({"models": ["tutorial"], "recipes": ["qat"]}, ["tutorial_qat_s0"]),
        ({"recipes": ["kd"]}, ["dscnn_kd_s0", "tutorial_kd_s0"]),
        (
            {"models": ["dscnn"], "recipes": ["baseline"], "seeds": [0, 2]},
            ["dscnn_baseline_s0", "dscnn_baseline_s2"],
        ),
    ],
)
def test_select(asked: dict[str, list[str]], ids: list[str]) -> None:
    """Names narrow the matrix; what does not fit falls out where something else is left."""
    assert [experiment.id for experiment in select(**asked).experiments] == ids  # type: ignore[arg-type]


def test_a_new_model_is_in_the_matrix(monkeypatch: pytest.MonkeyPatch) -> None:
    """Adding a model is one entry."""
    monkeypatch.setitem(MODELS, "wide", replace(MODELS["conv"], name="wide"))
    alone = ["baseline", "qat", "prune-0.8", "cluster-8"]
    assert [one.recipe.name for one in select().experiments if one.model.name == "wide"] == alone
    monkeypatch.setitem(MODELS, "wide", replace(MODELS["conv"], name="wide", recipes=("qat",)))
    assert [one.recipe.name for one in select(models=["wide"]).experiments] == ["qat"]
    monkeypatch.setitem(MODELS, "wide", replace(MODELS["conv"], name="wide", kind="32x32x3"))
    assert "wide" not in [one.model.name for one in select().experiments]


def test_what_is_of_ones_own_is_run_by_default(monkeypatch: pytest.MonkeyPatch) -> None:
    """And nothing else, unless it is asked for; own recipes are run with what is usual."""
    monkeypatch.setitem(MODELS, "mine", replace(MODELS["conv"], name="mine"))
    monkeypatch.setitem(RECIPES, "slow", replace(RECIPES["qat"], name="slow"))
    monkeypatch.setitem(DATASETS, "data", replace(DATASETS["mnist"], name="data"))
    own = {"MODELS": ("mine",), "RECIPES": ("slow",), "DATASETS": ("data",)}
    selection = select(own=own)
    assert selection.asked.dataset == "data"
    usual = ["baseline", "qat", "prune-0.8", "cluster-8", "slow"]
    assert [one.id for one in selection.experiments] == [f"mine_{recipe}_s0" for recipe in usual]
    asked = select(own=own, dataset="mnist", models=["dscnn"], recipes=["slow"])
    assert [one.id for one in asked.experiments] == ["dscnn_slow_s0"]


def test_two_experiments_never_have_one_name(monkeypatch: pytest.MonkeyPatch) -> None:
    """A model that is called as another with the beginning of a recipe: one of the two vanished without a word."""
    monkeypatch.setitem(MODELS, "tutorial_kd", replace(MODELS["tutorial"], name="tutorial_kd"))
    with pytest.raises(OptsuiteError, match=r"are both called tutorial_kd_prune-0\.8_pqat; expected names that"):
        select(models=["conv"])


def test_no_model_takes_the_data(monkeypatch: pytest.MonkeyPatch) -> None:
    """Told with what it is."""
    monkeypatch.setitem(DATASETS, "data", replace(DATASETS["mnist"], name="data", kind="9x9x9"))
    with pytest.raises(OptsuiteError, match="nothing to run: no model takes 9x9x9, as data is"):
        select(dataset="data")


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ({"models": ["vgg"]}, "unknown model 'vgg'; accepted: conv, dscnn, tutorial"),
        ({"matrix": "huge"}, "unknown matrix 'huge'; accepted: default, all"),
        ({"models": ["conv"], "recipes": ["kd"]}, "recipe kd learns from conv itself"),
        ({"recipes": ["qat"], "variants": ["int16x8"]}, "cannot convert a model with fake-quantisation"),
    ],
)
def test_select_refuses_what_leaves_nothing(asked: dict[str, list[str]], message: str) -> None:
    """An empty selection is an error with its reason, never a pass."""
    with pytest.raises(OptsuiteError, match=message):
        select(**asked)  # type: ignore[arg-type]


def test_what_was_asked_for_and_does_not_fit_is_kept_with_its_reason() -> None:
    """It will stand in the tables, marked."""
    selection = select(models=["conv", "dscnn"], recipes=["kd"])
    assert selection.refused == {"conv_kd_s0": "recipe kd learns from conv itself"}


def test_a_teacher_must_take_the_data_too() -> None:
    """It is asked about the student's images."""
    data = replace(DATASETS["mnist"], kind="32x32x3")
    model = replace(MODELS["dscnn"], kind="32x32x3")
    assert misfit(data, model, RECIPES["kd"]) == "teacher conv takes 28x28x1, dataset mnist has 32x32x3"


def test_absences_follow_from_declared_capabilities() -> None:
    """int16x8 of a fake-quantised model, and nothing else."""
    selection = select()
    absent = [
        (experiment.id, variant.name)
        for experiment in selection.experiments
        for variant in selection.variants
        if absence(experiment, variant)
    ]
    assert {name for _, name in absent} == {"int16x8"}
    assert len(absent) == 9
    assert all("qat" in experiment for experiment, _ in absent)


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
