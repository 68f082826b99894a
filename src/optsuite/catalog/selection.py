"""The selection: which experiments and variants a run is requested to measure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from optsuite.catalog.catalog import Catalog
from optsuite.catalog.profiles import PROFILES
from optsuite.catalog.recipes import BASELINE, FINETUNE, USUAL
from optsuite.errors import OptsuiteError
from optsuite.examine import target
from optsuite.examine.examination import Examination
from optsuite.examine.target import Target
from optsuite.results.figures import FIGURES, Figure
from optsuite.results.header import Requested
from optsuite.spec.data import Dataset
from optsuite.spec.experiment import Candidate, Experiment, Profile
from optsuite.spec.model import Model
from optsuite.spec.names import pick
from optsuite.spec.recipe import Recipe
from optsuite.spec.variant import Variant


def _default(catalog: Catalog, model: Model) -> Sequence[str]:
    """The recipes that a model names; else the usual ones, the control of a trained model, and the user's."""
    if model.recipes is not None:
        return model.recipes
    own = catalog.user_defined.recipes if catalog.user_defined else {}
    return (*USUAL, *([FINETUNE.name] if model.file else []), *own)


MATRICES: dict[str, Callable[[Catalog, Model], Sequence[str]]] = {
    "default": _default,
    "all": lambda catalog, model: tuple(catalog.recipes),
}
"""The recipes of a model where none are requested, by the name of the matrix."""


@dataclass(frozen=True, kw_only=True)
class Selection:
    """The experiments and variants that a run is requested to measure.

    Attributes:
        requested: The names that were requested.
        catalog: What there was to choose from.
        profile: How much work is spent on each experiment.
        datasets: The datasets, in the order of reports.
        experiments: The experiments, in the order of reports.
        variants: The variants, in the order of reports.
        targets: The targets that files are examined for.
        unsupported: The ids of experiments that were requested but do not fit, and why.
        left_out: The models that would run by default but take none of the datasets, the datasets that would but no
            model takes, and why.

    """

    requested: Requested
    catalog: Catalog
    profile: Profile
    datasets: tuple[Dataset, ...]
    experiments: tuple[Experiment, ...]
    variants: tuple[Variant, ...]
    targets: tuple[Target, ...] = ()
    unsupported: Mapping[str, str] = field(default_factory=dict)
    left_out: Mapping[str, str] = field(default_factory=dict)

    def examinations(self) -> list[Examination[Any]]:
        """Return the examinations of every file, those of the targets last."""
        return [*self.catalog.examinations.values(), *target.examinations(self.targets)]

    def figures(self) -> tuple[Figure, ...]:
        """Return the declarations of all figures of a row, those of examinations last."""
        return (*FIGURES, *(figure for one in self.examinations() for figure in one.figures))

    def rows(self) -> Iterator[Candidate]:
        """Every experiment with every variant that it can take."""
        for experiment in self.experiments:
            for variant in self.variants:
                if not absence(experiment, variant):
                    yield Candidate(experiment, variant)


def select(
    catalog: Catalog,
    *,
    profile: str = "full",
    datasets: Sequence[str] = (),
    matrix: str = "default",
    models: Sequence[str] = (),
    recipes: Sequence[str] = (),
    variants: Sequence[str] = (),
    targets: Sequence[str] = (),
    seeds: Sequence[int] = (0,),
) -> Selection:
    """Look up the requested names.

    By default it is the first dataset, all models that take it, the recipes of the matrix, all variants and all
    targets but those on request; "none" is no target. Where the user has datasets, models or targets, the default is
    those. Each model runs on the datasets that it takes.

    Raises:
        OptsuiteError: A name is unknown, or the selection leaves nothing to run.

    """
    _check_names(catalog)
    user = catalog.user_defined or Catalog()
    (limits,) = pick(PROFILES, [profile], "profile")
    (planned,) = pick(MATRICES, [matrix], "matrix")
    usual = user.models or catalog.models
    data = pick(catalog.datasets, datasets or user.datasets or [next(iter(catalog.datasets))], "dataset")
    idle = [] if datasets else [one for one in data if not any(_takes(model, one) for model in usual.values())]
    if len(idle) == len(data):  # what takes none of them says so
        idle = []
    data = [one for one in data if one not in idle]
    chosen = pick(catalog.models, models or usual, "model")
    # A model that was requested by name, and takes none of the datasets, is in the tables with the reason.
    on = {model.name: [one for one in data if _takes(model, one)] or (data[:1] if models else []) for model in chosen}
    found: list[Experiment] = []
    unsupported: dict[str, str] = {}
    for dataset, model in ((dataset, model) for dataset in data for model in chosen if dataset in on[model.name]):
        for recipe in pick(catalog.recipes, recipes or planned(catalog, model), "recipe"):
            experiments = [
                Experiment(dataset=dataset, model=model, recipe=recipe, seed=seed, among_datasets=len(data) > 1)
                for seed in seeds
            ]
            if reason := misfit(catalog, dataset, model, recipe):
                unsupported |= {experiment.id: reason for experiment in experiments}
            else:
                found += experiments
    selection = Selection(
        requested=Requested(
            datasets=tuple(datasets),
            matrix=matrix,
            models=tuple(models),
            recipes=tuple(recipes),
            variants=tuple(variants),
            seeds=tuple(seeds),
            targets=tuple(targets),
        ),
        catalog=catalog,
        profile=limits,
        datasets=tuple(data),
        experiments=tuple(found),
        variants=tuple(pick(catalog.variants, variants or catalog.variants, "variant")),
        targets=tuple(pick_targets(catalog, targets, limits)),
        unsupported=unsupported,
        left_out=_left_out([model for model in chosen if not on[model.name]], data, idle),
    )
    if not any(selection.rows()):
        absences = [reason for one in found for variant in selection.variants if (reason := absence(one, variant))]
        reasons = dict.fromkeys([*unsupported.values(), *absences]) or [
            f"{name} {reason}" for name, reason in selection.left_out.items()
        ]
        raise OptsuiteError(f"the selection leaves nothing to run: {'; '.join(reasons)}")
    return selection


def pick_targets(catalog: Catalog, requested: Sequence[str], profile: Profile = PROFILES["full"]) -> list[Target]:
    """Return the targets of these names, or by default those of the user, or else optsuite's own.

    The default ones are not on request, and have no slow examinations where the profile leaves these out.

    Raises:
        OptsuiteError: A name is unknown.

    """
    if list(requested) == [target.NO_TARGET]:
        return []
    user = catalog.user_defined or Catalog()
    by_default = [one for one in (user.targets or catalog.targets).values() if not one.on_request]
    if requested:
        return pick(catalog.targets, requested, "target")
    return by_default if profile.slow_examinations else target.fast(by_default)


def _check_names(catalog: Catalog) -> None:
    """Refuse names of which two experiments would have one id: one would vanish, or be compared with the other."""
    known: dict[str, tuple[str, str]] = {}
    for model in catalog.models:
        for recipe in catalog.recipes:
            other = known.setdefault(f"{model}_{recipe}", (model, recipe))
            if other != (model, recipe):
                raise OptsuiteError(
                    f"model {other[0]} with recipe {other[1]} and model {model} with recipe {recipe} are both called "
                    f"{model}_{recipe}; expected names that can be told apart: rename a model"
                )


def _takes(model: Model, dataset: Dataset) -> bool:
    return model.input_shape == dataset.input_shape


def _left_out(models: Iterable[Model], data: Iterable[Dataset], idle: Iterable[Dataset]) -> dict[str, str]:
    """Return the models that take none of the data, the datasets that no model takes, and why."""
    run = "; ".join(f"{one.name}, {_shape(one)}" for one in data)
    return {model.name: f"takes {_shape(model)}; this run is {run}" for model in models} | {
        f"dataset {one.name}": f"no model takes {_shape(one)}" for one in idle
    }


def _shape(of: Model | Dataset) -> str:
    return "x".join(map(str, of.input_shape))


def misfit(catalog: Catalog, dataset: Dataset, model: Model, recipe: Recipe) -> str:
    """Return why the three can't go together, or an empty string."""
    if not _takes(model, dataset):
        return f"model {model.name} takes {model.input_shape}, dataset {dataset.name} has {dataset.input_shape}"
    for stage in recipe.stages:
        needed = stage.teacher_of()
        if needed is None:
            continue
        if not dataset.metric.classes:
            return f"recipe {recipe.name} distils a classifier, and the metric of dataset {dataset.name} has no classes"
        teacher = pick(catalog.models, [needed.model], "teacher model")[0]
        if teacher.name == model.name:
            return f"{model.name} is the teacher of recipe {recipe.name}; a model can't be its own teacher"
        if teacher.input_shape != dataset.input_shape:
            return (
                f"teacher {teacher.name} takes {teacher.input_shape}, dataset {dataset.name} has {dataset.input_shape}"
            )
    return ""


def absence(experiment: Experiment, variant: Variant) -> str:
    """Return why an experiment can't have a variant, or an empty string."""
    return variant.absence(experiment.recipe.quantized_bits)


def baseline(experiment: Experiment) -> Experiment:
    """Return the experiment that a recipe's accuracy drop is measured against: same dataset, model and seed."""
    return replace(experiment, recipe=BASELINE)
