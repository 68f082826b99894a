"""The data, models and recipes that optsuite builds, measures and checks here.

Replace them with your own: "Your own model" in the documentation of optsuite explains each part.
"""

from pathlib import Path

from optsuite.catalog import QAT, Model, Prune, Recipe, Schedule

HERE = Path(__file__).parent

# The data. Without a list DATASETS it is MNIST, which comes with optsuite. Declare your own in one of four ways:
#
#   from optsuite.catalog import Dataset, from_folder, from_npz, from_tfdata
#   DATASETS = [from_npz("mine", HERE / "data.npz")]                        # x_train, y_train, x_test, y_test
#   DATASETS = [from_folder("mine", HERE / "images", size=(96, 96))]        # images/train/CLASS/*.png, images/test/...
#   DATASETS = [from_tfdata("mine", (96, 96, 3), make, fingerprint="1")]      # make("train") -> tf.data.Dataset
#   DATASETS = [Dataset(name="mine", input_shape=(96, 96, 3), load=load, fingerprint="1")]
#   load(name) returns a Split(x=..., y=...) for each of "train", "validation" and "test"; import Split, too


def build():
    """Return a new model of Keras 2, which TFMOT needs.

    Keras is imported in the function because a machine that only measures has no TensorFlow.
    """
    from optsuite.keras import keras

    layers = keras.layers
    return keras.Sequential(
        [
            layers.Input((28, 28, 1)),
            layers.Conv2D(8, 3, strides=2, activation="relu"),
            layers.Conv2D(16, 3, strides=2, activation="relu"),
            layers.Flatten(),
            layers.Dense(10),
        ]
    )


MODELS = [
    Model(
        name="mine",
        input_shape=(28, 28, 1),  # the shape of one input, which is that of its dataset
        build=build,
        train=Schedule(epochs=5, peak_lr=3e-3),
        # Instead of `build` and `train`, the file of a trained model, of Keras 2 or 3:
        # file=HERE / "net.keras",
        finetune=Schedule(epochs=2, peak_lr=1e-3),  # for each optimisation stage of a recipe
    ),
]

# Recipes in addition to the default ones: baseline, qat, prune-0.8 and cluster-8. `budget` is the accuracy drop against
# the baseline that the recipe may cause, a fraction.
RECIPES = [
    Recipe(name="prune-0.5_pqat", stages=(Prune(sparsity=0.5), QAT(preserve=("sparsity",))), budget=0.01),
]
