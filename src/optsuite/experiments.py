"""Which experiments there are, which variants they can take, and the graph of steps that builds them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import MappingProxyType

from optsuite.build import Step
from optsuite.datasets import DATASETS
from optsuite.models import MODELS
from optsuite.recipes import RECIPES
from optsuite.records import Asked
from optsuite.spec import Dataset, Experiment, File, Model, OptsuiteError, Profile, Recipe, Variant, catalogue, pick
from optsuite.stages.load import Load
from optsuite.stages.train import Train
from optsuite.variants import VARIANTS

PROFILES = catalogue(
    Profile(name="full"),
    # Seconds an experiment. A model trained so briefly proves the plumbing: its gate only catches wreckage.
    Profile(name="smoke", train_images=6_000, eval_images=500, max_epochs=2, max_steps=100, min_budget=0.5),
)

Own = Mapping[str, tuple[str, ...]]
"""What `catalog.join` says: the names that a catalogue file added, by catalogue."""


MATRICES: dict[str, Callable[[Model], Sequence[str]]] = {
    "default": lambda model: model.recipes,
    "all": lambda model: tuple(RECIPES),
}
"""What is run of a model when no recipes are asked for."""


@dataclass(frozen=True, kw_only=True)
class Selection:
    """What a run is asked to measure."""

    asked: Asked
    profile: Profile
    experiments: tuple[Experiment, ...]
    variants: tuple[Variant, ...]
    refused: Mapping[str, str] = field(default_factory=dict)
    """The ids of what was asked for but does not fit -> why."""

    def rows(self) -> Iterator[tuple[Experiment, Variant]]:
        """Every experiment with every variant that it can take."""
        for experiment in self.experiments:
            for variant in self.variants:
                if not absence(experiment, variant):
                    yield experiment, variant


def select(
    *,
    own: Own = MappingProxyType({}),
    profile: str = "full",
    dataset: str = "",
    matrix: str = "default",
    models: Sequence[str] = (),
    recipes: Sequence[str] = (),
    variants: Sequence[str] = (),
    seeds: Sequence[int] = (0,),
) -> Selection:
    """Look the names up; without, it is the first dataset, all models that take it, the matrix's recipes, all variants.

    Where there are `own` datasets and models, it is of these, and own recipes are run too. Raises OptsuiteError for
    what is unknown, and for a selection that leaves nothing to run.
    """
    _check_names()
    data = pick(DATASETS, [dataset or next(iter(own.get("DATASETS") or DATASETS))], "dataset")[0]
    (planned,) = pick(MATRICES, [matrix], "matrix")
    usual = [name for name in own.get("MODELS") or MODELS if MODELS[name].kind == data.kind]
    found: list[Experiment] = []
    refused: dict[str, str] = {}
    for model in pick(MODELS, models or usual, "model"):
        names = recipes or [*planned(model), *own.get("RECIPES", ())]
        for recipe in pick(RECIPES, names, "recipe"):
            asked = [Experiment(dataset=data, model=model, recipe=recipe, seed=seed) for seed in seeds]
            if reason := misfit(data, model, recipe):
                refused |= {experiment.id: reason for experiment in asked}
            else:
                found += asked
    selection = Selection(
        asked=Asked(
            dataset=data.name,
            matrix=matrix,
            models=tuple(models),
            recipes=tuple(recipes),
            variants=tuple(variants),
            seeds=tuple(seeds),
            known_models=tuple(MODELS),
            known_recipes=tuple(RECIPES),
        ),
        profile=pick(PROFILES, [profile], "profile")[0],
        experiments=tuple(found),
        variants=tuple(pick(VARIANTS, variants or VARIANTS, "variant")),
        refused=refused,
    )
    if not any(selection.rows()):
        absences = [reason for one in found for variant in selection.variants if (reason := absence(one, variant))]
        reasons = dict.fromkeys([*refused.values(), *absences]) or [f"no model takes {data.kind}, as {data.name} is"]
        raise OptsuiteError(f"the selection leaves nothing to run: {'; '.join(reasons)}")
    return selection


def _check_names() -> None:
    """Refuse names of which two experiments would have one id: one would vanish, or be compared with the other."""
    known: dict[str, tuple[str, str]] = {}
    for model in MODELS:
        for recipe in RECIPES:
            other = known.setdefault(f"{model}_{recipe}", (model, recipe))
            if other != (model, recipe):
                raise OptsuiteError(
                    f"model {other[0]} with recipe {other[1]} and model {model} with recipe {recipe} are both called "
                    f"{model}_{recipe}; expected names that can be told apart: rename a model"
                )


def misfit(dataset: Dataset, model: Model, recipe: Recipe) -> str:
    """Why the three can't go together, or an empty string."""
    if dataset.kind != model.kind:
        return f"model {model.name} takes {model.kind}, dataset {dataset.name} has {dataset.kind}"
    for stage in recipe.stages:
        if stage.from_teacher() and not dataset.metric.classes:
            return f"recipe {recipe.name} learns classes, dataset {dataset.name} has none"
        if taught := stage.from_teacher():
            teacher = pick(MODELS, [taught[0]], "teacher model")[0]
            if teacher.name == model.name:
                return f"recipe {recipe.name} learns from {model.name} itself"
            if teacher.kind != dataset.kind:
                return f"teacher {teacher.name} takes {teacher.kind}, dataset {dataset.name} has {dataset.kind}"
    return ""


def absence(experiment: Experiment, variant: Variant) -> str:
    """Why an experiment can't have a variant, or an empty string."""
    return variant.refuses_quantized if experiment.recipe.quantized else ""


def baseline(experiment: Experiment) -> Experiment:
    """The experiment that a recipe's drop is measured against: same dataset, model and seed."""
    return replace(experiment, recipe=RECIPES["baseline"])


def step_of(experiment: Experiment, variant: Variant, profile: Profile) -> Step:
    """The step that makes a variant of an experiment; its inputs are the graph of all that comes before."""
    trained = _model_step(experiment, profile)
    if variant.convert is None:
        return trained
    label = f"{trained.label} > {variant.name}"
    return replace(trained, label=label, action=variant.convert, schedule=None, inputs=(trained,))


def _model_step(experiment: Experiment, profile: Profile) -> Step:
    """The step of the recipe's last stage, on the steps of the stages before it: each prefix is shared."""
    model, stages = experiment.model, experiment.recipe.stages
    action = Train(build=model.build) if model.build else Load(file=File.of(model.file or ""))
    first = Step(
        label=f"{model.name} s{experiment.seed}: {action.name}",
        action=action,
        dataset=experiment.dataset,
        profile=profile,
        seed=experiment.seed,
        schedule=model.train,
        trust=model.trust,
    )
    if not stages:
        return first
    stage = stages[-1]
    parent = _model_step(replace(experiment, recipe=replace(experiment.recipe, stages=stages[:-1])), profile)
    inputs = [parent]
    if taught := stage.from_teacher():
        name, question = taught
        teacher = replace(baseline(experiment), model=pick(MODELS, [name], "teacher model")[0])
        asked = _model_step(teacher, profile)
        label = f"{asked.label} > {question.name}"
        inputs.append(replace(asked, label=label, action=question, schedule=None, inputs=(asked,)))
    return replace(
        first,
        label=f"{parent.label} > {' keeping '.join(filter(None, [stage.name, ' and '.join(stage.preserve)]))}",
        action=stage,
        schedule=model.stages.get(stage.name, model.finetune),
        inputs=tuple(inputs),
    )
