"""The first stage of a model that is already trained: a file of Keras 2, or of Keras 3, which TFMOT does not know.

The architecture of a Keras 3 file is built again in Keras 2, layer by layer, and the weights are copied.
"""

from __future__ import annotations

import io
import json
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from optsuite.errors import OptsuiteError, first_line
from optsuite.files import File
from optsuite.keras_config import SAME_IN_BOTH
from optsuite.spec.task import Task
from optsuite.stages.keras3 import OPERATIONS, translated, untranslated
from optsuite.stages.train import FirstStage, check

_TRIALS = 32
_TOLERANCE = 1e-4
"""The largest difference of answers, as a share of the largest answer: both compute in float32, in other orders."""


@dataclass(frozen=True, kw_only=True)
class Load(FirstStage):
    """Take the model out of its file, uncompiled."""

    packages = ("keras",)
    file: File

    def apply(self, model: Any, task: Task) -> Any:
        return self.new(task)

    def new(self, task: Task) -> Any:
        from optsuite.keras import keras

        path = Path(self.file.path)
        saved = _described(path)
        if not task.trust:
            _check_trusted(path, saved)
        if saved.is_keras_2:
            try:
                model = keras.models.load_model(path, compile=False, safe_mode=not task.trust)
            except (TypeError, ValueError, OSError) as error:  # such as a user-defined layer
                raise OptsuiteError(f"{path}: Keras 2 can't load it: {first_line(error)}") from error
        else:
            model, task.note = _translated_file(path, saved)
        if File.of(path) != self.file:
            raise OptsuiteError(f"{path} was changed while it was read; start the run again")
        check(model, task)
        return model


def _check_trusted(path: Path, saved: _SavedFile) -> None:
    """OptsuiteError for a file that could run any code when Keras loads it."""
    from optsuite.keras import check_config

    if path.is_dir():
        raise OptsuiteError(
            f"{path} is a SavedModel, which may run any code: expected a .keras or .h5 file; Model(trust=True) allows "
            "it for your own model"
        )
    if not saved.is_keras_2:
        _check_translated(saved.config)
    try:
        # Keras does not look at the settings of the compiler where it does not compile.
        check_config({**saved.config, "compile_config": None})
    except OptsuiteError as error:
        raise OptsuiteError(f"{path}: {error}") from None


def _check_translated(config: Any) -> None:
    """OptsuiteError for the first layer of a Keras 3 model that can't be translated."""
    for layer in config.get("config", {}).get("layers", ()):
        if layer["class_name"] not in ("InputLayer", *OPERATIONS, *SAME_IN_BOTH):
            raise untranslated(layer["config"].get("name"), layer["class_name"])


@dataclass(frozen=True, kw_only=True)
class _SavedFile:
    """A file as it describes itself: the version of Keras that wrote it, and its configuration as plain data."""

    version: str
    config: Any

    @property
    def is_keras_2(self) -> bool:
        return self.version.startswith("2.")


def _described(path: Path) -> _SavedFile:
    """Read how a file, or the folder of a SavedModel, describes itself; OptsuiteError for what is no model."""
    import h5py

    expected = "expected a .keras or .h5 file, or a SavedModel that Keras 2 saved"
    if path.is_dir():
        if not (path / "keras_metadata.pb").exists():
            raise OptsuiteError(f"{path} is no SavedModel of Keras 2; {expected}")
        return _SavedFile(version="2.", config={})
    content = path.read_bytes()
    try:
        # As Keras decides: a file may be a zip file and an HDF5 file at once, with another model in each.
        if path.name.endswith(".keras") and zipfile.is_zipfile(path):
            with zipfile.ZipFile(io.BytesIO(content)) as archive:
                version = str(json.loads(archive.read("metadata.json"))["keras_version"])
                return _SavedFile(version=version, config=json.loads(archive.read("config.json")))
        with h5py.File(io.BytesIO(content), "r") as file:
            if "model_config" in file.attrs:
                config = json.loads(file.attrs["model_config"])
                return _SavedFile(version=str(file.attrs["keras_version"]), config=config)
    except (OSError, KeyError, ValueError, zipfile.BadZipFile) as error:
        raise OptsuiteError(f"{path} is no Keras model ({error}); {expected}") from error
    raise OptsuiteError(f"{path} has weights, but no model; {expected}")


def _translated_file(path: Path, saved: _SavedFile) -> tuple[Any, str]:
    """Return the model of a Keras 3 file in Keras 2, and a note on how much their answers differ."""
    import keras as keras3

    from optsuite import keras

    try:
        original = keras3.saving.load_model(path, compile=False)
    except (TypeError, ValueError, OSError) as error:  # a layer of the user's own, or a function in a Lambda
        _check_translated(saved.config)
        raise OptsuiteError(f"{path}: Keras {keras3.__version__} can't load it: {first_line(error)}") from error
    model = translated(original)
    x = np.random.default_rng(0).normal(size=(_TRIALS, *model.input_shape[1:])).astype(np.float32)
    expected = np.asarray(original(x, training=False))
    difference = float(np.abs(keras.outputs(model, x) - expected).max())
    if not difference <= _TOLERANCE * float(np.abs(expected).max()):
        raise OptsuiteError(f"{path}: in Keras 2 its answers differ by up to {difference:.2g} on {_TRIALS} inputs")
    note = f"answers to {_TRIALS} random inputs differ by {difference:.2g} at most"
    return model, f"from Keras {saved.version}, loaded by {keras3.__version__}; {note}"
