"""The one door to TensorFlow: importing this module imports it, set up so that results can be repeated.

Everything else imports this module inside the functions that build, so that measuring never pays for it.
"""

from __future__ import annotations

import functools
import hashlib
import io
import json
import math
import os
import warnings
from collections.abc import Iterator
from typing import Any

import h5py
import numpy as np

from optsuite import keras_config
from optsuite.errors import OptsuiteError

os.environ["TF_USE_LEGACY_KERAS"] = "1"  # TFMOT knows only Keras 2


os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")


# TensorFlow enables oneDNN by itself only on CPUs with AVX512-VNNI. With AVX2 alone a training step takes 2 to 3 times
# as long without it.
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")


with warnings.catch_warnings():
    # They use what Python deprecates; whoever turns warnings into errors in their tests can't help it.
    warnings.simplefilter("ignore")
    import tensorflow as tf
    import tensorflow_model_optimization as tfmot
    import tf_keras as keras

    # What TFMOT has under no public name: sparsity-preserving clustering, and the insides of the rest.
    from tensorflow_model_optimization.python.core.clustering.keras.experimental.cluster import cluster_weights
    from tensorflow_model_optimization.python.core.quantization.keras.collab_opts.cluster_preserve import (
        cluster_preserve_quantize_registry,
        cluster_utils,
    )
    from tensorflow_model_optimization.python.core.quantization.keras.default_8bit import default_8bit_transforms
    from tensorflow_model_optimization.python.core.quantization.keras.experimental.default_n_bit import (
        default_n_bit_quantize_registry,
        default_n_bit_quantize_scheme,
        default_n_bit_transforms,
    )


__all__ = [
    "cluster_preserve_quantize_registry",
    "cluster_utils",
    "cluster_weights",
    "default_8bit_transforms",
    "default_n_bit_quantize_registry",
    "default_n_bit_quantize_scheme",
    "default_n_bit_transforms",
    "keras",
    "tf",
    "tfmot",
]


# One thread each: these networks hardly use a second, and two processes do twice the work.
tf.config.threading.set_intra_op_parallelism_threads(1)


tf.config.threading.set_inter_op_parallelism_threads(1)


tf.config.experimental.enable_op_determinism()


_PREDICT_BATCH = 1_000
_BATCH_BYTES = 64_000_000
_FINGERPRINT_STEPS = 40
_FINGERPRINT_BATCH = 32


def reset(seed: int) -> None:
    """Forget all graphs and names and seed every generator: what comes next depends on nothing that came before."""
    keras.backend.clear_session()
    keras.utils.set_random_seed(seed)


@functools.cache
def arithmetic_fingerprint() -> str:
    """Identify how this process computes: SHA-256, as hex, of a fixed network's weights after 40 training steps.

    The order in which sums are rounded depends on the CPU's vector instructions and on oneDNN. Two processes with the
    same TensorFlow and the same fingerprint train a model to the same weights; with different fingerprints they do
    not. The network has the operations of convolutional classifiers: convolution, pooling, depthwise and pointwise
    convolution, batch normalisation, a dense layer.
    """
    rng = np.random.default_rng(0)

    def draw(*shape: int) -> np.ndarray:
        # Uniform numbers need no logarithm, which is not the same in every C library.
        return rng.uniform(-1, 1, shape).astype(np.float32)

    x = tf.constant(draw(_FINGERPRINT_BATCH, 28, 28, 1))
    y = tf.constant(rng.integers(0, 10, _FINGERPRINT_BATCH))
    shapes = [(3, 3, 1, 32), (3, 3, 32, 1), (1, 1, 32, 64), (14 * 14 * 64, 10)]
    conv, depthwise, pointwise, dense = (tf.Variable(0.1 * draw(*shape)) for shape in shapes)
    scale, offset = tf.Variable(tf.ones(64)), tf.Variable(tf.zeros(64))
    variables = [conv, depthwise, pointwise, scale, offset, dense]

    @tf.function(autograph=False)  # type: ignore[untyped-decorator]
    def step() -> None:
        with tf.GradientTape() as tape:
            h = tf.nn.relu(tf.nn.conv2d(x, conv, 1, "SAME"))
            h = tf.nn.max_pool2d(h, 2, 2, "VALID")
            h = tf.nn.depthwise_conv2d(h, depthwise, [1, 1, 1, 1], "SAME")
            h = tf.nn.conv2d(h, pointwise, 1, "SAME")
            h = tf.raw_ops.FusedBatchNormV3(x=h, scale=scale, offset=offset, mean=[], variance=[]).y
            h = tf.reshape(tf.nn.relu(h), (_FINGERPRINT_BATCH, -1))
            loss = tf.nn.sparse_softmax_cross_entropy_with_logits(y, tf.matmul(h, dense))
        for variable, gradient in zip(variables, tape.gradient(loss, variables), strict=True):
            variable.assign_sub(0.001 * gradient)

    for _ in range(_FINGERPRINT_STEPS):
        step()
    return hashlib.sha256(b"".join(variable.numpy().tobytes() for variable in variables)).hexdigest()


def dump(model: Any) -> bytes:
    """The model without optimiser state as .h5."""
    buffer = io.BytesIO()
    with h5py.File(buffer, "w") as file:
        keras.models.save_model(model, file, include_optimizer=False)
    return buffer.getvalue()


def check_config(config: Any) -> None:
    """Refuse a model's configuration that names a class or function which may run any code; see `allowed.check`."""
    keras_config.check(config, keras.saving.get_registered_object)


def load(content: bytes, *, trust: bool = False) -> Any:
    """Load the model of `dump`, fake-quantised ones included; it is not compiled.

    Args:
        content: An .h5 file.
        trust: Whether the model may have layers that run any code, as `Lambda` does.

    Raises:
        OptsuiteError: The model has such layers, or weights in other files, and is not trusted; or there is no model
            in the file.

    """
    with h5py.File(io.BytesIO(content), "r") as file, tfmot.quantization.keras.quantize_scope():
        if not trust:
            if place := file.visititems_links(functools.partial(_elsewhere, file)):
                raise OptsuiteError(f"expected an .h5 file that holds all its weights, got {place} in another file")
            try:
                check_config(json.loads(file.attrs["model_config"]))
            except (KeyError, TypeError, ValueError, RecursionError) as error:
                raise OptsuiteError(f"expected an .h5 file of a Keras model, got {error!r}") from error
        return keras.models.load_model(file, compile=False)


def _elsewhere(file: h5py.File, place: str, link: Any) -> str | None:
    """Return the place if what it names is in another file: of a model from elsewhere, any file of this machine."""
    found = file[place] if isinstance(link, h5py.HardLink) else None
    outside = isinstance(found, h5py.Dataset) and (found.external or found.is_virtual)
    return place if outside or isinstance(link, h5py.ExternalLink) else None


def batch_size(x: np.ndarray, most: int) -> int:
    """Return how many inputs of x, (n, *shape), to run at once: `most`, or as many as fit into 64 MB."""
    size: int = x[0].nbytes
    return max(1, min(most, _BATCH_BYTES // max(1, size)))


def outputs(model: Any, x: np.ndarray) -> np.ndarray:
    """Return the answers of a model, float32 (n, classes), to x, float32 (n, *shape)."""
    answers: np.ndarray = model.predict(x, batch_size=batch_size(x, _PREDICT_BATCH), verbose=0)
    return answers


def kernels(model: Any) -> Iterator[tuple[Any, Any]]:
    """Each layer that has a kernel, and the kernel; by the variable's name, which TFMOT's wrappers keep."""
    for layer in model.layers:
        for weight in layer.weights:
            if weight.name.rpartition("/")[2] in ("kernel:0", "depthwise_kernel:0"):
                yield layer, weight


def dense_kernels(model: Any) -> list[tuple[Any, Any]]:
    """Each layer that TFMOT can prune and cluster, and its kernel: it leaves depthwise kernels out."""
    return [(layer, kernel) for layer, kernel in kernels(model) if "depthwise" not in kernel.name]


def macs(model: Any) -> int:
    """Multiply-accumulates of conv, depthwise and dense layers for one input: kernel size x output positions."""
    return sum(math.prod(layer.output_shape[1:-1]) * math.prod(weight.shape) for layer, weight in kernels(model))
