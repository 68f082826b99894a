"""What optsuite builds, measures and gates here. Everything in it can be replaced; see "Your own model" in its docs."""

from pathlib import Path

from optsuite.catalog import QAT, Model, Prune, Recipe, Schedule

HERE = Path(__file__).parent

# The data. Without a DATASETS list it is MNIST, which optsuite brings along. Yours is one of:
#
#   from optsuite.catalog import Dataset, from_folder, from_npz, from_tfdata
#   DATASETS = [from_npz("mine", HERE / "data.npz")]                        # x_train, y_train, x_test, y_test
#   DATASETS = [from_folder("mine", HERE / "images", size=(96, 96))]        # images/train/CLASS/*.png, images/test/...
#   DATASETS = [from_tfdata("mine", (96, 96, 3), make, fingerprint="1")]      # make("train") -> tf.data.Dataset
#   DATASETS = [Dataset(name="mine", input_shape=(96, 96, 3), load=load, fingerprint="1")]    # load("train") -> Split


def build():
    """A new model. Keras 2, which TFMOT needs, and imported inside: what only measures has no TensorFlow."""
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
        input_shape=(28, 28, 1),  # the shape of one input, as its dataset says it
        build=build,
        train=Schedule(epochs=5, peak_lr=3e-3),
        # In the place of `build` and `train`, a trained model's file, of Keras 2 or 3:
        # file=HERE / "net.keras",
        finetune=Schedule(epochs=2, peak_lr=1e-3),  # for what each recipe does to it
    ),
]

# Run beside those that are usual: baseline, qat, prune-0.8 and cluster-8. `budget` is the drop that it may cause.
RECIPES = [
    Recipe(name="prune-0.5_pqat", stages=(Prune(sparsity=0.5), QAT(preserve=("sparsity",))), budget=0.01),
]
