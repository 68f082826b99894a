"""The graph of build steps that an experiment needs."""

from __future__ import annotations

from dataclasses import replace

from optsuite.build.model_step import ModelStep
from optsuite.catalog.catalog import Catalog
from optsuite.catalog.selection import baseline
from optsuite.files import File
from optsuite.spec.experiment import Candidate, Experiment, Profile
from optsuite.spec.model import OwnFit, Schedule
from optsuite.spec.names import pick
from optsuite.spec.stage import Conversion, Stage, Teacher
from optsuite.spec.variant import Variant
from optsuite.stages.load import Load
from optsuite.stages.rehearsal import Rehearsal
from optsuite.stages.train import FirstStage, Train


def step_of(experiment: Experiment, variant: Variant, profile: Profile, catalog: Catalog) -> ModelStep:
    """Return the step that makes a variant of an experiment; its inputs are the steps before it.

    Args:
        experiment: The experiment.
        variant: The variant; for the Keras model itself, the step is that of the recipe's last stage.
        profile: How much work the steps may do.
        catalog: Where the models of teachers are looked up.

    """
    last = _first_step(experiment, profile)
    for stage in experiment.recipe.stages:
        last = _stage_step(stage, last, experiment, profile, catalog)
    conversion = Candidate(experiment, variant).conversion
    return last if conversion is None else _conversion_step(conversion, variant.name, last, catalog)


def rehearsals(experiment: Experiment, profile: Profile) -> list[ModelStep]:
    """Return the steps that try whether the stages of an experiment's recipe can transform its model, for any seed."""
    first = _first_step(replace(experiment, seed=0), profile)
    return [
        replace(
            first,
            actions=(f"trying {stage.label}",),
            action=Rehearsal(first=_first_stage(experiment), stage=stage),
            schedule=_schedule(experiment, stage),
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


def _first_step(experiment: Experiment, profile: Profile) -> ModelStep:
    """The step that trains the experiment's model, or loads it from its file."""
    model, action = experiment.model, _first_stage(experiment)
    return ModelStep(
        model=model.name,
        actions=(action.name,),
        action=action,
        dataset=experiment.dataset,
        profile=profile,
        seed=experiment.seed,
        schedule=model.own_fit if model.build and model.fit else model.train,
        trust=model.trust,
    )


def _first_stage(experiment: Experiment) -> FirstStage:
    model = experiment.model
    return Train(build=model.build) if model.build else Load(file=File.of(model.file or ""))


def _stage_step(
    stage: Stage, parent: ModelStep, experiment: Experiment, profile: Profile, catalog: Catalog
) -> ModelStep:
    """The step of a stage, on the step of the stage before it."""
    inputs = [parent]
    if teacher := stage.teacher_of():
        inputs.append(_teacher_step(teacher, experiment, profile, catalog))
    return replace(
        parent,
        actions=(*parent.actions, stage.label),
        action=stage,
        schedule=_schedule(experiment, stage),
        inputs=tuple(inputs),
    )


def _schedule(experiment: Experiment, stage: Stage) -> Schedule | OwnFit | None:
    """How a stage trains the model of an experiment."""
    model = experiment.model
    return model.stages.get(stage.name, model.own_fit or model.finetune)


def _teacher_step(teacher: Teacher, experiment: Experiment, profile: Profile, catalog: Catalog) -> ModelStep:
    """The step that gets the answers of a teacher: the baseline of the teacher's model with the same seed."""
    (model,) = pick(catalog.models, [teacher.model], "teacher model")
    trained = _first_step(replace(baseline(experiment), model=model), profile)
    actions = (*trained.actions, teacher.answers.name)
    return replace(trained, actions=actions, action=teacher.answers, schedule=None, inputs=(trained,))
