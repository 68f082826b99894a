"""Which classes and functions the file of a Keras model may name.

Keras imports and calls whatever the configuration in the file names, so a file from elsewhere could run any code.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from optsuite.errors import OptsuiteError

SAME_IN_BOTH = (
    "Activation",
    "Add",
    "Average",
    "AveragePooling1D",
    "AveragePooling2D",
    "BatchNormalization",
    "Concatenate",
    "Conv1D",
    "Conv2D",
    "Cropping1D",
    "Cropping2D",
    "Dense",
    "DepthwiseConv2D",
    "Dropout",
    "ELU",
    "Flatten",
    "GaussianDropout",
    "GaussianNoise",
    "GlobalAveragePooling1D",
    "GlobalAveragePooling2D",
    "GlobalMaxPooling1D",
    "GlobalMaxPooling2D",
    "LeakyReLU",
    "MaxPooling1D",
    "MaxPooling2D",
    "Maximum",
    "Minimum",
    "Multiply",
    "Permute",
    "ReLU",
    "Rescaling",
    "Reshape",
    "Softmax",
    "SpatialDropout1D",
    "SpatialDropout2D",
    "Subtract",
    "UpSampling1D",
    "UpSampling2D",
    "ZeroPadding1D",
    "ZeroPadding2D",
)
"""The layers that Keras 2 and Keras 3 have under the same name."""
_CLASSES = {
    *SAME_IN_BOTH,
    # Other layers. Those that no recipe supports are reported later, with a better reason.
    "ActivityRegularization",
    "AlphaDropout",
    "Attention",
    "Bidirectional",
    "CenterCrop",
    "Conv1DTranspose",
    "Conv2DTranspose",
    "Conv3D",
    "Dot",
    "Embedding",
    "GRU",
    "GroupNormalization",
    "InputLayer",
    "LSTM",
    "LayerNormalization",
    "Masking",
    "MultiHeadAttention",
    "Normalization",
    "PReLU",
    "RandomFlip",
    "RandomRotation",
    "RandomTranslation",
    "RandomZoom",
    "RepeatVector",
    "Resizing",
    "SeparableConv1D",
    "SeparableConv2D",
    "SimpleRNN",
    "ThresholdedReLU",
    "TimeDistributed",
    "UnitNormalization",
    # Models, and the types of numbers.
    "Functional",
    "Model",
    "Sequential",
    "Policy",
    "DTypePolicy",
    # Initialisers, regularisers and constraints.
    "Constant",
    "GlorotNormal",
    "GlorotUniform",
    "HeNormal",
    "HeUniform",
    "Identity",
    "LecunNormal",
    "LecunUniform",
    "Ones",
    "Orthogonal",
    "RandomNormal",
    "RandomUniform",
    "TruncatedNormal",
    "VarianceScaling",
    "Zeros",
    "L1",
    "L1L2",
    "L2",
    "OrthogonalRegularizer",
    "MaxNorm",
    "MinMaxNorm",
    "NonNeg",
    "RadialConstraint",
    "UnitNorm",
    # How Keras writes down arguments, and the tensors of a Keras 3 graph.
    "TensorShape",
    "__ellipsis__",
    "__keras_tensor__",
    "__tuple__",
}
_MODULES = ("keras", "tf_keras", "tensorflow_model_optimization")
"""The packages that those may come from."""
_OPERATIONS = {"TFOpLambda", "SlicingOpLambda"}
"""The layers of Keras 2 that call a function of TensorFlow by its name."""
_FUNCTIONS = {
    "__operators__.add",
    "__operators__.getitem",
    "cast",
    "clip_by_value",
    "compat.v1.pad",
    "compat.v1.squeeze",
    "compat.v1.transpose",
    "concat",
    "expand_dims",
    "identity",
    "pad",
    "reshape",
    "split",
    "squeeze",
    "stack",
    "stop_gradient",
    "tile",
    "transpose",
    "unstack",
    "math.abs",
    "math.add",
    "math.divide",
    "math.exp",
    "math.log",
    "math.maximum",
    "math.minimum",
    "math.multiply",
    "math.negative",
    "math.pow",
    "math.reduce_max",
    "math.reduce_mean",
    "math.reduce_min",
    "math.reduce_sum",
    "math.rsqrt",
    "math.sigmoid",
    "math.softplus",
    "math.sqrt",
    "math.square",
    "math.squared_difference",
    "math.subtract",
    "math.tanh",
    "math.truediv",
    "linalg.matmul",
    "nn.avg_pool2d",
    "nn.bias_add",
    "nn.elu",
    "nn.gelu",
    "nn.leaky_relu",
    "nn.log_softmax",
    "nn.max_pool2d",
    "nn.relu",
    "nn.relu6",
    "nn.selu",
    "nn.sigmoid",
    "nn.silu",
    "nn.softmax",
    "nn.tanh",
}
"""Functions of TensorFlow that compute their result from their arguments, and do nothing else."""


def check(config: Any, registered: Callable[[str], Any]) -> None:
    """Refuse a model's configuration that names anything but known classes and arithmetic.

    Args:
        config: The configuration, as read from JSON.
        registered: Returns the class or function that is registered with Keras under a name, or None. What the user's
            catalogue registered is allowed.

    Raises:
        OptsuiteError: The configuration names something else; the message says what.

    """
    for found in _objects(config):
        if not _is_allowed(found, registered):
            settings = found["config"] if isinstance(found.get("config"), dict) else {}
            given = [f"{name} {settings[name]}" for name in ("name", "function") if isinstance(settings.get(name), str)]
            what = " of ".join([str(found["class_name"]), *filter(None, [", ".join(given)])])
            raise OptsuiteError(
                f"its configuration names {what[:200]}, which may run any code: expected layers that optsuite knows, "
                "or classes that your catalog registers with Keras; Model(trust=True) allows it for your own model"
            )


def _objects(config: Any) -> Iterator[dict[str, Any]]:
    """Every part of the configuration that stands for a class or function."""
    if isinstance(config, dict):
        if "class_name" in config:
            yield config
        for value in config.values():
            yield from _objects(value)
    elif isinstance(config, list):
        for value in config:
            yield from _objects(value)


def _is_allowed(found: dict[str, Any], registered: Callable[[str], Any]) -> bool:
    name, module, inner = found["class_name"], found.get("module"), found.get("config")
    full = found.get("registered_name") or name
    if not isinstance(name, str) or not isinstance(full, str):
        return False
    # Newer files give both names, as Dense and mine>Dense. Keras looks for either, registered and in the module.
    if name not in (full, full.rpartition(">")[2]):
        return False
    if _is_the_users(registered(full)):
        return True
    if module is not None and str(module).partition(".")[0] not in _MODULES:
        return False
    if name in _OPERATIONS:
        return isinstance(inner, dict) and inner.get("function") in _FUNCTIONS
    return name in _CLASSES


def _is_the_users(value: Any) -> bool:
    """Whether something is registered, and not by Keras, which registers its optimisers."""
    return value is not None and value.__module__.partition(".")[0] not in ("keras", "tf_keras")
