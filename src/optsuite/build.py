"""One build step: what determines it (its key) and how it is done. Bytes in, bytes out, and nothing else."""

from __future__ import annotations

import functools
import hashlib
import importlib.metadata
import inspect
import io
import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, is_dataclass
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from optsuite import sources
from optsuite.records import LayerWeights, ModelInfo, StageRecord
from optsuite.spec import (
    Action,
    Artifact,
    Dataset,
    OptsuiteError,
    Profile,
    Promise,
    Schedule,
    Split,
    Stage,
)

MODEL, INFO, OUTPUTS = "model.h5", "info.json", "outputs.npz"
"""The files of a model's artifact: the model, what is known of it, its answers on validation and test inputs."""

_BUILDERS = ("tensorflow", "tf-keras", "tensorflow-model-optimization")
_BESIDE = ("numpy", "h5py")
"""Packages that take part in building, without a say in what is built."""
_RECORDS = (ModelInfo, StageRecord, LayerWeights, Promise)
"""What is in info.json: an artifact of another format is another artifact."""
_SHARED = ("build.py", "datasets.py", "keras.py", "loaders.py", "metrics.py", "stages/train.py", "weights.py")


@functools.cache
def builder_versions() -> dict[str, str] | None:
    """The versions of the packages that build, or None where one is missing and nothing can be built."""
    try:
        return {name: importlib.metadata.version(name) for name in _BUILDERS}
    except importlib.metadata.PackageNotFoundError:
        return None


@functools.cache
def _file_sha256(path: str) -> str:
    return hashlib.sha256(Path(path).read_bytes()).hexdigest()


def canonical(value: Any) -> Any:
    """A setting as plain JSON that is equal when, and only when, it determines the same result.

    Of a dataclass the fields that count are those that it compares by. Functions stand for their source, so that a
    key follows the code of a builder and not its name alone; one of the user's for that of its module and all modules
    of theirs that this imports, and so does a class.
    """
    if value is None or isinstance(value, str | int | float):
        return value
    if isinstance(value, Mapping):
        return {str(name): canonical(item) for name, item in sorted(value.items())}
    if isinstance(value, tuple | list):
        return [canonical(item) for item in value]
    if is_dataclass(value) and not isinstance(value, type):
        return {
            "type": type(value).__qualname__,
            **_theirs(type(value)),
            **{part.name: canonical(getattr(value, part.name)) for part in fields(value) if part.compare},
        }
    if isinstance(value, functools.partial):
        return {"function": canonical(value.func), "given": canonical([value.args, value.keywords])}
    if inspect.isroutine(value):
        return {"source": inspect.getsource(value), **_theirs(value)}
    raise OptsuiteError(
        f"setting {value!r} of type {type(value).__name__} can't be part of a key; accepted are numbers, strings, "
        "tuples, mappings, dataclasses, functions and partial functions"
    )


def _theirs(value: Any) -> dict[str, Any]:
    files = sources.of(value)
    return {"files": files} if files else {}


@dataclass(frozen=True, kw_only=True)
class Step:
    """A build step: an action, what it is trained with, and the steps whose results it starts from.

    `label` is for people and is not part of the key.
    """

    label: str
    action: Action
    dataset: Dataset
    profile: Profile
    seed: int
    schedule: Schedule | None = None
    inputs: tuple[Step, ...] = ()

    @functools.cached_property
    def key(self) -> str:
        """SHA-256 over everything that determines the result, as hex; what is not in here rebuilds nothing."""
        parts = {
            "action": [self.action.name, canonical(self.action)],
            "schedule": canonical(self.schedule),
            "dataset": canonical(self.dataset),
            "limits": [self.profile.train_images, self.profile.eval_images, self.profile.max_steps],
            "epochs": self.schedule and self.profile.epochs(self.schedule),
            "format": [[part.name for part in fields(record)] for record in _RECORDS],
            "seed": self.seed,
            "inputs": [step.key for step in self.inputs],
            "tools": self.tools,
        }
        return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()

    @property
    def tools(self) -> dict[str, str]:
        """What does the step: the hash of each file of code, the version of each package."""
        code = [Path(__file__).parent / name for name in _SHARED]
        code.append(Path(inspect.getfile(type(self.action))))
        return {path.name: _file_sha256(str(path)) for path in code} | (builder_versions() or {})

    @property
    def weight(self) -> int:
        """Roughly how long it takes, in conversions."""
        return 1 if self.schedule is None else 1 + 8 * self.profile.epochs(self.schedule)


@dataclass(kw_only=True)
class Task:
    """A step at work: its inputs' artifacts, and what the action tells of itself on the way.

    `history` has a list of values an epoch for loss, accuracy and val_accuracy; `layers` are the names of the layers
    that the action's promise is about; `note` is what else is to be known.
    """

    step: Step
    inputs: Sequence[Artifact]
    history: Mapping[str, Sequence[float]] = field(default_factory=dict)
    layers: Sequence[str] = ()
    note: str = ""
    _splits: dict[str, Split] = field(default_factory=dict, init=False, repr=False)

    def split(self, name: str) -> Split:
        """The data that the profile allows, loaded once."""
        if name not in self._splits:
            self._splits[name] = self.step.profile.split(self.step.dataset, name)
        return self._splits[name]

    def parent_model(self) -> Any:
        """The first input's Keras model, loaded anew (TFMOT's wrappers share variables); None for a first step."""
        from optsuite import keras

        return keras.load(self.inputs[0][MODEL]) if self.inputs else None

    def probabilities(self, model: Any) -> bool:
        """Whether the step's model, a new one or its first input's, answers with probabilities instead of logits."""
        from optsuite import keras

        if self.inputs:
            answers = unpack_arrays(self.inputs[0][OUTPUTS])["validation"]
        else:
            answers = keras.outputs(model, self.split("validation").x[:32])
        return bool((answers >= 0).all()) and np.allclose(answers.sum(axis=-1), 1, atol=1e-3)

    def _arithmetic(self) -> tuple[str, ...]:
        """The fingerprints of this process and of the processes that trained the teacher, where there is one."""
        from optsuite import keras

        found = {keras.arithmetic_fingerprint()}
        for artifact in self.inputs[1:]:
            found |= model_info(artifact).arithmetic
        return tuple(sorted(found))

    def finish(self, stage: Stage, model: Any) -> Artifact:
        """The artifact of a stage's model: its file, its answers, and its parent's records with this one added."""
        from optsuite import keras

        content = keras.dump(model)
        parent = model_info(self.inputs[0]) if self.inputs else None
        loss, accuracy, val_accuracy = (
            tuple(self.history.get(name, ())) for name in ("loss", "accuracy", "val_accuracy")
        )
        record = StageRecord(
            stage=stage.name,
            epochs=len(loss),
            batch=self.step.schedule.batch if self.step.schedule else 0,
            loss=loss,
            accuracy=accuracy,
            val_accuracy=val_accuracy,
            layers=tuple(self.layers),
            promise=stage.promise,
            preserve=stage.preserve,
            weights=keras.layer_weights(model),
            note=self.note,
            arithmetic=self._arithmetic() if loss else (),
        )
        splits = {name: self.split(name) for name in ("validation", "test")}
        info = ModelInfo(
            # Parameters and MACs are the architecture's: fake-quantisation's own variables do not count.
            parameters=parent.parameters if parent else model.count_params(),
            macs=parent.macs if parent else keras.macs(model),
            keras_bytes=len(content),
            versions={name: importlib.metadata.version(name) for name in (*_BUILDERS, *_BESIDE)},
            stages=(*(parent.stages if parent else ()), record),
            data_sha256={name: split.sha256 for name, split in splits.items()},
        )
        answers = {name: keras.outputs(model, split.x) for name, split in splits.items()}
        return {MODEL: content, INFO: msgspec.json.encode(info), OUTPUTS: pack_arrays(**answers)}


@dataclass(frozen=True, kw_only=True)
class Done:
    """A step's artifact, and the seconds that it took to do.

    `start_s` is what its process took to start, with the first step that it did.
    """

    artifact: Artifact
    seconds: float
    start_s: float | None = None


def import_tensorflow() -> None:
    """Do what takes long before the first step of a process."""
    from optsuite import keras

    keras.arithmetic_fingerprint()


def timed(step: Step, inputs: Sequence[Artifact]) -> Done:
    """`run`, and how long it took where TensorFlow was imported before."""
    import_tensorflow()
    start = time.perf_counter()
    artifact = run(step, inputs)
    return Done(artifact=artifact, seconds=time.perf_counter() - start)


def run(step: Step, inputs: Sequence[Artifact]) -> Artifact:
    """Do the step. The result depends on the arguments alone: not on the process, nor on what it did before."""
    from optsuite import keras

    task = Task(step=step, inputs=inputs)
    for name in ("train", "validation", "test"):
        task.split(name)  # which may draw random numbers: before the step's own seed
    keras.reset(step.seed)
    return step.action.run(task)


def model_info(artifact: Artifact) -> ModelInfo:
    return msgspec.json.decode(artifact[INFO], type=ModelInfo)


def pack_arrays(**arrays: np.ndarray) -> bytes:
    """The arrays as .npz."""
    buffer = io.BytesIO()
    np.savez(buffer, allow_pickle=False, **arrays)
    return buffer.getvalue()


def unpack_arrays(content: bytes) -> dict[str, np.ndarray]:
    """The arrays of `pack_arrays`."""
    with np.load(io.BytesIO(content), allow_pickle=False) as arrays:
        return dict(arrays)
