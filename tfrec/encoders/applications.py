"""The CNNs of keras.applications, by name, with weights from a file, a download or none."""

from __future__ import annotations

import inspect
import types
from collections.abc import Callable

import tensorflow as tf

from tfrec.encoders.cnn import load_weights
from tfrec.errors import ConfigError

Preprocess = Callable[[tf.Tensor], tf.Tensor]


def application_names() -> list[str]:
    """The names of the CNNs that `load_application` knows, such as MobileNetV2."""
    return sorted(name for name, _ in inspect.getmembers(tf.keras.applications, inspect.isfunction))


def load_application(name: str, size: int, weights: str, where: str) -> tuple[tf.keras.Model, Preprocess]:
    """Return the network float [B, size, size, 3] -> [B, width] (mean-pooled) and its own preprocessing of 0..255.

    Args:
        name: one of `application_names()`.
        size: side of the pictures in pixels.
        weights: "" for random ones, "imagenet" to download them (kept in ~/.keras/models), or the path of a file that
            holds those of the network without its classification layer.
        where: names the encoder in errors.

    Raises:
        ConfigError: if the network takes no pictures of that size, or the weights cannot be had.
    """
    build = getattr(tf.keras.applications, name)
    try:
        network = build(include_top=False, weights=None, input_shape=(size, size, 3), pooling="avg")
    except ValueError as error:
        raise ConfigError(f"{where}: {name} takes no pictures of size {size} ({_first_line(error)})") from error
    if weights == "imagenet":
        try:
            network = build(include_top=False, weights="imagenet", input_shape=(size, size, 3), pooling="avg")
        # Keras raises a bare Exception when a download fails.
        except Exception as error:
            raise ConfigError(
                f"{where}: the imagenet weights of {name} could not be downloaded ({_first_line(error)}); "
                "give `weights` the path of a local file instead"
            ) from error
    elif weights:
        load_weights(network, weights, where)
    return network, _preprocessing(name)


def _preprocessing(name: str) -> Preprocess:
    for _, module in inspect.getmembers(tf.keras.applications, lambda member: isinstance(member, types.ModuleType)):
        if hasattr(module, name) and hasattr(module, "preprocess_input"):
            return module.preprocess_input
    raise LookupError(f"keras.applications has no preprocess_input for {name}")


def _first_line(error: Exception) -> str:
    return str(error).strip().split("\n")[0]
