"""The vocabulary: what a dataset, a model, a stage, a recipe, a variant and an experiment are."""

from __future__ import annotations

import functools
import hashlib
import os
import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal, Protocol, TypeVar

from msgspec import Meta

from optsuite.metrics import ACCURACY, Metric

if TYPE_CHECKING:
    import numpy as np

    from optsuite.build import Task
    from optsuite.convert import Convert


class OptsuiteError(Exception):
    """Something the user gave, or something on disk, can't be used; the message says what is accepted."""


class UnavailableError(OptsuiteError):
    """Something can't be had on this machine: to be marked as absent, not a failure."""


def first_line(error: Exception) -> str:
    """What an error of somebody else's says, as part of one of ours."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0]


Fraction = Annotated[float, Meta(ge=0, le=1)]
"""Accuracies, drops that are allowed, shares; held to 0..1 where it is read from a file."""

Artifact = Mapping[str, bytes]
"""What a build step makes: file name -> content."""
IMPORTED = "imported"
"""The file of an artifact that says that it was imported from a bundle, not built here. It is empty."""


@dataclass(frozen=True, kw_only=True)
class Split:
    """Inputs `x` (float32, (n, *shape)) and their targets `y` (n,): labels (int32, from 0), or numbers (float32)."""

    x: np.ndarray
    y: np.ndarray

    @functools.cached_property
    def sha256(self) -> str:
        """Of its inputs and targets."""
        return hashlib.sha256(self.x.tobytes() + self.y.tobytes()).hexdigest()

    def first(self, count: int | None) -> Split:
        """The first `count` of it, or all for None."""
        return Split(x=self.x[:count], y=self.y[:count])


@dataclass(frozen=True, kw_only=True)
class Dataset:
    """Labelled data in three splits.

    `load` takes "train", "validation" or "test"; `fingerprint` changes when the data does; `kind` names the input
    that a model must take; `metric` is what a model is judged by, and trained for. `class_weights` are what the labels
    count in training, 1 where nothing is said.
    """

    name: str
    kind: str
    fingerprint: str
    load: Callable[[str], Split]
    metric: Metric = ACCURACY
    class_weights: Mapping[int, float] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Schedule:
    """How long and how fast to train: Adam, linear warm-up to `peak_lr`, then cosine decay to zero.

    `warmup` is a fraction of all steps. Each image is shifted by up to `shift_pixels` and turned by up to
    `turn_degrees` either way, anew each epoch. The mean magnitude of each kernel, times `l1`, is added to the loss:
    that gathers a kernel in few large weights, and those are what pruning keeps.
    """

    epochs: int
    peak_lr: float
    batch: int = 128
    warmup: float = 0.1
    shift_pixels: int = 0
    turn_degrees: float = 0.0
    l1: float = 0.0


@dataclass(frozen=True, kw_only=True)
class File:
    """A file, or a folder of files, that counts by its content. Made by `File.of`."""

    path: str = field(compare=False)
    sha256: str

    @classmethod
    def of(cls, path: str | os.PathLike[str]) -> File:
        """As it is now; OptsuiteError where there is nothing to read."""
        found = Path(path).absolute()
        inside = (Path(folder, name) for folder, _, names in os.walk(found, followlinks=True) for name in names)
        parts = sorted(inside) if found.is_dir() else [found]
        try:
            digests = [f"{one.relative_to(found)} {_sha256(one, one.stat())}" for one in parts]
        except OSError as error:
            raise OptsuiteError(f"{error.filename}: {error.strerror}; accepted is a file that can be read") from error
        return cls(path=str(found), sha256=hashlib.sha256("\n".join(digests).encode()).hexdigest())


_known: dict[tuple[Path, int, int], str] = {}


def _sha256(path: Path, now: os.stat_result) -> str:
    key = path, now.st_mtime_ns, now.st_size
    if key not in _known:
        with path.open("rb") as file:
            _known[key] = hashlib.file_digest(file, "sha256").hexdigest()
    return _known[key]


@dataclass(frozen=True, kw_only=True)
class Model:
    """A base architecture, or a model that is already trained, which answers with logits or probabilities.

    `build` returns a new Keras model, to be trained by `train`; its source, with that of what it uses of its own
    project, is part of the key of what is built from it. `file` is a trained model instead: .keras (Keras 2 or 3), .h5,
    or a SavedModel of Keras 2. The kernels of either are those of Conv1D, Conv2D, DepthwiseConv2D (of multiplier 1)
    and Dense layers, none nested or used twice. `finetune` is for what stages do to it; `stages` replaces it for those
    that it names (their module's name, e.g. "prune"). `recipes` are those that are run of it when none are asked for.

    `trust` allows layers that run any code, such as `Lambda`, in `build` or `file` and in what is built from them on
    this machine; a SavedModel always needs it. It never covers what `optsuite store import` brought.
    """

    name: str
    kind: str
    build: Callable[[], Any] | None = None
    file: str | os.PathLike[str] | None = None
    train: Schedule | None = None
    finetune: Schedule
    stages: Mapping[str, Schedule] = field(default_factory=dict)
    recipes: tuple[str, ...] = ("baseline", "qat", "prune-0.8", "cluster-8")
    trust: bool = False

    def __post_init__(self) -> None:
        """Refuse what is neither to be trained nor trained, or both."""
        given = [name for name in ("build", "train", "file") if getattr(self, name) is not None]
        if given not in (["build", "train"], ["file"]):
            raise OptsuiteError(
                f"model {self.name}: {' and '.join(given) or 'neither'} given; accepted are build and "
                "train, or a trained model's file"
            )


class Action(ABC):
    """What one build step does. Subclasses are frozen dataclasses of settings, one module each."""

    packages: ClassVar[tuple[str, ...]] = ()
    """The packages whose version takes part in the result, besides those that every step uses."""

    @property
    def name(self) -> str:
        """The module that the action lives in, which is how people call it."""
        return type(self).__module__.rpartition(".")[2]

    @abstractmethod
    def run(self, task: Task) -> Artifact:
        """Do it: a pure function of these settings and of what the task holds."""


Invariant = Literal["sparsity", "clusters"]


@dataclass(frozen=True, kw_only=True)
class Promise:
    """What is to hold of a layer, None where nothing is.

    At least floor(`sparsity` x n) zeros among its n weights; at most `clusters` distinct values.
    """

    sparsity: Fraction | None = None
    clusters: int | None = None

    def kept(self, preserved: Iterable[Invariant]) -> Promise:
        """What is left of it after a stage that preserves only so much."""
        names = set(preserved)
        return Promise(
            sparsity=self.sparsity if "sparsity" in names else None,
            clusters=self.clusters if "clusters" in names else None,
        )

    def and_also(self, other: Promise) -> Promise:
        """Both; where both speak of the same, the other."""
        return Promise(
            sparsity=self.sparsity if other.sparsity is None else other.sparsity,
            clusters=self.clusters if other.clusters is None else other.clusters,
        )


class Stage(Action):
    """One transformation of a trained model."""

    quantizes: ClassVar[bool] = False
    """Whether the model carries fake-quantisation from here on."""
    preserve: tuple[Invariant, ...] = ()
    """What was promised before and still holds after this stage."""

    @property
    def promise(self) -> Promise:
        """What holds, after this stage, of the layers that it transformed."""
        return Promise()

    @abstractmethod
    def apply(self, model: Any, task: Task) -> Any:
        """Return the transformed, fitted and stripped Keras model; `model` is the parent's, fresh, to be consumed."""

    def from_teacher(self) -> tuple[str, Action] | None:
        """The name of the model to learn from and the step that asks it, for a stage that has a teacher."""
        return None

    def run(self, task: Task) -> Artifact:
        return task.finish(self, self.apply(task.parent_model(), task))


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """An ordered tuple of stages; `budget` is the accuracy drop against the baseline that it may cause."""

    name: str
    stages: tuple[Stage, ...]
    budget: Fraction = 0.005

    def __post_init__(self) -> None:
        """Refuse what makes no sense: preserving what nothing promised, going on after quantisation."""
        if not 0 <= self.budget <= 1:
            raise OptsuiteError(f"recipe {self.name}: budget {self.budget}; accepted is 0 to 1")
        owed = Promise()
        for number, stage in enumerate(self.stages, 1):
            for invariant in stage.preserve:
                if getattr(owed, invariant) is None:
                    raise OptsuiteError(
                        f"recipe {self.name}: stage {number}, {stage.name}, preserves {invariant}, but no stage "
                        "before it leaves any"
                    )
            if stage.quantizes and number < len(self.stages):
                raise OptsuiteError(f"recipe {self.name}: nothing can follow stage {number}, {stage.name}")
            owed = owed.kept(stage.preserve).and_also(stage.promise)

    @property
    def quantized(self) -> bool:
        return any(stage.quantizes for stage in self.stages)


@dataclass(frozen=True, kw_only=True)
class Variant:
    """One runnable form of an experiment; `budget` is the drop against its own Keras model that it may cause.

    `convert` is None for the Keras model itself. `refuses_quantized` is the reason why a model with
    fake-quantisation cannot take this form, empty where it can.
    """

    name: str
    convert: Convert | None
    budget: Fraction = 0.005
    refuses_quantized: str = ""

    def __post_init__(self) -> None:
        """Refuse what the tables can't hold beside our own."""
        if self.name == "float":
            raise OptsuiteError("variant float: tables call fp32 so; accepted is another name")


@dataclass(frozen=True, kw_only=True)
class Profile:
    """How much work to spend: at most so many images, epochs and optimiser steps a stage (None: all).

    No budget is under `min_budget`.
    """

    name: str
    train_images: int | None = None
    eval_images: int | None = None
    max_epochs: int | None = None
    max_steps: int | None = None
    min_budget: float = 0.0

    def split(self, dataset: Dataset, name: str) -> Split:
        """What it allows of a dataset's split."""
        return dataset.load(name).first(self.train_images if name == "train" else self.eval_images)

    def epochs(self, schedule: Schedule) -> int:
        return schedule.epochs if self.max_epochs is None else min(schedule.epochs, self.max_epochs)


@dataclass(frozen=True, kw_only=True)
class Experiment:
    """dataset x model x recipe x seed."""

    dataset: Dataset
    model: Model
    recipe: Recipe
    seed: int

    @property
    def id(self) -> str:
        return f"{self.model.name}_{self.recipe.name}_s{self.seed}"


class _Named(Protocol):
    @property
    def name(self) -> str: ...


Entry = TypeVar("Entry", bound=_Named)


def catalogue(*entries: Entry) -> dict[str, Entry]:
    """Entries by name, in report order. Names become file names and test ids, so they are held to a plain form."""
    result: dict[str, Entry] = {}
    for entry in entries:
        if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]*", entry.name):
            raise OptsuiteError(f"name {entry.name!r}: accepted are letters, digits, '.', '_' and '-'")
        if entry.name in result:
            raise OptsuiteError(f"name {entry.name!r} is given twice in one catalogue")
        result[entry.name] = entry
    return result


Found = TypeVar("Found")


def pick(entries: Mapping[str, Found], names: Iterable[str], noun: str) -> list[Found]:
    """The named entries in the catalogue's order; OptsuiteError names what is unknown and what there is."""
    wanted = list(names)
    for name in wanted:
        if name not in entries:
            raise OptsuiteError(f"unknown {noun} {name!r}; accepted: {', '.join(entries)}")
    return [entry for name, entry in entries.items() if name in wanted]
