"""A Keras model to optimise: an architecture to be trained, or a trained model's file."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from optsuite.errors import OptsuiteError
from optsuite.spec.data import check_input_shape


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
    input_shape: tuple[int, ...]
    build: Callable[[], Any] | None = None
    file: str | os.PathLike[str] | None = None
    train: Schedule | None = None
    finetune: Schedule
    stages: Mapping[str, Schedule] = field(default_factory=dict)
    recipes: tuple[str, ...] = ("baseline", "qat", "prune-0.8", "cluster-8")
    trust: bool = False

    def __post_init__(self) -> None:
        """Refuse a model that is neither to be trained nor trained, or both."""
        check_input_shape(f"model {self.name}", self.input_shape)
        given = [name for name in ("build", "train", "file") if getattr(self, name) is not None]
        if given not in (["build", "train"], ["file"]):
            raise OptsuiteError(
                f"model {self.name}: expected build and train, or file, got {' and '.join(given) or 'neither'}"
            )
