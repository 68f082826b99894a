"""What a step loads: apart from the tests, which import everything."""

from __future__ import annotations

import sys
from dataclasses import replace
from typing import Any

from optsuite.build.step import Done, Step, timed
from optsuite.spec.artifact import Artifact


def modules(step: Step, inputs: list[Artifact]) -> Done:
    """Do the step, and return which modules of optsuite its process has loaded, besides the artifact."""
    done = timed(step, inputs)
    names = [name for name in sys.modules if name.partition(".")[0] == "optsuite"]
    return replace(done, artifact={**done.artifact, "loaded": "\n".join(names).encode()})


def small_network() -> Any:
    """A model of the user's: those of optsuite are in one module with the recipes."""
    from optsuite.keras import keras

    layers = keras.layers
    return keras.Sequential(
        [layers.Input((28, 28, 1)), layers.Conv2D(4, 5, strides=4), layers.Flatten(), layers.Dense(10)]
    )
