"""The catalog: all datasets, models, recipes, variants and examinations that there are to choose from, as one value."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any

from optsuite.catalog.datasets import DATASETS
from optsuite.catalog.examinations import EXAMINATIONS
from optsuite.catalog.models import MODELS
from optsuite.catalog.recipes import PIPELINES, RECIPES
from optsuite.catalog.targets import TARGETS
from optsuite.catalog.variants import VARIANTS
from optsuite.errors import OptsuiteError
from optsuite.examine import target
from optsuite.examine.examination import Examination
from optsuite.examine.target import Target
from optsuite.results.figures import FIGURES, NAME, RESERVED, Figure
from optsuite.results.header import CatalogNames
from optsuite.spec.data import Dataset
from optsuite.spec.model import Model
from optsuite.spec.recipe import Recipe
from optsuite.spec.variant import Variant


@dataclass(frozen=True, kw_only=True)
class Catalog:
    """Entries by name, in the order of reports.

    Attributes:
        datasets: The datasets.
        models: The models.
        recipes: The recipes; "baseline", which has no stages, is always one of them.
        variants: The variants; "keras", the Keras model itself, is always one of them.
        examinations: The examinations of every file; optsuite's own are always among them.
        targets: Where a file may run, each with the examinations that tell what is known of a file there.
        user_defined: The entries that the user's catalogue file added, or None where there is no such file.

    """

    datasets: Mapping[str, Dataset] = field(default_factory=dict)
    models: Mapping[str, Model] = field(default_factory=dict)
    recipes: Mapping[str, Recipe] = field(default_factory=dict)
    variants: Mapping[str, Variant] = field(default_factory=dict)
    examinations: Mapping[str, Examination[Any]] = field(default_factory=dict)
    targets: Mapping[str, Target] = field(default_factory=dict)
    user_defined: Catalog | None = None

    @classmethod
    def builtin(cls) -> Catalog:
        """Return the entries that optsuite has."""
        return cls(
            datasets=DATASETS,
            models=MODELS,
            recipes=RECIPES,
            variants=VARIANTS,
            examinations=EXAMINATIONS,
            targets=TARGETS,
        )

    def names(self) -> CatalogNames:
        """Return the names of all entries, in the order of reports."""
        return CatalogNames(
            models=tuple(self.models),
            recipes=tuple(self.recipes),
            variants=tuple(self.variants),
            pipelines=PIPELINES,
        )

    def figures(self) -> tuple[Figure, ...]:
        """Return the declarations of all figures that there are, those of examinations last."""
        return (*FIGURES, *(figure for one in self._examinations() for figure in one.figures))

    def _examinations(self) -> list[Examination[Any]]:
        return [*self.examinations.values(), *target.examinations(self.targets.values())]

    def joined(self, user_defined: Catalog) -> Catalog:
        """Return a catalog with the user's entries after these.

        Raises:
            OptsuiteError: An entry, or a figure of an examination, has the name of one that is there already.

        """
        joined = {}
        for kind in ENTRIES:
            present, added = getattr(self, kind), getattr(user_defined, kind)
            if taken := present.keys() & added.keys():
                raise OptsuiteError(
                    f"expected new names in {kind.upper()}, got {', '.join(sorted(taken))}, which optsuite has"
                )
            joined[kind] = {**present, **added}
        catalog = Catalog(**joined, user_defined=user_defined)
        catalog._check_figures()
        return catalog

    def _check_figures(self) -> None:
        """Refuse names of figures that are taken, or can't be the names of columns and settings."""
        taken = set(RESERVED)
        for one in self.targets.values():
            if one.name in RESERVED or one.name == target.NO_TARGET:
                raise OptsuiteError(
                    f"expected another name for the target {one.name!r}: it is that of a figure, or 'none'"
                )
            used = [figure.resource for found in one.examinations for figure in found.figures if figure.resource]
            if len(set(used)) < len(used):
                raise OptsuiteError(f"target {one.name}: expected one figure of each resource, got {', '.join(used)}")
        names = [examination.name for examination in self._examinations()]
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise OptsuiteError(f"expected examinations of different names, got {', '.join(twice)} twice")
        for examination in self._examinations():
            for figure in examination.figures:
                if {figure.name, figure.tolerance_name} & taken or not re.match(NAME, figure.name):
                    raise OptsuiteError(
                        f"examination {examination.name}: expected a new name of small letters, digits, '_' and '-' "
                        f"for its figure, got {figure.name!r}"
                    )
                taken.add(figure.name)


ENTRIES = tuple(one.name for one in fields(Catalog) if one.name != "user_defined")
"""The kinds of entries: the fields of a catalog that hold them."""
