"""The artifact that a stage makes: the model's file, its answers, and the record of its stages."""

from __future__ import annotations

import math
from importlib.metadata import version
from typing import Any

import msgspec

from optsuite.errors import OptsuiteError
from optsuite.results.kernels import LayerWeights, describe
from optsuite.results.model import ModelInfo, StageRecord
from optsuite.spec.artifact import INFO, MODEL, OUTPUTS, Artifact, pack_arrays
from optsuite.spec.stage import Stage
from optsuite.spec.task import Task
from optsuite.stages.packages import BUILDERS, RECORDED


def apply(stage: Stage, task: Task) -> Artifact:
    """Apply the stage to the parent's model, and return the artifact of the result."""
    if task.parent is not None:
        task.limit(model_info(task.parent).macs)
    return finish(stage, stage.apply(task.parent_model(), task), task)


def finish(stage: Stage, model: Any, task: Task) -> Artifact:
    """Return the artifact of a stage's Keras model: its file, its answers, its parent's records and its own."""
    from optsuite import keras

    content = keras.dump(model)
    parent = None if task.parent is None else model_info(task.parent)
    splits = {name: task.splits[name] for name in ("validation", "test")}
    info = ModelInfo(
        # Parameters and MACs are the architecture's: fake-quantisation's own variables do not count.
        parameters=parent.parameters if parent else model.count_params(),
        macs=parent.macs if parent else keras.macs(model),
        keras_bytes=len(content),
        versions={name: version(name) for name in (*BUILDERS, *RECORDED)},
        stages=(*(parent.stages if parent else ()), _record(stage, model, task)),
        data_sha256={name: split.sha256 for name, split in splits.items()},
    )
    answers = {name: keras.outputs(model, split.x) for name, split in splits.items()}
    return {MODEL: content, INFO: msgspec.json.encode(info), OUTPUTS: pack_arrays(**answers)}


def model_info(artifact: Artifact) -> ModelInfo:
    """Return what is known of an artifact's model; msgspec.ValidationError for what another version wrote."""
    return msgspec.json.decode(artifact[INFO], type=ModelInfo)


def _record(stage: Stage, model: Any, task: Task) -> StageRecord:
    loss = tuple(task.history.get("loss", ()))
    for epoch, value in enumerate(loss, 1):
        if not math.isfinite(value):
            raise OptsuiteError(
                f"the training diverged: expected a finite loss, got {value} in epoch {epoch}; a lower learning rate "
                "may help"
            )
    # The user's function may not evaluate after each epoch.
    accuracy, val_accuracy = (
        values if len(values) == len(loss) else ()
        for values in (tuple(task.history.get(name, ())) for name in ("accuracy", "val_accuracy"))
    )
    return StageRecord(
        stage=stage.name,
        epochs=len(loss),
        batch=task.schedule.batch if task.schedule else 0,
        loss=loss,
        accuracy=accuracy,
        val_accuracy=val_accuracy,
        invariants=dict(task.invariants),
        preserve=stage.preserve,
        weights=layer_weights(model),
        note=task.note,
        arithmetic=_arithmetic(task) if loss else (),
    )


def _arithmetic(task: Task) -> tuple[str, ...]:
    """The fingerprints of this process, and of the processes that trained the teacher, where there is one."""
    from optsuite import keras

    found = {keras.arithmetic_fingerprint()}
    if task.teacher is not None:
        found |= model_info(task.teacher).arithmetic
    return tuple(sorted(found))


def layer_weights(model: Any) -> tuple[LayerWeights, ...]:
    """Return the statistics of every kernel of a Keras model; biases and BatchNorm are not kernels."""
    from optsuite.keras import kernels

    return tuple(
        # "quant_" is TFMOT's own prefix: a layer keeps its name through the stages. A depthwise kernel is
        # (h, w, channels, multiplier): one multiplier, as here, makes the third axis that of the output channels.
        describe(
            layer.name.removeprefix("quant_"), weight.numpy(), channel_axis=2 if "depthwise" in weight.name else -1
        )
        for layer, weight in kernels(model)
    )
