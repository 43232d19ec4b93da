"""The parts BERT is made of, dense layers and layer normalisation, and where their variables come from."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Protocol

import numpy as np
import tensorflow as tf

from tfrec.errors import ConfigError

_ACTIVATIONS: dict[str, Callable[[tf.Tensor], tf.Tensor]] = {
    "gelu": lambda x: tf.nn.gelu(x, approximate=False),
    "gelu_new": lambda x: tf.nn.gelu(x, approximate=True),
    "gelu_pytorch_tanh": lambda x: tf.nn.gelu(x, approximate=True),
    "relu": tf.nn.relu,
    "silu": tf.nn.silu,
}


def activation(name: str) -> Callable[[tf.Tensor], tf.Tensor]:
    """The function that config.json calls `name`.

    Raises:
        ConfigError: if it is unknown.
    """
    if name not in _ACTIVATIONS:
        known = ", ".join(_ACTIVATIONS)
        raise ConfigError(f"the checkpoint's hidden_act is {name!r}; the known ones are {known}")
    return _ACTIVATIONS[name]


class Variables(Protocol):
    """Where variables come from: new ones from a checkpoint's tensors, or those of a loaded SavedModel."""

    def named(self, name: str, source: str, shape: list[int | None], transposed: bool = False) -> tf.Variable:
        """The variable `name`, which a checkpoint calls `source` and may store transposed."""


class CheckpointVariables:
    """Makes variables of a checkpoint's tensors and names what is missing or misshapen."""

    def __init__(self, weights: Mapping[str, np.ndarray]) -> None:
        self._weights = weights

    def named(self, name: str, source: str, shape: list[int | None], transposed: bool = False) -> tf.Variable:
        """A new variable with the values of the tensor `source`.

        Raises:
            ConfigError: if it is missing or of another shape.
        """
        if source not in self._weights:
            raise ConfigError(f"the checkpoint has no tensor {source}; is it complete and a BERT?")
        value = self._weights[source].T if transposed else self._weights[source]
        if not tf.TensorShape(shape).is_compatible_with(value.shape):
            raise ConfigError(f"the checkpoint's tensor {source} has shape {list(value.shape)}, expected {shape}")
        return tf.Variable(value, name=name)


class LoadedVariables:
    """Hands out the variables of an imported encoder by their names, so that a network is put together anew of them."""

    def __init__(self, variables: Iterable[tf.Variable]) -> None:
        self._variables = {variable.name.split(":")[0]: variable for variable in variables}

    def named(self, name: str, source: str, shape: list[int | None], transposed: bool = False) -> tf.Variable:
        """The existing variable `name`; KeyError if there is none."""
        return self._variables[name]


def dense(variables: Variables, name: str, source: str, inputs: int, outputs: int) -> dict[str, tf.Variable]:
    """The variables of a dense layer."""
    return {
        "kernel": variables.named(f"{name}/kernel", f"{source}.weight", [inputs, outputs], transposed=True),
        "bias": variables.named(f"{name}/bias", f"{source}.bias", [outputs]),
    }


def norm(variables: Variables, name: str, source: str, width: int) -> dict[str, tf.Variable]:
    """The variables of a layer normalisation."""
    return {
        "gamma": variables.named(f"{name}/gamma", f"{source}.weight", [width]),
        "beta": variables.named(f"{name}/beta", f"{source}.bias", [width]),
    }


def apply_dense(x: tf.Tensor, layer: Mapping[str, tf.Variable]) -> tf.Tensor:
    """Map x [N, inputs] to [N, outputs]."""
    return tf.nn.bias_add(tf.matmul(x, layer["kernel"]), layer["bias"])


def apply_norm(x: tf.Tensor, layer: Mapping[str, tf.Variable], epsilon: float) -> tf.Tensor:
    """Normalise x [..., width] over its last axis."""
    centred = x - tf.reduce_mean(x, -1, keepdims=True)
    variance = tf.reduce_mean(tf.square(centred), -1, keepdims=True)
    return centred * tf.math.rsqrt(variance + epsilon) * layer["gamma"] + layer["beta"]
