"""A Keras model to optimise: an architecture to be trained, or a trained model's file."""

from __future__ import annotations

import functools
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from optsuite.errors import OptsuiteError
from optsuite.spec.data import check_input_shape
from optsuite.spec.settings import check_setting, is_integer


@dataclass(frozen=True, kw_only=True)
class Schedule:
    """How long and how fast to train: Adam, linear warm-up to `peak_lr`, then cosine decay to zero.

    Attributes:
        epochs: The number of epochs.
        peak_lr: The learning rate after the warm-up.
        batch: The number of inputs per batch.
        warmup: The length of the warm-up, as a fraction of all steps.
        shift_pixels: Images are shifted by up to so many pixels in each direction, at random in each epoch.
        turn_degrees: Images are turned by up to so many degrees in either direction, at random in each epoch.
        l1: The mean magnitude of each kernel, times `l1`, is added to the loss. It concentrates a kernel in few large
            weights, which are those that pruning leaves.

    Raises:
        OptsuiteError: A setting is out of its range.

    """

    epochs: int
    peak_lr: float
    batch: int = 128
    warmup: float = 0.1
    shift_pixels: int = 0
    turn_degrees: float = 0.0
    l1: float = 0.0

    def __post_init__(self) -> None:
        """Refuse what would fail in the midst of a training, or train nothing."""
        for name, least in {"epochs": 1, "batch": 1, "shift_pixels": 0}.items():
            valid = functools.partial(is_integer, least=least)
            check_setting("Schedule", name, getattr(self, name), f"an integer of at least {least}", valid)
        check_setting("Schedule", "peak_lr", self.peak_lr, "over 0", lambda value: value > 0)
        check_setting("Schedule", "warmup", self.warmup, "from 0 to 1", lambda value: 0 <= value <= 1)
        for name in ("turn_degrees", "l1"):
            check_setting("Schedule", name, getattr(self, name), "at least 0", lambda value: value >= 0)


@dataclass(frozen=True, kw_only=True)
class OwnFit:
    """Training by a function of the user's, in the place of a schedule.

    Attributes:
        fit: Called as fit(model, data, seed=..., callbacks=..., loss=...): see `Model.fit`.
        steps: How many optimiser steps it takes.

    """

    fit: Callable[..., Any]
    steps: int


@dataclass(frozen=True, kw_only=True)
class Size:
    """How much work it is to train a model on its data.

    Attributes:
        macs: The multiply-accumulates of the model for one input.
        images: The number of inputs in the training split.

    """

    macs: int
    images: int


@dataclass(frozen=True, kw_only=True)
class Model:
    """An architecture to be trained, or a trained model's file.

    A model has one input and one output, and answers with logits or probabilities. Its kernels are those of Conv1D,
    Conv2D, DepthwiseConv2D (of multiplier 1) and Dense layers, none of them nested or used twice.

    Attributes:
        name: The name, for options, tables and file names.
        input_shape: The shape of one input, such as (28, 28, 1).
        build: A function that returns a new Keras 2 model, which is trained by `train` or `fit`. Its
            source, with that of what it uses of its project, is part of the key of what is built from it.
        file: In the place of `build` and `train`, a trained model: .keras (Keras 2 or 3), .h5, or a SavedModel of
            Keras 2.
        train: How to train what `build` returns.
        finetune: How stages train the model.
        fit: In the place of `train` and `finetune`, a function that trains the model in place, with any optimiser:
            fit(model, data, seed=..., callbacks=..., loss=...). `data` is a `stages.own_fit.FitData`. The function must
            compile the model with `loss`, and pass `callbacks` to `model.fit`. Its source is part of the key.
        fit_steps: How many optimiser steps `fit` takes; pruning is spread over them.
        stages: Replaces `finetune` for the stages that it names, by the name of their module, such as "prune".
        recipes: The names of the recipes that are run where none are requested. None is "baseline", "qat", "prune-0.8",
            "cluster-8" and every recipe of the user's catalogue; for a trained model "finetune" too.
        trust: Whether the model, and what is built from it on this machine, may have layers that run any code, such as
            `Lambda`. A SavedModel always needs it. It never covers what `optsuite store import` brought.

    Raises:
        OptsuiteError: The arguments are none of these sets: (build, train, finetune), (build, fit), (file, finetune),
            (file, fit). Or `fit` is given without `fit_steps`.

    """

    name: str
    input_shape: tuple[int, ...]
    build: Callable[[], Any] | None = None
    file: str | os.PathLike[str] | None = None
    train: Schedule | None = None
    finetune: Schedule | None = None
    fit: Callable[..., Any] | None = None
    fit_steps: int | None = None
    stages: Mapping[str, Schedule] = field(default_factory=dict)
    recipes: tuple[str, ...] | None = None
    trust: bool = False

    def __post_init__(self) -> None:
        """Check that there is one model and one way to train it."""
        check_input_shape(f"model {self.name}", self.input_shape)
        given = [name for name in ("build", "file", "train", "finetune", "fit") if getattr(self, name) is not None]
        if given not in _COMPLETE:
            expected = " or ".join(f"({', '.join(names)})" for names in _COMPLETE)
            raise OptsuiteError(f"model {self.name}: expected {expected}, got ({', '.join(given)})")
        if self.fit:
            check_setting(f"model {self.name}", "fit_steps", self.fit_steps, "an integer of at least 1", _is_positive)

    @property
    def own_fit(self) -> OwnFit | None:
        """The function of the user's that trains the model, if there is one."""
        return OwnFit(fit=self.fit, steps=self.fit_steps) if self.fit and self.fit_steps else None


_COMPLETE = (
    ["build", "train", "finetune"],
    ["build", "fit"],
    ["file", "finetune"],
    ["file", "fit"],
)


def _is_positive(value: object) -> bool:
    return value is not None and is_integer(value, 1)
