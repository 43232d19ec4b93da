"""BERT's masked-language head: from a token's vector to a score for every word piece (Devlin et al. 2018)."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import tensorflow as tf

from tfrec.encoders.bert.network import Network
from tfrec.encoders.bert.parts import CheckpointVariables, activation, apply_dense, apply_norm, dense, norm

_NAME, _SOURCE = "language_head", "cls.predictions"
_TENSORS = [f"{_SOURCE}.transform.{part}.{kind}" for part in ("dense", "LayerNorm") for kind in ("weight", "bias")]
_BIASES = (f"{_SOURCE}.bias", f"{_SOURCE}.decoder.bias")


def head_variables(weights: Mapping[str, np.ndarray], width: int) -> dict[str, tf.Variable]:
    """The head of a checkpoint with tensors `weights`: kernel, bias, gamma, beta and words; {} where it has no head.

    Raises:
        ConfigError: if a tensor is of the wrong shape.
    """
    bias = next((name for name in _BIASES if name in weights), None)
    if bias is None or any(name not in weights for name in _TENSORS):
        return {}
    variables = CheckpointVariables(weights)
    rows = len(weights["embeddings.word_embeddings.weight"])
    return {
        **dense(variables, f"{_NAME}/transform", f"{_SOURCE}.transform.dense", width, width),
        **norm(variables, f"{_NAME}/layer_norm", f"{_SOURCE}.transform.LayerNorm", width),
        "words": variables.named(f"{_NAME}/bias", bias, [rows]),
    }


def new_head_variables(width: int, rows: int) -> dict[str, tf.Variable]:
    """A fresh head for word pieces `rows`, as BERT is initialised: normal with deviation .02, cut off at two."""
    return {
        "kernel": tf.Variable(
            tf.random.truncated_normal([width, width], stddev=0.02), name=f"{_NAME}/transform/kernel"
        ),
        "bias": tf.Variable(tf.zeros([width]), name=f"{_NAME}/transform/bias"),
        "gamma": tf.Variable(tf.ones([width]), name=f"{_NAME}/layer_norm/gamma"),
        "beta": tf.Variable(tf.zeros([width]), name=f"{_NAME}/layer_norm/beta"),
        "words": tf.Variable(tf.zeros([rows]), name=f"{_NAME}/bias"),
    }


class LanguageHead:
    """Dense layer, activation and layer normalisation, then the product with the table of word pieces, plus a bias.

    The table is the one that tokens are looked up in, so what the head learns of a word its embedding learns too.
    """

    def __init__(self, network: Network, words: tf.Variable, variables: Mapping[str, tf.Variable] | None = None):
        """Tie a head to the table `words` [V, width]; `variables` are those of a checkpoint, new ones without."""
        self._variables = dict(variables or new_head_variables(network.width, words.shape[0]))
        self._words, self._epsilon = words, network.epsilon
        self._activation = activation(network.activation)

    @property
    def variables(self) -> list[tf.Variable]:
        """What the head has of its own."""
        return list(self._variables.values())

    def __call__(self, vectors: tf.Tensor) -> tf.Tensor:
        """Score every word piece: float32 [N, width] -> logits [N, V]."""
        x = apply_norm(self._activation(apply_dense(vectors, self._variables)), self._variables, self._epsilon)
        return tf.matmul(x, self._words, transpose_b=True) + self._variables["words"]
