"""What is selected, what fits, and the graph that falls out of the recipes."""

from __future__ import annotations

from dataclasses import replace

import pytest
from catalogs import BUILTIN

from optsuite.build.graph import step_of
from optsuite.catalog.catalog import Catalog
from optsuite.catalog.datasets import DATASETS
from optsuite.catalog.models import MODELS
from optsuite.catalog.profiles import PROFILES
from optsuite.catalog.recipes import PIPELINES, RECIPES
from optsuite.catalog.selection import absence, misfit, select
from optsuite.catalog.variants import VARIANTS
from optsuite.errors import OptsuiteError

FULL = PROFILES["full"]


def test_the_default_matrix() -> None:
    """The five of conv, the six of dscnn, tutorial's eleven pipelines and qat-4, in every form that they can take."""
    selection = select(BUILTIN)
    assert [experiment.id for experiment in selection.experiments] == [
        "conv_baseline_s0",
        "conv_qat_s0",
        "conv_qat-4_s0",
        "conv_prune-0.8_s0",
        "conv_cluster-8_s0",
        "dscnn_baseline_s0",
        "dscnn_qat_s0",
        "dscnn_qat-4_s0",
        "dscnn_prune-0.8_s0",
        "dscnn_cluster-8_s0",
        "dscnn_kd_s0",
        *(f"tutorial_{recipe}_s0" for recipe in RECIPES if recipe in (*PIPELINES, "qat-4")),
    ]
    assert len(PIPELINES) == 11
    assert [variant.name for variant in selection.variants] == list(VARIANTS)
    # QAT leaves out int16x8, int4 and mixed; training for 4 bits leaves int4 and the Keras model.
    assert len(list(selection.rows())) == 23 * 9 - 9 * 3 - 3 * 7


def test_the_whole_matrix() -> None:
    """Every recipe on every model that it fits: conv can't learn from itself."""
    kinds = {(one.model.name, one.recipe.name) for one in select(BUILTIN, matrix="all").experiments}
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
    assert [experiment.id for experiment in select(BUILTIN, **asked).experiments] == ids  # type: ignore[arg-type]


def test_a_new_model_is_in_the_matrix(monkeypatch: pytest.MonkeyPatch) -> None:
    """Adding a model is one entry."""
    monkeypatch.setitem(MODELS, "wide", replace(MODELS["conv"], name="wide"))
    alone = ["baseline", "qat", "qat-4", "prune-0.8", "cluster-8"]
    assert [one.recipe.name for one in select(BUILTIN).experiments if one.model.name == "wide"] == alone
    monkeypatch.setitem(MODELS, "wide", replace(MODELS["conv"], name="wide", recipes=("qat",)))
    assert [one.recipe.name for one in select(BUILTIN, models=["wide"]).experiments] == ["qat"]
    monkeypatch.setitem(MODELS, "wide", replace(MODELS["conv"], name="wide", input_shape=(32, 32, 3)))
    assert "wide" not in [one.model.name for one in select(BUILTIN).experiments]


def test_what_is_of_ones_own_is_run_by_default() -> None:
    """And nothing else, unless it is asked for; own recipes are run with what is usual, where a model names none."""
    mine = replace(MODELS["conv"], name="mine", recipes=None)
    trained = replace(mine, name="trained", build=None, train=None, file="net.keras")
    user_defined = Catalog(
        models={"mine": mine, "trained": trained, "few": replace(mine, name="few", recipes=("qat",))},
        recipes={"slow": replace(RECIPES["qat"], name="slow")},
        datasets={"data": replace(DATASETS["mnist"], name="data")},
    )
    catalog = BUILTIN.joined(user_defined)
    selection = select(catalog)
    assert [one.name for one in selection.datasets] == ["data"]
    usual = ["baseline", "qat", "prune-0.8", "cluster-8"]
    assert [one.id for one in selection.experiments] == [
        *(f"mine_{recipe}_s0" for recipe in (*usual, "slow")),
        # Its baseline is not trained further, but all else is.
        *(f"trained_{recipe}_s0" for recipe in ("baseline", "finetune", *usual[1:], "slow")),
        "few_qat_s0",  # what it names, and nothing else
    ]
    requested = select(catalog, datasets=["mnist"], models=["dscnn"], recipes=["slow"])
    assert [one.id for one in requested.experiments] == ["dscnn_slow_s0"]


def test_models_of_another_shape_are_named() -> None:
    """Nothing is dropped silently: a catalogue may have models for several datasets."""
    mine = replace(MODELS["conv"], name="mine")
    user_defined = Catalog(models={"mine": mine, "sensor": replace(mine, name="sensor", input_shape=(64, 3))})
    selection = select(BUILTIN.joined(user_defined))
    assert selection.left_out == {"sensor": "takes 64x3; this run is mnist, 28x28x1"}
    assert not select(BUILTIN.joined(user_defined), models=["mine"]).left_out


def test_each_model_runs_on_the_datasets_that_it_takes() -> None:
    """All datasets of the user's by default; where there are several, they are part of an experiment's id."""
    mine = replace(MODELS["conv"], name="mine", recipes=("baseline",))
    shapes = {"digits": (28, 28, 1), "letters": (28, 28, 1), "sensor": (64, 3), "spare": (5,)}
    user_defined = Catalog(
        models={"mine": mine, "other": replace(mine, name="other", input_shape=(64, 3))},
        datasets={name: replace(DATASETS["mnist"], name=name, input_shape=shape) for name, shape in shapes.items()},
    )
    catalog = BUILTIN.joined(user_defined)
    selection = select(catalog)
    assert selection.left_out == {"dataset spare": "no model takes 5"}
    ids = ["digits/mine_baseline_s0", "letters/mine_baseline_s0", "sensor/other_baseline_s0"]
    assert [one.id for one in selection.experiments] == ids
    assert [one.id for one in select(catalog, models=["other"]).experiments] == ids[2:]  # as in a run of both models
    assert [one.name for one in select(catalog, models=["other"]).datasets] == ["digits", "letters", "sensor"]
    two = select(catalog, datasets=["digits", "sensor"])
    assert [one.id for one in two.experiments] == [ids[0], ids[2]]
    one = select(catalog, datasets=["letters"])
    assert [experiment.id for experiment in one.experiments] == ["mine_baseline_s0"]
    assert one.left_out == {"other": "takes 64x3; this run is letters, 28x28x1"}
    requested = select(catalog, datasets=["letters"], models=["mine", "other"])
    assert requested.unsupported == {"other_baseline_s0": "model other takes (64, 3), dataset letters has (28, 28, 1)"}


def test_two_experiments_never_have_one_name(monkeypatch: pytest.MonkeyPatch) -> None:
    """A model that is called as another with the beginning of a recipe: one of the two vanished without a word."""
    monkeypatch.setitem(MODELS, "tutorial_kd", replace(MODELS["tutorial"], name="tutorial_kd"))
    with pytest.raises(OptsuiteError, match=r"are both called tutorial_kd_prune-0\.8_pqat; expected names that"):
        select(BUILTIN, models=["conv"])


def test_no_model_takes_the_data(monkeypatch: pytest.MonkeyPatch) -> None:
    """Told with what it is."""
    monkeypatch.setitem(DATASETS, "data", replace(DATASETS["mnist"], name="data", input_shape=(9, 9, 9)))
    with pytest.raises(OptsuiteError, match="conv takes 28x28x1; this run is data, 9x9x9"):
        select(BUILTIN, datasets=["data"])


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ({"models": ["vgg"]}, "unknown model 'vgg'; expected one of conv, dscnn, tutorial"),
        ({"matrix": "huge"}, "unknown matrix 'huge'; expected one of default, all"),
        ({"models": ["conv"], "recipes": ["kd"]}, "conv is the teacher of recipe kd; a model can't be its own teacher"),
        ({"recipes": ["qat"], "variants": ["int16x8"]}, "cannot convert a model with fake-quantisation"),
    ],
)
def test_select_refuses_what_leaves_nothing(asked: dict[str, list[str]], message: str) -> None:
    """An empty selection is an error with its reason, never a pass."""
    with pytest.raises(OptsuiteError, match=message):
        select(BUILTIN, **asked)  # type: ignore[arg-type]


def test_what_was_asked_for_and_does_not_fit_is_kept_with_its_reason() -> None:
    """It will stand in the tables, marked."""
    selection = select(BUILTIN, models=["conv", "dscnn"], recipes=["kd"])
    assert selection.unsupported == {"conv_kd_s0": "conv is the teacher of recipe kd; a model can't be its own teacher"}


def test_a_teacher_must_take_the_data_too() -> None:
    """It is asked about the student's images."""
    data = replace(DATASETS["mnist"], input_shape=(32, 32, 3))
    model = replace(MODELS["dscnn"], input_shape=(32, 32, 3))
    assert (
        misfit(BUILTIN, data, model, RECIPES["kd"]) == "teacher conv takes (28, 28, 1), dataset mnist has (32, 32, 3)"
    )


def test_absences_follow_from_declared_capabilities() -> None:
    """Of a model with fake-quantisation int16x8, int4 and mixed; of one of 4 bits all files but int4."""
    selection = select(BUILTIN)
    absent: dict[str, set[str]] = {}
    for experiment in selection.experiments:
        for variant in selection.variants:
            if absence(experiment, variant):
                absent.setdefault(experiment.recipe.name, set()).add(variant.name)
    of_eight = {"int16x8", "int4", "mixed"}
    of_four = set(VARIANTS) - {"keras", "int4"}
    assert absent == {
        recipe.name: of_four if recipe.name == "qat-4" else of_eight
        for recipe in RECIPES.values()
        if "qat" in recipe.name and recipe.name in (*PIPELINES, "qat-4")
    }


def test_recipes_start_from_the_stored_prefix() -> None:
    """Every recipe of a model shares the training, and every variant shares its model."""
    dscnn = {experiment.recipe.name: experiment for experiment in select(BUILTIN, models=["dscnn"]).experiments}
    baseline = step_of(dscnn["baseline"], VARIANTS["keras"], FULL, BUILTIN)
    pruned = step_of(dscnn["prune-0.8"], VARIANTS["keras"], FULL, BUILTIN)
    assert [parent.key for parent in pruned.inputs] == [baseline.key]
    for name in ("fp32", "int8"):
        converted = step_of(dscnn["prune-0.8"], VARIANTS[name], FULL, BUILTIN)
        assert [parent.key for parent in converted.inputs] == [pruned.key]


def test_distillation_asks_the_trained_teacher() -> None:
    """The student starts from its own baseline and from the answers of conv's."""
    by_id = {experiment.id: experiment for experiment in select(BUILTIN).experiments}
    kd = step_of(by_id["dscnn_kd_s0"], VARIANTS["keras"], FULL, BUILTIN)
    student, answers = kd.inputs
    assert student.key == step_of(by_id["dscnn_baseline_s0"], VARIANTS["keras"], FULL, BUILTIN).key
    assert [one.key for one in answers.inputs] == [
        step_of(by_id["conv_baseline_s0"], VARIANTS["keras"], FULL, BUILTIN).key
    ]
