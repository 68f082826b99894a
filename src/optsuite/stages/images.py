"""Images that are shifted or turned."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from optsuite.errors import OptsuiteError


def check_images(x: np.ndarray) -> None:
    """OptsuiteError for inputs that can't be shifted or turned."""
    if x.ndim != 4:
        raise OptsuiteError(
            f"the stage shifts or turns images: expected inputs of (height, width, channels), got {x.shape[1:]}"
        )


def moved(images: Any, shifts: Any, degrees: Any = 0.0) -> Any:
    """Images (n, h, w, c), each moved by its own `shifts` (n, 2) in pixels and turned by its `degrees` (n,) or one.

    Black moves in. A whole shift without a turn copies pixels; all else interpolates between four.
    """
    from optsuite.keras import tf

    centre = [(size - 1) / 2 for size in images.shape[1:3]]
    dy, dx = tf.unstack(tf.cast(shifts, tf.float32), axis=1)
    angle = tf.broadcast_to(tf.cast(degrees, tf.float32) * (np.pi / 180), tf.shape(dy))
    cos, sin, zero = tf.cos(angle), tf.sin(angle), tf.zeros_like(angle)
    # Where each pixel comes from: x' = a0 x + a1 y + a2, y' = b0 x + b1 y + b2, in the order that the operation takes.
    across = [cos, -sin, centre[1] - cos * centre[1] + sin * centre[0] + dx]
    down = [sin, cos, centre[0] - sin * centre[1] - cos * centre[0] + dy]
    return tf.raw_ops.ImageProjectiveTransformV3(
        images=images,
        transforms=tf.stack([*across, *down, zero, zero], axis=1),
        output_shape=images.shape[1:3],
        fill_value=0.0,
        interpolation="BILINEAR",
        fill_mode="CONSTANT",
    )


def shifter(x: np.ndarray, pixels: int) -> Callable[[Any, Any], Any]:
    """Return a function that takes images out of `x` by `rows` (n,), and moves each by its whole `shifts` (n, 2).

    The shifts are of up to `pixels`. The result is that of `moved` without a turn, at half the cost: one gather.
    """
    from optsuite.keras import tf

    _, height, width, channels = x.shape
    tall, wide = height + 2 * pixels, width + 2 * pixels
    padded = tf.constant(np.pad(x, [(0, 0), (pixels, pixels), (pixels, pixels), (0, 0)]).reshape(-1, channels))
    window = np.arange(height)[:, np.newaxis] * wide + np.arange(width)

    def shifted(rows: Any, shifts: Any) -> Any:
        top, left = tf.unstack(tf.cast(shifts, rows.dtype) + pixels, axis=1)
        corners = (rows * tall + top) * wide + left
        return tf.gather(padded, corners[:, tf.newaxis, tf.newaxis] + window)

    return shifted
