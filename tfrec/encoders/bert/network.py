"""BERT (Devlin et al. 2018, arXiv:1810.04805): token ids to one vector per token, weights from a checkpoint."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence

import numpy as np
import tensorflow as tf

from tfrec.encoders.bert.adapters import Adapter
from tfrec.encoders.bert.parts import Variables, activation, apply_dense, apply_norm, dense, norm

INPUTS = ("input_word_ids", "input_mask", "input_type_ids")

# Added to the attention of padding: far below any real score, and still a number after it is added twice.
_MASKED = -1e9


@dataclasses.dataclass(frozen=True)
class Network:
    """Sizes and constants of a BERT.

    Attributes:
        width: of a token's vector; `heads` divide it; `hidden`: width inside a layer; `layers`: how many there are.
        activation: hidden_act of config.json.
        epsilon: of layer normalisation; `dropout`, `attention_dropout`: chances in training.
        pooler: whether the first token's vector goes through a dense layer and tanh.
    """

    width: int
    layers: int
    heads: int
    hidden: int
    activation: str
    epsilon: float
    dropout: float
    attention_dropout: float
    pooler: bool


class Bert(tf.Module):
    """A stack of transformer layers whose variables are named `layer_<n>/...`, counted from the bottom."""

    def __init__(
        self, network: Network, variables: Variables, adapters: Sequence[Mapping[str, Adapter]] | None = None
    ) -> None:
        """Put a network together.

        Args:
            network: its sizes and constants.
            variables: where its variables come from.
            adapters: for each layer, what is added to some of its dense parts, by their names.

        Raises:
            ConfigError: if a tensor is missing or of the wrong shape, or the activation is unknown.
        """
        super().__init__(name="bert")
        self._width, self._heads = network.width, network.heads
        self._dropout, self._attention_dropout = network.dropout, network.attention_dropout
        self._epsilon = network.epsilon
        self._activation = activation(network.activation)
        width, hidden = network.width, network.hidden
        self.embeddings = {
            kind: variables.named(
                f"embeddings/{kind}_embeddings", f"embeddings.{kind}_embeddings.weight", [None, width]
            )
            for kind in ("word", "position", "token_type")
        }
        self.embeddings_norm = norm(variables, "embeddings/layer_norm", "embeddings.LayerNorm", width)
        self.layers = [_layer(variables, n, width, hidden) for n in range(network.layers)]
        self.adapters = list(adapters or [{}] * network.layers)
        self.pooler = dense(variables, "pooler", "pooler.dense", width, width) if network.pooler else None

    def __call__(self, inputs: dict[str, tf.Tensor], training: bool = False) -> dict[str, tf.Tensor]:
        """Encode tokens.

        Args:
            inputs: `INPUTS`, int32 [B, L]; the mask is 1 on tokens and 0 on padding.
            training: whether dropout is on.

        Returns:
            `sequence_output` float32 [B, L, W], and `pooled_output` float32 [B, W]: the first token's vector through
            the pooler where the checkpoint has one, else as it is.
        """
        embedded = self.embedded(inputs, training)
        return self.outputs(self.through(embedded, inputs["input_mask"], range(len(self.layers)), training))

    def embedded(self, inputs: dict[str, tf.Tensor], training: bool = False) -> tf.Tensor:
        """What the first layer reads, float32 [B, L, W]; arguments as of `__call__`."""
        ids, types = inputs["input_word_ids"], inputs["input_type_ids"]
        x = tf.gather(self.embeddings["word"], ids) + tf.gather(self.embeddings["token_type"], types)
        x += self.embeddings["position"][: tf.shape(ids)[1]]
        return self._dropped(self._normalised(x, self.embeddings_norm), self._dropout, training)

    def through(self, sequence: tf.Tensor, mask: tf.Tensor, layers: range, training: bool = False) -> tf.Tensor:
        """What some layers, counted from the bottom, make of float32 [B, L, W]; the mask is int32 [B, L]."""
        batch, length = tf.shape(sequence)[0], tf.shape(sequence)[1]
        x = tf.reshape(sequence, [-1, self._width])
        bias = tf.cast(1 - mask, tf.float32)[:, None, None, :] * _MASKED
        for number in layers:
            layer, adapters = self.layers[number], self.adapters[number]
            attended = self._attention(x, bias, layer, adapters, batch, length, training)
            x = self._normalised(x + self._dropped(attended, self._dropout, training), layer["attention_norm"])
            expanded = self._activation(apply_dense(x, layer["intermediate"]))
            contracted = self._dropped(apply_dense(expanded, layer["hidden_output"]), self._dropout, training)
            x = self._normalised(x + contracted, layer["output_norm"])
        return tf.reshape(x, [batch, length, self._width])

    def outputs(self, sequence: tf.Tensor) -> dict[str, tf.Tensor]:
        """What `__call__` returns, from what the last layer gives, float32 [B, L, W]."""
        first = sequence[:, 0]
        pooled = tf.tanh(apply_dense(first, self.pooler)) if self.pooler else first
        return {"sequence_output": sequence, "pooled_output": pooled}

    def _attention(
        self,
        x: tf.Tensor,
        bias: tf.Tensor,
        layer: dict,
        adapters: Mapping[str, Adapter],
        batch: tf.Tensor,
        length: tf.Tensor,
        training: bool,
    ) -> tf.Tensor:
        """Multi-head self-attention over x [B * L, W]; bias [B, 1, 1, L] hides padding."""
        size = self._width // self._heads
        query, key, value = (
            tf.transpose(tf.reshape(projected, [batch, length, self._heads, size]), [0, 2, 1, 3])
            for projected in (_adapted(x, layer, adapters, part) for part in ("query", "key", "value"))
        )
        scores = tf.matmul(query * (1 / np.sqrt(size)).astype(np.float32), key, transpose_b=True) + bias
        weights = self._dropped(tf.nn.softmax(scores), self._attention_dropout, training)
        heads = tf.transpose(tf.matmul(weights, value), [0, 2, 1, 3])
        return apply_dense(tf.reshape(heads, [-1, self._width]), layer["output"])

    def _normalised(self, x: tf.Tensor, layer: dict[str, tf.Variable]) -> tf.Tensor:
        return apply_norm(x, layer, self._epsilon)

    def _dropped(self, x: tf.Tensor, rate: float, training: bool) -> tf.Tensor:
        return tf.nn.dropout(x, rate) if training and rate > 0 else x


def _adapted(x: tf.Tensor, layer: dict, adapters: Mapping[str, Adapter], part: str) -> tf.Tensor:
    projected = apply_dense(x, layer[part])
    return projected + adapters[part](x) if part in adapters else projected


def _layer(variables: Variables, n: int, width: int, hidden: int) -> dict[str, dict[str, tf.Variable]]:
    source, name = f"encoder.layer.{n}", f"layer_{n}"
    attention, attended = f"{name}/self_attention", f"{source}.attention"
    parts = {
        part: dense(variables, f"{attention}/{part}", f"{attended}.self.{part}", width, width)
        for part in ("query", "key", "value")
    }
    return {
        **parts,
        "output": dense(variables, f"{attention}/output", f"{attended}.output.dense", width, width),
        "attention_norm": norm(variables, f"{attention}/layer_norm", f"{attended}.output.LayerNorm", width),
        "intermediate": dense(variables, f"{name}/intermediate", f"{source}.intermediate.dense", width, hidden),
        "hidden_output": dense(variables, f"{name}/output", f"{source}.output.dense", hidden, width),
        "output_norm": norm(variables, f"{name}/layer_norm", f"{source}.output.LayerNorm", width),
    }
