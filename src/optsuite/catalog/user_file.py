"""The user's catalogue file: Python that declares lists of entries, such as MODELS."""

from __future__ import annotations

import importlib
import pickle
import sys
import traceback
from pathlib import Path
from typing import Any

from optsuite.catalog.catalog import ENTRIES, Catalog
from optsuite.errors import OptsuiteError
from optsuite.examine.examination import Examination
from optsuite.examine.target import Target
from optsuite.files import is_python_of_user
from optsuite.spec.data import Dataset
from optsuite.spec.model import Model
from optsuite.spec.names import by_name
from optsuite.spec.recipe import Recipe
from optsuite.spec.variant import Variant

_TYPES: dict[str, type[Any]] = {
    "datasets": Dataset,
    "models": Model,
    "recipes": Recipe,
    "variants": Variant,
    "examinations": Examination,
    "targets": Target,
}
_NOT_ON_BOARDS = ("tensorflow", "tf_keras", "tensorflow_model_optimization")
"""The modules that a machine which only measures need not have."""
_brought: set[str] = set()
"""The modules of the user's that the catalogue files read so far have imported."""


def read(path: Path) -> Catalog:
    """Import a catalogue file, and return its entries.

    The file is a module like any other, under its own name, so that the processes that build can import it.

    Args:
        path: A Python file that declares any of DATASETS, MODELS, RECIPES, VARIANTS, EXAMINATIONS and TARGETS.

    Raises:
        OptsuiteError: There is no such file, its name can't be imported, it fails, it declares none of these lists,
            or one of them has something else in it.

    """
    module = _imported(path.absolute())
    lists: dict[str, Any] = {kind: getattr(module, kind.upper()) for kind in ENTRIES if hasattr(module, kind.upper())}
    if not lists:
        raise OptsuiteError(f"{path}: expected lists {', '.join(kind.upper() for kind in ENTRIES)}, got none of them")
    checked: dict[str, Any] = {kind: _checked(path, kind, entries) for kind, entries in lists.items()}
    return Catalog(**checked)


def _checked(path: Path, kind: str, entries: Any) -> dict[str, Any]:
    """The entries of one list by name; OptsuiteError for what is no such entry, or can't be sent to a process."""
    entry_type, name = _TYPES[kind], kind.upper()
    if not isinstance(entries, list | tuple) or not all(isinstance(entry, entry_type) for entry in entries):
        raise OptsuiteError(f"{path}: {name}: expected a list of {entry_type.__name__}, got {entries!r}")
    found = by_name(*entries)
    for entry in entries:
        try:
            pickle.dumps(entry)
        except (pickle.PicklingError, AttributeError, TypeError) as error:
            raise OptsuiteError(
                f"{path}: {name} {entry.name}: {error}; expected functions and classes at the top of a file, as other "
                "processes import them"
            ) from error
    return found


def _imported(path: Path) -> Any:
    if not path.is_file():
        raise OptsuiteError(f"{path}: expected a catalogue file, got no such file; `optsuite init` writes one")
    if path.suffix != ".py" or not path.stem.isidentifier():
        raise OptsuiteError(
            f"{path}: expected a file name that is a Python identifier, such as optsuite_catalog.py, got {path.name!r}"
        )
    if sys.path[:1] != [str(path.parent)]:
        sys.path.insert(0, str(path.parent))
    known = sys.modules.get(path.stem)
    if known is not None and Path(getattr(known, "__file__", None) or "").absolute() == path:
        _brought.add(path.stem)
    # They may have been edited since an earlier run of this process, or be those of another catalogue file.
    for name in _brought:
        sys.modules.pop(name, None)
    importlib.invalidate_caches()
    _brought.clear()
    before = set(sys.modules)
    try:
        module = importlib.import_module(path.stem)
    except OptsuiteError as error:
        raise OptsuiteError(f"{path}: {error}") from error
    except Exception as error:
        missing = (error.name or "").partition(".")[0] if isinstance(error, ModuleNotFoundError) else ""
        if missing in _NOT_ON_BOARDS:
            raise OptsuiteError(
                f"{path}: {missing} is not installed. To build models: pip install 'optsuite[build]'. A machine that "
                "only measures needs no TensorFlow, and the catalogue must not import it at its top: import it inside "
                "of the function that builds the model"
            ) from error
        lines = [one.lineno for one in traceback.extract_tb(error.__traceback__) if one.filename == str(path)]
        where = f", line {lines[-1]}" if lines else ""
        raise OptsuiteError(f"{path}{where}: {type(error).__name__}: {error}") from error
    finally:
        _brought.update(name for name in sys.modules.keys() - before if _is_users(name))
    if Path(module.__file__ or "").absolute() != path:
        raise OptsuiteError(
            f"{path}: expected a name that no other module has, got {path.stem}, which is {module.__file__}"
        )
    return module


def _is_users(name: str) -> bool:
    """Whether a module that is loaded is the user's. A checkout of optsuite is not."""
    file = getattr(sys.modules[name], "__file__", None)
    return file is not None and name.partition(".")[0] != "optsuite" and is_python_of_user(Path(file))
