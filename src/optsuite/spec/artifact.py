"""An artifact is what a build step makes: files by name. The names are declared here."""

from __future__ import annotations

import io
from collections.abc import Mapping

import numpy as np

Artifact = Mapping[str, bytes]
"""The files that a build step makes: file name -> content."""

MODEL = "model.h5"
"""The Keras model."""
INFO = "info.json"
"""The record of the model, a `results.model.ModelInfo`."""
OUTPUTS = "outputs.npz"
"""The answers of the model to the validation and test splits."""
TFLITE = "model.tflite"
"""The .tflite file that a conversion makes."""
LOGITS = "logits.npz"
"""The answers of a teacher to the training inputs."""
FINDINGS = "findings.json"
"""What an examination found of a .tflite file."""
ABSENT = "absent.txt"
"""Why an examination finds nothing of a .tflite file, or why a conversion makes none of a model."""
LAYERS = "layers.json"
"""What a conversion chose for each layer: a list of `results.layer_bits.LayerBits`."""
REHEARSED = "rehearsed"
"""An empty file: a stage can transform a model."""
IMPORTED = "imported"
"""An empty file: it marks an artifact that was imported from a bundle, not built here."""


def may_run_code(artifact: Artifact, *, trust: bool) -> bool:
    """Whether a model's file may have layers that run any code: its model is trusted, and it was built here."""
    return trust and IMPORTED not in artifact


def pack_arrays(**arrays: np.ndarray) -> bytes:
    """Return the arrays as the content of an .npz file."""
    buffer = io.BytesIO()
    np.savez(buffer, **arrays)  # type: ignore[arg-type]
    return buffer.getvalue()


def unpack_arrays(content: bytes) -> dict[str, np.ndarray]:
    """Return the arrays that `pack_arrays` packed, by name."""
    with np.load(io.BytesIO(content), allow_pickle=False) as arrays:
        return dict(arrays)
