"""The graph of build steps that an experiment needs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from optsuite.build.model_step import ModelStep
from optsuite.catalog.catalog import Catalog
from optsuite.catalog.selection import baseline
from optsuite.files import File
from optsuite.spec.experiment import Candidate, Experiment, Profile
from optsuite.spec.model import OwnFit, Schedule, Size
from optsuite.spec.names import pick
from optsuite.spec.stage import Conversion, Stage, Teacher
from optsuite.spec.variant import Variant
from optsuite.stages.load import Load
from optsuite.stages.rehearsal import Rehearsal, Trial
from optsuite.stages.train import FirstStage, Train

Sizes = Mapping[tuple[str, str], Size]
"""The names of a dataset and of a model -> the size of the two, where it is known."""


def step_of(
    experiment: Experiment, variant: Variant, profile: Profile, catalog: Catalog, sizes: Sizes | None = None
) -> ModelStep:
    """Return the step that makes a variant of an experiment; its inputs are the steps before it.

    Args:
        experiment: The experiment.
        variant: The variant; for the Keras model itself, the step is that of the recipe's last stage.
        profile: How much work the steps may do.
        catalog: Where the models of teachers are looked up.
        sizes: How large models are, to estimate how long steps take.

    """
    last = _first_step(experiment, profile, sizes)
    for stage in experiment.recipe.stages:
        teacher = stage.teacher_of()
        answers = [_teacher_step(teacher, experiment, profile, catalog, sizes)] if teacher else []
        last = replace(
            last,
            actions=(*last.actions, stage.label),
            action=stage,
            schedule=_schedule(experiment, stage),
            inputs=(last, *answers),
        )
    conversion = Candidate(experiment, variant).conversion
    return last if conversion is None else _conversion_step(conversion, variant.name, last, catalog)


def trial(experiment: Experiment, profile: Profile) -> ModelStep:
    """Return the step that makes the model of an experiment, for any seed, and finds out its size."""
    first = _first_step(replace(experiment, seed=0), profile)
    return replace(first, actions=("trying",), action=Trial(first=_first_stage(experiment)), schedule=None)


def rehearsals(experiment: Experiment, profile: Profile) -> list[ModelStep]:
    """Return the steps that try whether the stages of an experiment's recipe can transform its model, for any seed."""
    first = trial(experiment, profile)
    return [
        replace(
            first,
            actions=(f"trying {stage.label}",),
            action=Rehearsal(first=_first_stage(experiment), stage=stage),
            schedule=_schedule(experiment, stage),
            inputs=(first,),
        )
        for stage in experiment.recipe.stages
        if type(stage).wrap is not Stage.wrap
    ]


def _conversion_step(conversion: Conversion, name: str, model: ModelStep, catalog: Catalog) -> ModelStep:
    """The step of a conversion, on that of the model or of the conversion that it starts from."""
    start, parent = conversion.start(), model
    if start is not None:
        known = (variant.name for variant in catalog.variants.values() if variant.convert == start)
        parent = _conversion_step(start, next(known, start.name), model, catalog)
    return replace(parent, actions=(*parent.actions, name), action=conversion, schedule=None, inputs=(parent,))


def _first_step(experiment: Experiment, profile: Profile, sizes: Sizes | None = None) -> ModelStep:
    """The step that trains the experiment's model, or loads it from its file."""
    model, action = experiment.model, _first_stage(experiment)
    step = ModelStep(
        model=model.name,
        actions=(action.name,),
        action=action,
        dataset=experiment.dataset,
        profile=profile,
        seed=experiment.seed,
        schedule=model.own_fit if model.build and model.fit else model.train,
        trust=model.trust,
    )
    size = (sizes or {}).get((experiment.dataset.name, model.name))
    return replace(step, size=size) if size else step


def _first_stage(experiment: Experiment) -> FirstStage:
    model = experiment.model
    return Train(build=model.build) if model.build else Load(file=File.of(model.file or ""))


def _schedule(experiment: Experiment, stage: Stage) -> Schedule | OwnFit | None:
    """How a stage trains the model of an experiment."""
    model = experiment.model
    return model.stages.get(stage.name, model.own_fit or model.finetune)


def _teacher_step(
    teacher: Teacher, experiment: Experiment, profile: Profile, catalog: Catalog, sizes: Sizes | None
) -> ModelStep:
    """The step that gets the answers of a teacher: the baseline of the teacher's model with the same seed."""
    (model,) = pick(catalog.models, [teacher.model], "teacher model")
    trained = _first_step(replace(baseline(experiment), model=model), profile, sizes)
    actions = (*trained.actions, teacher.answers.name)
    return replace(trained, actions=actions, action=teacher.answers, schedule=None, inputs=(trained,))
