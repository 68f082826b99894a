"""What a catalogue file is made of: `from optsuite.catalog import Model, Recipe, Schedule, ...`, and how it is read.

The file is Python, and declares any of DATASETS, MODELS, RECIPES and VARIANTS: lists of entries, which join ours.
"""

from __future__ import annotations

import importlib
import pickle
import sys
import traceback
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from optsuite import datasets, models, recipes, variants
from optsuite.convert import Convert
from optsuite.loaders import from_folder, from_npz, from_tfdata
from optsuite.metrics import MeanAbsoluteError, Metric, TopK
from optsuite.spec import (
    Dataset,
    Model,
    OptsuiteError,
    Promise,
    Recipe,
    Schedule,
    Split,
    Stage,
    Variant,
    catalogue,
)
from optsuite.stages.cluster import Cluster
from optsuite.stages.distill import Distill
from optsuite.stages.prune import Prune
from optsuite.stages.qat import QAT

__all__ = [
    "QAT",
    "Cluster",
    "Convert",
    "Dataset",
    "Distill",
    "MeanAbsoluteError",
    "Metric",
    "Model",
    "Promise",
    "Prune",
    "Recipe",
    "Schedule",
    "Split",
    "Stage",
    "TopK",
    "Variant",
    "from_folder",
    "from_npz",
    "from_tfdata",
]

_OURS: dict[str, tuple[dict[str, Any], type]] = {
    "DATASETS": (datasets.DATASETS, Dataset),
    "MODELS": (models.MODELS, Model),
    "RECIPES": (recipes.RECIPES, Recipe),
    "VARIANTS": (variants.VARIANTS, Variant),
}


def join(path: Path) -> Mapping[str, tuple[str, ...]]:
    """Import the file and add its entries to our catalogues; the names that are new, by catalogue.

    The file is a module like any other, under its own name, so that the processes that build can import it. The entries
    of an earlier file are removed first. Raises OptsuiteError for a file that fails, declares none of the four,
    something else in them, or a name that is taken.
    """
    leave()
    module = _imported(path.absolute())
    found = {name: getattr(module, name) for name in _OURS if hasattr(module, name)}
    if not found:
        raise OptsuiteError(f"{path} declares no entries; accepted are lists {', '.join(_OURS)}")
    joined = {}
    for name, entries in found.items():
        ours, kind = _OURS[name]
        if not isinstance(entries, list | tuple) or not all(isinstance(entry, kind) for entry in entries):
            raise OptsuiteError(f"{path}: {name} is {entries!r}; accepted is a list of {kind.__name__}")
        joined[name] = catalogue(*entries)
        for entry in entries:
            try:
                pickle.dumps(entry)  # it goes to the processes that build
            except (pickle.PicklingError, AttributeError, TypeError) as error:
                raise OptsuiteError(
                    f"{path}: {name} {entry.name}: {error}; accepted are functions and classes at the top of a file"
                ) from error
        if taken := joined[name].keys() & ours.keys():
            raise OptsuiteError(
                f"{path}: {name} has {', '.join(sorted(taken))}, which optsuite has; accepted: new names"
            )
    for name, new in joined.items():
        _OURS[name][0].update(new)
        _joined[name] = tuple(new)
    return dict(_joined)


_joined: dict[str, tuple[str, ...]] = {}


def leave() -> None:
    """Remove from our catalogues what `join` added: another run of this process may have another file, or none."""
    for name, entries in _joined.items():
        for entry in entries:
            _OURS[name][0].pop(entry, None)
    _joined.clear()


def _imported(path: Path) -> Any:
    if not path.is_file() or path.suffix != ".py" or not path.stem.isidentifier():
        raise OptsuiteError(f"{path}: no such catalogue; accepted is a Python file whose name can be imported")
    if sys.path[:1] != [str(path.parent)]:
        sys.path.insert(0, str(path.parent))
    known = sys.modules.get(path.stem)
    if known is not None and Path(getattr(known, "__file__", None) or "").absolute() == path:
        del sys.modules[path.stem]  # it may have been edited since an earlier run of this process
    try:
        module = importlib.import_module(path.stem)
    except OptsuiteError as error:
        raise OptsuiteError(f"{path}: {error}") from error
    except Exception as error:
        lines = [one.lineno for one in traceback.extract_tb(error.__traceback__) if one.filename == str(path)]
        where = f", line {lines[-1]}" if lines else ""
        raise OptsuiteError(f"{path}{where}: {type(error).__name__}: {error}") from error
    if Path(module.__file__ or "").absolute() != path:
        raise OptsuiteError(f"{path}: {path.stem} is the name of {module.__file__}; accepted is one that is not taken")
    return module
