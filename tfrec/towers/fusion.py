"""Ways to make one item vector of the vectors of its modalities; which is chosen by `model.fusion`.

Every fusion takes `vectors` [B, M, D] (unit length, with a learned vector where a modality is absent) and `present`
[B, M] (1 where the modality is there), and gives the item embedding [B, width] of unit length and how much each
modality counted, [B, M], rows summing to 1. They compute in float32 under any mixed-precision policy: they are small,
and the dot products that follow need the digits.
"""

from __future__ import annotations

import tensorflow as tf


class Fusion(tf.keras.layers.Layer):
    """Base of the fusions; `width` is that of the item embedding."""

    def __init__(self, modalities: int, dimension: int, dropout: float = 0.0, **kwargs):
        super().__init__(dtype="float32", **kwargs)
        self.modalities = modalities
        self.dimension = dimension
        self.width = dimension
        self.dropout = tf.keras.layers.Dropout(dropout, dtype="float32")

    def call(
        self, vectors: tf.Tensor, present: tf.Tensor, training: bool = False
    ) -> tuple[tf.Tensor, tf.Tensor]:  # pragma: no cover - every fusion has its own
        raise NotImplementedError


class Concatenation(Fusion):
    """All vectors and the presence flags side by side, then one dense layer."""

    def __init__(self, modalities: int, dimension: int, **kwargs):
        super().__init__(modalities, dimension, **kwargs)
        self.dense = tf.keras.layers.Dense(dimension, dtype="float32")

    def call(self, vectors, present, training=False):
        flat = tf.reshape(vectors, [-1, self.modalities * self.dimension])
        fused = self.dense(tf.concat([self.dropout(flat, training=training), present], axis=-1))
        return unit_length(fused), _even(present)


class Weighted(Fusion):
    """A weighted sum; the weights are learned once for the whole catalogue and shared out among what is present."""

    def build(self, input_shape):
        self.logits = self.add_weight("logits", [self.modalities], initializer="zeros")

    def call(self, vectors, present, training=False):
        weights = _masked_softmax(tf.cast(self.logits, vectors.dtype)[tf.newaxis], present)
        return unit_length(_mixed(weights, vectors)), weights


class Gate(Fusion):
    """A weighted sum whose weights are computed for each item from its own vectors."""

    def __init__(self, modalities: int, dimension: int, **kwargs):
        super().__init__(modalities, dimension, **kwargs)
        self.hidden = tf.keras.layers.Dense(dimension, activation="relu", dtype="float32")
        self.logits = tf.keras.layers.Dense(modalities, dtype="float32")

    def call(self, vectors, present, training=False):
        flat = tf.reshape(vectors * present[..., tf.newaxis], [-1, self.modalities * self.dimension])
        hidden = self.dropout(self.hidden(tf.concat([flat, present], axis=-1)), training=training)
        weights = _masked_softmax(self.logits(hidden), present)
        return unit_length(_mixed(weights, vectors)), weights


class Attention(Fusion):
    """One learned query attends over the modalities."""

    def __init__(self, modalities: int, dimension: int, **kwargs):
        super().__init__(modalities, dimension, **kwargs)
        self.keys = tf.keras.layers.Dense(dimension, dtype="float32")
        self.values = tf.keras.layers.Dense(dimension, dtype="float32")

    def build(self, input_shape):
        self.query = self.add_weight(
            "query", [self.dimension], initializer=tf.keras.initializers.RandomNormal(stddev=0.05)
        )

    def call(self, vectors, present, training=False):
        keys = self.keys(vectors)
        logits = tf.einsum("bmd,d->bm", keys, tf.cast(self.query, keys.dtype)) * self.dimension**-0.5
        weights = _masked_softmax(logits, present)
        return unit_length(_mixed(weights, vectors + self.dropout(self.values(vectors), training=training))), weights


class Transformer(Fusion):
    """Modalities attend to each other in a small pre-norm transformer layer, read out by a learned token."""

    def __init__(self, modalities: int, dimension: int, heads: int = 4, dropout: float = 0.0, **kwargs):
        super().__init__(modalities, dimension, dropout=dropout, **kwargs)
        self.normalise_inputs = tf.keras.layers.LayerNormalization(dtype="float32")
        self.attention = tf.keras.layers.MultiHeadAttention(
            heads, max(1, dimension // heads), dropout=dropout, dtype="float32"
        )
        self.normalise_hidden = tf.keras.layers.LayerNormalization(dtype="float32")
        self.hidden = tf.keras.layers.Dense(2 * dimension, activation="gelu", dtype="float32")
        self.output_dense = tf.keras.layers.Dense(dimension, dtype="float32")

    def build(self, input_shape):
        self.token = self.add_weight("token", [1, 1, self.dimension], initializer="glorot_uniform")
        self.types = self.add_weight("types", [1, self.modalities, self.dimension], initializer="glorot_uniform")

    def call(self, vectors, present, training=False):
        tokens = vectors + tf.cast(self.types, vectors.dtype)
        first = tf.tile(tf.cast(self.token, vectors.dtype), [tf.shape(vectors)[0], 1, 1])
        tokens = tf.concat([first, tokens], axis=1)
        visible = tf.concat([tf.ones_like(present[:, :1]), present], axis=1) > 0
        normal = self.normalise_inputs(tokens)
        attended, scores = self.attention(
            normal,
            normal,
            attention_mask=visible[:, tf.newaxis, :],
            return_attention_scores=True,
            training=training,
        )
        tokens = tokens + attended
        tokens = tokens + self.dropout(self.output_dense(self.hidden(self.normalise_hidden(tokens))), training=training)
        # An item with nothing present is looked at by nobody; the small number shares its weight out evenly.
        looked_at = (tf.reduce_mean(scores, axis=1)[:, 0, 1:] + 1e-9) * _usable(present)
        weights = looked_at / tf.reduce_sum(looked_at, axis=-1, keepdims=True)
        return unit_length(tokens[:, 0] + _mixed(weights, vectors)), weights


class Decision(Fusion):
    """Decision-level fusion: one score per modality, added with learned weights.

    A weighted sum of dot products is the dot product of the vectors side by side, each scaled by the root of its
    weight, so it is served by the same index; the width is M x D.
    """

    def __init__(self, modalities: int, dimension: int, **kwargs):
        super().__init__(modalities, dimension, **kwargs)
        self.width = modalities * dimension

    def build(self, input_shape):
        self.logits = self.add_weight("logits", [self.modalities], initializer="zeros")

    def call(self, vectors, present, training=False):
        weights = _masked_softmax(tf.cast(self.logits, vectors.dtype)[tf.newaxis], present)
        scaled = vectors * tf.sqrt(weights + 1e-9)[..., tf.newaxis]
        return unit_length(tf.reshape(scaled, [-1, self.width])), weights


FUSIONS = {
    "concatenation": Concatenation,
    "weighted": Weighted,
    "gate": Gate,
    "attention": Attention,
    "transformer": Transformer,
    "decision": Decision,
}


def unit_length(vectors: tf.Tensor) -> tf.Tensor:
    """`vectors` [..., D] divided by their length; computed in float32 for the sake of mixed precision."""
    return tf.math.l2_normalize(tf.cast(vectors, tf.float32), axis=-1, epsilon=1e-9)


def _usable(present: tf.Tensor) -> tf.Tensor:
    """What counts, float32 [B, M]: what is present, or all the absent vectors of an item with nothing present."""
    nothing = tf.reduce_max(present, axis=-1, keepdims=True) < 0.5
    return tf.where(nothing, tf.ones_like(present), present)


def _even(present: tf.Tensor) -> tf.Tensor:
    usable = _usable(present)
    return usable / tf.reduce_sum(usable, axis=-1, keepdims=True)


def _mixed(weights: tf.Tensor, vectors: tf.Tensor) -> tf.Tensor:
    return tf.einsum("bm,bmd->bd", weights, vectors)


def _masked_softmax(logits: tf.Tensor, present: tf.Tensor) -> tf.Tensor:
    """Softmax over what is present; an item with nothing present shares the weight out over the absent vectors."""
    return tf.nn.softmax(tf.where(_usable(present) > 0.5, logits, tf.cast(-1e9, logits.dtype)), axis=-1)
