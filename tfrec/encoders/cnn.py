"""A small CNN for pictures that trains from scratch on a CPU, and which of a network's layers are trained."""

from __future__ import annotations

import tensorflow as tf

from tfrec.data.files import local_copy
from tfrec.errors import ConfigError

_STEM = 4


def small_cnn(shape: tuple[int, int, int], widths: tuple[int, ...], dimension: int) -> tf.keras.Model:
    """Return a network from float [B, height, width, channels] to [B, dimension].

    A stem of 4x4 patches, then 3x3 convolutions of stride 2, so that the large maps, which cost the time, have few
    channels. The last map is pooled by its mean (how much) and its maximum (whether at all).

    Layer normalisation of the pooled vector keeps its scale. There is none on the maps: batch normalisation would let
    the absent pictures (all zeros) of a batch change the others, and normalising each place erases how loud or how
    bright it is, which made learning pitch, rhythm and timbre three times slower.

    Args:
        shape: height, width and channels, static.
        widths: channels of the stem and of each convolution after it.
        dimension: width of the vectors.
    """
    inputs = outputs = tf.keras.Input(shape)
    for index, width in enumerate(widths):
        kernel, stride = (_STEM, _STEM) if index == 0 else (3, 2)
        convolution = tf.keras.layers.Conv2D(width, kernel, strides=stride, padding="same", activation="relu")
        outputs = convolution(outputs)
    pooled = [tf.reduce_mean(outputs, [1, 2]), tf.reduce_max(outputs, [1, 2])]
    outputs = tf.keras.layers.LayerNormalization(epsilon=1e-5)(tf.keras.layers.Concatenate()(pooled))
    return tf.keras.Model(inputs, tf.keras.layers.Dense(dimension)(outputs))


def load_weights(network: tf.keras.Model, path: str, where: str) -> None:
    """Read the weights of `network` from an .h5 or .keras file; `where` names the encoder in errors.

    Raises:
        ConfigError: if the file is missing, is no weights file or is one of another network.
    """
    if not tf.io.gfile.exists(path) or tf.io.gfile.isdir(path):
        raise ConfigError(f"{where}: the weights file {path} does not exist; give the path of an .h5 or .keras file")
    try:
        with local_copy(path) as local:
            network.load_weights(local)
    except (OSError, ValueError, KeyError, TypeError, NotImplementedError, tf.errors.OpError) as error:
        reason = str(error).strip().split("\n")[0]
        raise ConfigError(
            f"{where}: {path} does not hold the weights of this network ({reason}); "
            "give a file saved from the same kind, size and dimension"
        ) from error


def train_layers(network: tf.keras.Model, train: str | int) -> None:
    """Set what is trained: "all", "none", or that many of the top layers which have weights."""
    network.trainable = train != "none"
    if isinstance(train, int):
        layers = [layer for layer in network.layers if layer.weights]
        for layer in layers[: max(len(layers) - train, 0)]:
            layer.trainable = False


def check_train(train: object, where: str) -> str | int:
    """Return the setting `train` unchanged if it is none, all or a number of top layers, else raise ConfigError."""
    if train in ("none", "all") and isinstance(train, str):
        return train
    if isinstance(train, int) and not isinstance(train, bool) and train > 0:
        return train
    raise ConfigError(f"{where}.train must be none, all or how many of the top layers are trained, got {train!r}")
