"""The [tool.optsuite] section of pyproject.toml."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import msgspec

from optsuite.errors import OptsuiteError
from optsuite.results import figures
from optsuite.results.figures import Figure
from optsuite.spec.experiment import Experiment, Profile
from optsuite.spec.variant import Variant
from optsuite.units import Fraction

if TYPE_CHECKING:
    from optsuite.results.header import CatalogNames


class Budgets(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Accuracy drops that replace the budget of a catalog entry, by pattern; the last that matches counts.

    `recipe` is matched against MODEL_RECIPE, `variant` against MODEL_RECIPE-VARIANT; in a run of several datasets also
    against DATASET/MODEL_RECIPE, as test ids have it then.
    """

    recipe: dict[str, Fraction] = {}
    variant: dict[str, Fraction] = {}


@dataclass(frozen=True)
class Tolerances:
    """How much worse than the reference run counts as the same, fractions by pattern; the last that matches counts.

    Attributes:
        patterns: The name of a tolerance (see `Figure.tolerance_name`) -> pattern of MODEL_RECIPE-VARIANT -> fraction.
            `accuracy` is an accuracy drop, all others are by what share of the reference run's a figure is worse.
        figures: The declarations of all figures, which have the defaults.

    Raises:
        OptsuiteError: A tolerance is named after no figure.

    """

    patterns: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    figures: tuple[Figure, ...] = figures.FIGURES

    def __post_init__(self) -> None:
        """Refuse a tolerance that would be of no effect."""
        if unknown := set(self.patterns) - set(self._defaults):
            raise OptsuiteError(
                f"[tool.optsuite.tolerances]: expected some of {', '.join(self._defaults)}, got "
                f"{', '.join(sorted(unknown))}"
            )

    @cached_property
    def _defaults(self) -> dict[str, float]:
        return {one.tolerance_name: one.tolerance for one in self.figures if one.tolerance is not None}

    def of(self, name: str, experiment: str, variant: str) -> float:
        """Return the tolerance of a row: of an experiment, as MODEL_RECIPE, and a variant."""
        return _last_match(self.patterns.get(name, {}), f"{experiment}-{variant}", self._defaults[name])

    def effective(self) -> dict[str, dict[str, float]]:
        """Name -> pattern -> tolerance, with the default as the pattern `*`, the last that matches counting."""
        return {name: {"*": default} | dict(self.patterns.get(name, {})) for name, default in self._defaults.items()}


class Config(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The settings of a repository."""

    catalog: str = ""
    """The catalogue file, relative to pyproject.toml; none where it is empty."""
    budgets: Budgets = Budgets()
    tolerances: dict[str, dict[str, Annotated[float, msgspec.Meta(ge=0)]]] = {}

    def recipe_budget(self, experiment: Experiment, profile: Profile) -> float:
        """Return the accuracy drop against the baseline that the experiment's recipe may cause, a fraction."""
        budget = _last_match(self.budgets.recipe, experiment.model_recipe, experiment.recipe.budget)
        return max(budget, profile.min_budget)

    def variant_budget(self, experiment: Experiment, variant: Variant, profile: Profile) -> float:
        """Return the accuracy drop against its Keras model that the variant may cause, a fraction."""
        name = f"{experiment.model_recipe}-{variant.name}"
        return max(_last_match(self.budgets.variant, name, variant.budget), profile.min_budget)

    def tolerances_of(self, declared: Iterable[Figure], known: Iterable[Figure] = ()) -> Tolerances:
        """Return the tolerances of a run's figures.

        Args:
            declared: The figures that the run declares.
            known: Others that there are: a tolerance of one of them is no mistake.

        Raises:
            OptsuiteError: A tolerance is named after no figure.

        """
        of_run = (*figures.FIGURES, *figures.found(declared))
        Tolerances(self.tolerances, (*of_run, *figures.found(known)))
        names = {figure.tolerance_name for figure in of_run}
        return Tolerances({name: found for name, found in self.tolerances.items() if name in names}, of_run)

    def unused(self, names: CatalogNames) -> list[str]:
        """Return the patterns that match nothing there is to choose from in a run: most likely they are mistyped."""
        units = [f"{model}_{recipe}" for model in names.models for recipe in names.recipes]
        rows = [f"{unit}-{variant}" for unit in units for variant in names.variants]
        tables = {f"tolerances.{name}": (patterns, rows) for name, patterns in self.tolerances.items()}
        tables |= {"budgets.recipe": (self.budgets.recipe, units), "budgets.variant": (self.budgets.variant, rows)}
        return [
            f"{name} {pattern!r}"
            for name, (patterns, names) in tables.items()
            for pattern in patterns
            if not any(fnmatchcase(one, pattern.rpartition("/")[2]) for one in names)
        ]


class _Tool(msgspec.Struct):
    optsuite: Config = msgspec.field(default_factory=Config)


class _Pyproject(msgspec.Struct):
    tool: _Tool = msgspec.field(default_factory=_Tool)


def _last_match(patterns: Mapping[str, float], name: str, default: float) -> float:
    names = name, name.rpartition("/")[2]  # with and without the dataset, which some names have
    matching = (
        value for pattern, value in reversed(list(patterns.items())) if any(fnmatchcase(one, pattern) for one in names)
    )
    return next(matching, default)


def read(pyproject: Path) -> Config:
    """The section, or the defaults where there is no file or no section; OptsuiteError for what it doesn't know."""
    try:
        return msgspec.convert(tomllib.loads(pyproject.read_text("utf-8")), _Pyproject).tool.optsuite
    except FileNotFoundError:
        return Config()
    except OSError as error:
        raise OptsuiteError(f"{pyproject} can't be read: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, msgspec.ValidationError) as error:
        raise OptsuiteError(f"{pyproject}: [tool.optsuite]: {error}") from error
