"""One build step: what determines it (its key) and how it is done. Bytes in, bytes out, and nothing else."""

from __future__ import annotations

import functools
import hashlib
import inspect
import io
import json
import time
import tokenize
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, is_dataclass, replace
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import msgspec
import numpy as np

from optsuite import sources
from optsuite.records import ModelInfo, StageRecord
from optsuite.spec import (
    IMPORTED,
    Action,
    Artifact,
    Dataset,
    OptsuiteError,
    Profile,
    Schedule,
    Split,
    Stage,
)

MODEL, INFO, OUTPUTS = "model.h5", "info.json", "outputs.npz"
"""The files of a model's artifact: the model, what is known of it, its answers on validation and test inputs."""

_BUILDERS = ("tensorflow", "tf-keras", "tensorflow-model-optimization", "numpy")
"""The packages that every step may use: numpy draws and scales the data."""
_BESIDE = ("h5py",)
"""Packages that take part in building, without a say in what is built."""


@functools.cache
def builder_versions() -> dict[str, str] | None:
    """The versions of the packages that build, or None where one is missing and nothing can be built."""
    try:
        return {name: version(name) for name in _BUILDERS}
    except PackageNotFoundError:
        return None


def canonical(value: Any, code: list[Any] | None = None) -> Any:
    """Return a setting as plain JSON that is equal when, and only when, it determines the same result.

    A dataclass stands for the fields that it compares by. A function stands for its source, its default arguments,
    and what it is bound to or closes over.

    Args:
        value: The setting.
        code: Collects the functions and classes that the setting refers to: their files count besides.

    Raises:
        OptsuiteError: Two settings of this kind could look the same and differ.

    """
    code = [] if code is None else code
    if value is None or isinstance(value, str | int | float):
        return value
    if isinstance(value, Mapping):
        return sorted(([canonical(name, code), canonical(item, code)] for name, item in value.items()), key=json.dumps)
    if isinstance(value, tuple | list):
        return [canonical(item, code) for item in value]
    if isinstance(value, type):
        code.append(value)
        return {"class": f"{value.__module__}.{value.__qualname__}"}
    if is_dataclass(value):
        counted = {part.name: canonical(getattr(value, part.name), code) for part in fields(value) if part.compare}
        return canonical(type(value), code) | counted
    if isinstance(value, functools.partial):
        return {"function": canonical(value.func, code), "given": canonical([value.args, value.keywords], code)}
    if inspect.ismethod(value):
        return {"method": canonical(value.__func__, code), "of": canonical(value.__self__, code)}
    if hasattr(value, "__wrapped__"):  # a decorated function: what the decorator adds, and what it was given
        added = _bound(value, code) if inspect.isfunction(value) else None
        return {"wrapped": canonical(value.__wrapped__, code), "by": added}
    if inspect.isroutine(value):
        return _canonical_function(value, code)
    raise OptsuiteError(
        f"setting {repr(value)[:200]} of type {type(value).__name__} can't be part of a key: expected a number, a "
        "string, a tuple, a mapping, a dataclass, or a function or method of these"
    )


def _canonical_function(function: Any, code: list[Any]) -> dict[str, Any]:
    if not inspect.isfunction(function) or function.__name__ == "<lambda>":
        raise OptsuiteError(
            f"setting {function!r} can't be part of a key: expected a function written with `def`, got "
            f"{'a lambda' if inspect.isfunction(function) else type(function).__name__}"
        )
    try:
        source = inspect.getsource(function)
    except (OSError, SyntaxError, tokenize.TokenError):
        source = ""  # `sources.of` refuses a function that is in no file, and sees that a file was edited
    code.append(function)
    return {"function": f"{function.__module__}.{function.__qualname__}", "source": source, **_bound(function, code)}


def _bound(function: Any, code: list[Any]) -> dict[str, Any]:
    """What a function uses besides its source and its module: its default arguments and what it closes over."""
    closure = inspect.getclosurevars(function).nonlocals
    return {
        "defaults": canonical([function.__defaults__, function.__kwdefaults__], code),
        # A local function that calls itself closes over itself.
        "closure": canonical({name: one for name, one in closure.items() if one is not function}, code),
    }


@dataclass(frozen=True, kw_only=True)
class Step:
    """A build step: an action, what it is trained with, and the steps whose results it starts from.

    `label` is for people, and `trust` says whether the model may have layers that run any code. Neither is part of
    the key.
    """

    label: str
    action: Action
    dataset: Dataset
    profile: Profile
    seed: int
    schedule: Schedule | None = None
    inputs: tuple[Step, ...] = ()
    trust: bool = False

    @functools.cached_property
    def parts(self) -> Mapping[str, Any]:
        """All that determines the result, as plain JSON; what is not in here rebuilds nothing."""
        code: list[Any] = [Task, type(self.action)]
        settings = {
            "action": canonical(self.action, code),
            "schedule": canonical(self.schedule, code),
            "dataset": canonical(self.dataset, code),
        }
        return {
            **settings,
            "limits": [self.profile.train_images, self.profile.eval_images, self.profile.max_steps],
            "epochs": self.schedule and self.profile.epochs(self.schedule),
            "seed": self.seed,
            "inputs": [step.key for step in self.inputs],
            "code": sources.of(*code),
            "packages": {**(builder_versions() or {}), **{name: version(name) for name in self.action.packages}},
        }

    @functools.cached_property
    def key(self) -> str:
        """SHA-256 of `parts`, as hex."""
        return hashlib.sha256(json.dumps(self.parts, sort_keys=True).encode()).hexdigest()

    def _tools(self) -> set[tuple[str, str]]:
        """The files and packages, with their hashes and versions, of the step and of all that it starts from."""
        mine = {*self.parts["code"].items(), *self.parts["packages"].items()}
        return mine.union(*(step._tools() for step in self.inputs))

    def _anew(self) -> Step:
        """The step without what it knows of its parts: they travel with it to other processes."""
        return replace(self, inputs=tuple(step._anew() for step in self.inputs))

    def check_unchanged(self) -> None:
        """Refuse to do in this process a step whose key was made elsewhere, from other code or settings.

        Raises:
            OptsuiteError: The key would be another here; the message names the files and packages that differ.

        """
        here = self._anew()
        if here.key != self.key:
            differ = sorted({name for name, _ in here._tools() ^ self._tools()}) or ["its settings"]
            raise OptsuiteError(
                f"{', '.join(differ)} changed since the run began, or differ in the process that builds: expected "
                "the code and packages that the run began with; start the run again"
            )

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
    splits: dict[str, Split] = field(default_factory=dict, repr=False)
    """The data that is loaded, by the name of its split."""

    def split(self, name: str) -> Split:
        """The data that the profile allows, loaded once."""
        if name not in self.splits:
            self.splits[name] = self.step.profile.split(self.step.dataset, name)
        return self.splits[name]

    def parent_model(self) -> Any:
        """The first input's Keras model, loaded anew (TFMOT's wrappers share variables); None for a first step."""
        from optsuite import keras

        if not self.inputs:
            return None
        return keras.load(self.inputs[0][MODEL], trust=may_run_code(self.inputs[0], trust=self.step.trust))

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
            versions={name: version(name) for name in (*_BUILDERS, *_BESIDE)},
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


def timed(step: Step, inputs: Sequence[Artifact], splits: Mapping[str, Split] | None = None) -> Done:
    """Do a step as `run` does, and time it without TensorFlow's import.

    Raises:
        OptsuiteError: The code is not that of the process which made the step's key, before or after.

    """
    import_tensorflow()
    step.check_unchanged()
    start = time.perf_counter()
    artifact = run(step, inputs, splits)
    seconds = time.perf_counter() - start
    step.check_unchanged()  # a module that the step imported late may have been edited in between
    return Done(artifact=artifact, seconds=seconds)


def run(step: Step, inputs: Sequence[Artifact], splits: Mapping[str, Split] | None = None) -> Artifact:
    """Do the step. The result depends on the arguments alone: not on the process, nor on what it did before.

    Args:
        step: What to do.
        inputs: The artifacts of the step's inputs.
        splits: The data that the profile allows, where it is at hand; else the dataset loads it.

    """
    from optsuite import keras

    task = Task(step=step, inputs=inputs, splits=dict(splits or {}))
    for name in ("train", "validation", "test"):
        task.split(name)  # which may draw random numbers: before the step's own seed
    keras.reset(step.seed)
    return step.action.run(task)


def may_run_code(artifact: Artifact, *, trust: bool) -> bool:
    """Whether a model's file may have layers that run any code: it is a trusted model's, and was built here."""
    return trust and IMPORTED not in artifact


def model_info(artifact: Artifact) -> ModelInfo:
    return msgspec.json.decode(artifact[INFO], type=ModelInfo)


def pack_arrays(**arrays: np.ndarray) -> bytes:
    """The arrays as .npz."""
    buffer = io.BytesIO()
    np.savez(buffer, **arrays)  # type: ignore[arg-type]
    return buffer.getvalue()


def unpack_arrays(content: bytes) -> dict[str, np.ndarray]:
    """The arrays of `pack_arrays`."""
    with np.load(io.BytesIO(content), allow_pickle=False) as arrays:
        return dict(arrays)
