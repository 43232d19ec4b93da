"""BERT (Devlin et al. 2018, arXiv:1810.04805): token ids to one vector per token, weights from a checkpoint."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import tensorflow as tf

from tfrec.encoders.bert.checkpoint import Checkpoint
from tfrec.errors import ConfigError

INPUTS = ("input_word_ids", "input_mask", "input_type_ids")

_ACTIVATIONS: dict[str, Callable[[tf.Tensor], tf.Tensor]] = {
    "gelu": lambda x: tf.nn.gelu(x, approximate=False),
    "gelu_new": lambda x: tf.nn.gelu(x, approximate=True),
    "gelu_pytorch_tanh": lambda x: tf.nn.gelu(x, approximate=True),
    "relu": tf.nn.relu,
    "silu": tf.nn.silu,
}
# Added to the attention of padding: far below any real score, and still a number after it is added twice.
_MASKED = -1e9


class Bert(tf.Module):
    """A stack of transformer layers whose variables are named `layer_<n>/...`, counted from the bottom."""

    def __init__(self, checkpoint: Checkpoint) -> None:
        """Copy the weights of `checkpoint` into variables.

        Raises:
            ConfigError: if a tensor is missing or of the wrong shape, or the activation is unknown.
        """
        super().__init__(name="bert")
        if checkpoint.activation not in _ACTIVATIONS:
            known = ", ".join(_ACTIVATIONS)
            raise ConfigError(f"the checkpoint's hidden_act is {checkpoint.activation!r}; the known ones are {known}")
        self._width, self._heads = checkpoint.width, checkpoint.heads
        self._dropout, self._attention_dropout = checkpoint.dropout, checkpoint.attention_dropout
        self._epsilon = checkpoint.epsilon
        self._activation = _ACTIVATIONS[checkpoint.activation]
        read = _Reader(checkpoint.weights)
        width, hidden = checkpoint.width, checkpoint.hidden
        self.embeddings = {
            kind: read.variable(f"embeddings/{kind}_embeddings", f"embeddings.{kind}_embeddings.weight", [None, width])
            for kind in ("word", "position", "token_type")
        }
        self.embeddings_norm = read.norm("embeddings/layer_norm", "embeddings.LayerNorm", width)
        self.layers = [_layer(read, n, width, hidden) for n in range(checkpoint.layers)]
        # Pooling by the first token means the token itself, although most such checkpoints still carry a pooler.
        pooled = checkpoint.pooling != "cls" and "pooler.dense.weight" in checkpoint.weights
        self.pooler = read.dense("pooler", "pooler.dense", width, width) if pooled else None

    def __call__(self, inputs: dict[str, tf.Tensor], training: bool = False) -> dict[str, tf.Tensor]:
        """Encode tokens.

        Args:
            inputs: `INPUTS`, int32 [B, L]; the mask is 1 on tokens and 0 on padding.
            training: whether dropout is on.

        Returns:
            `sequence_output` float32 [B, L, W], and `pooled_output` float32 [B, W]: the first token's vector through
            the pooler where the checkpoint has one, else as it is.
        """
        ids, mask, types = (inputs[name] for name in INPUTS)
        batch, length = tf.shape(ids)[0], tf.shape(ids)[1]
        x = tf.gather(self.embeddings["word"], ids) + tf.gather(self.embeddings["token_type"], types)
        x = tf.reshape(x + self.embeddings["position"][:length], [-1, self._width])
        x = self._dropped(self._normalised(x, self.embeddings_norm), self._dropout, training)
        bias = tf.cast(1 - mask, tf.float32)[:, None, None, :] * _MASKED
        for layer in self.layers:
            attended = self._attention(x, bias, layer, batch, length, training)
            x = self._normalised(x + self._dropped(attended, self._dropout, training), layer["attention_norm"])
            expanded = self._activation(_dense(x, layer["intermediate"]))
            contracted = self._dropped(_dense(expanded, layer["hidden_output"]), self._dropout, training)
            x = self._normalised(x + contracted, layer["output_norm"])
        sequence = tf.reshape(x, [batch, length, self._width])
        first = sequence[:, 0]
        pooled = tf.tanh(_dense(first, self.pooler)) if self.pooler else first
        return {"sequence_output": sequence, "pooled_output": pooled}

    def _attention(
        self, x: tf.Tensor, bias: tf.Tensor, layer: dict, batch: tf.Tensor, length: tf.Tensor, training: bool
    ) -> tf.Tensor:
        """Multi-head self-attention over x [B * L, W]; bias [B, 1, 1, L] hides padding."""
        size = self._width // self._heads
        query, key, value = (
            tf.transpose(tf.reshape(_dense(x, layer[name]), [batch, length, self._heads, size]), [0, 2, 1, 3])
            for name in ("query", "key", "value")
        )
        scores = tf.matmul(query * (1 / np.sqrt(size)).astype(np.float32), key, transpose_b=True) + bias
        weights = self._dropped(tf.nn.softmax(scores), self._attention_dropout, training)
        heads = tf.transpose(tf.matmul(weights, value), [0, 2, 1, 3])
        return _dense(tf.reshape(heads, [-1, self._width]), layer["output"])

    def _normalised(self, x: tf.Tensor, norm: dict[str, tf.Variable]) -> tf.Tensor:
        centred = x - tf.reduce_mean(x, -1, keepdims=True)
        variance = tf.reduce_mean(tf.square(centred), -1, keepdims=True)
        return centred * tf.math.rsqrt(variance + self._epsilon) * norm["gamma"] + norm["beta"]

    def _dropped(self, x: tf.Tensor, rate: float, training: bool) -> tf.Tensor:
        return tf.nn.dropout(x, rate) if training and rate > 0 else x


def _dense(x: tf.Tensor, layer: dict[str, tf.Variable]) -> tf.Tensor:
    return tf.nn.bias_add(tf.matmul(x, layer["kernel"]), layer["bias"])


class _Reader:
    """Makes variables of a checkpoint's tensors and names what is missing or misshapen."""

    def __init__(self, weights: dict[str, np.ndarray]) -> None:
        self._weights = weights

    def variable(self, name: str, source: str, shape: list[int | None], transposed: bool = False) -> tf.Variable:
        if source not in self._weights:
            raise ConfigError(f"the checkpoint has no tensor {source}; is it complete and a BERT?")
        value = self._weights[source].T if transposed else self._weights[source]
        if not tf.TensorShape(shape).is_compatible_with(value.shape):
            raise ConfigError(f"the checkpoint's tensor {source} has shape {list(value.shape)}, expected {shape}")
        return tf.Variable(value, name=name)

    def dense(self, name: str, source: str, inputs: int, outputs: int) -> dict[str, tf.Variable]:
        return {
            "kernel": self.variable(f"{name}/kernel", f"{source}.weight", [inputs, outputs], transposed=True),
            "bias": self.variable(f"{name}/bias", f"{source}.bias", [outputs]),
        }

    def norm(self, name: str, source: str, width: int) -> dict[str, tf.Variable]:
        return {
            "gamma": self.variable(f"{name}/gamma", f"{source}.weight", [width]),
            "beta": self.variable(f"{name}/beta", f"{source}.bias", [width]),
        }


def _layer(read: _Reader, n: int, width: int, hidden: int) -> dict[str, dict[str, tf.Variable]]:
    source, name = f"encoder.layer.{n}", f"layer_{n}"
    attention = {
        part: read.dense(f"{name}/self_attention/{part}", f"{source}.attention.self.{part}", width, width)
        for part in ("query", "key", "value")
    }
    return {
        **attention,
        "output": read.dense(f"{name}/self_attention/output", f"{source}.attention.output.dense", width, width),
        "attention_norm": read.norm(f"{name}/self_attention/layer_norm", f"{source}.attention.output.LayerNorm", width),
        "intermediate": read.dense(f"{name}/intermediate", f"{source}.intermediate.dense", width, hidden),
        "hidden_output": read.dense(f"{name}/output", f"{source}.output.dense", hidden, width),
        "output_norm": read.norm(f"{name}/layer_norm", f"{source}.output.LayerNorm", width),
    }
