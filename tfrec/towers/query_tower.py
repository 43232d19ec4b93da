"""The query tower: what is asked for, in the space of the items, from a history, the user, the context or free text."""

from __future__ import annotations

from collections.abc import Mapping

import tensorflow as tf

from tfrec.config import Model as ModelSettings
from tfrec.schema import Schema
from tfrec.towers.correction import QueryCorrection
from tfrec.towers.fusion import unit_length


class QueryTower(tf.keras.layers.Layer):
    """Encodes who asks: the mean of the embeddings of the history, moved by user features and context.

    The output is the mean plus a learned correction, so that before any training it already is "items like those you
    touched", and a user with three events is served at once.

    Args:
        schema: gives the user features and the context features.
        settings: the model section of the configuration.
        sizes: how many codes each attribute has, by feature name.
        width: width of the item embedding.
    """

    def __init__(self, schema: Schema, settings: ModelSettings, sizes: Mapping[str, int], width: int, **kwargs):
        super().__init__(dtype="float32", **kwargs)
        self.width = width
        self.correction = QueryCorrection(schema, settings, sizes, width, name="correction")
        self.user_features = self.correction.user_features
        self.context_features = self.correction.context_features

    def build(self, input_shape):
        self.empty = self.add_weight(
            "empty_history", [self.width], initializer=tf.keras.initializers.RandomNormal(stddev=0.05)
        )

    def call(
        self, history: tf.Tensor, mask: tf.Tensor, features: Mapping[str, tf.Tensor], training: bool = False
    ) -> tf.Tensor:
        """Encode queries.

        Args:
            history: embeddings of the items touched, float32 [B, H, width]; any order.
            mask: float32 [B, H], 1 where there is an item.
            features: coded user and context features by name, as `AttributeEmbedding` takes them.
            training: whether to drop out.

        Returns:
            float32 [B, width], of unit length.
        """
        count = tf.reduce_sum(mask, axis=1, keepdims=True)
        mean = tf.einsum("bh,bhd->bd", mask, history) / tf.maximum(count, 1)
        pooled = unit_length(tf.where(count > 0, mean, tf.cast(self.empty, tf.float32)[tf.newaxis]))
        return unit_length(pooled + self.correction(count, features, pooled, training=training))

    def parts(
        self, history: tf.Tensor, mask: tf.Tensor, features: Mapping[str, tf.Tensor]
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """What a query is the sum of; arguments as of `call`.

        A query is divided by its length, which all of it decides, and the correction reads the history too: what it
        adds is part of the rest.

        Returns:
            What each item of the history adds, float32 [B, H, width], and the rest, float32 [B, width].
        """
        count = tf.reduce_sum(mask, axis=1, keepdims=True)
        of_history = history * (mask / tf.maximum(count, 1))[..., tf.newaxis]
        of_history *= _shrunk(tf.reduce_sum(of_history, axis=1))[:, tf.newaxis]
        empty = tf.where(count > 0, 0.0, unit_length(tf.cast(self.empty, tf.float32)[tf.newaxis]))
        pooled = tf.reduce_sum(of_history, axis=1) + empty
        corrected = self.correction(count, features, pooled)
        by = _shrunk(pooled + corrected)
        return of_history * by[:, tf.newaxis], (empty + corrected) * by


def _shrunk(vectors: tf.Tensor) -> tf.Tensor:
    """What `unit_length` multiplies vectors float32 [B, width] by, [B, 1]."""
    return tf.math.rsqrt(tf.maximum(tf.reduce_sum(vectors**2, axis=1, keepdims=True), 1e-9))


class TextQuery(tf.keras.layers.Layer):
    """Encodes free text into the space of the items, from the vectors of a text encoder."""

    def __init__(self, settings: ModelSettings, width: int, **kwargs):
        super().__init__(dtype="float32", **kwargs)
        self.hidden = tf.keras.layers.Dense(2 * width, activation="relu", dtype="float32")
        self.dropout = tf.keras.layers.Dropout(settings.dropout, dtype="float32")
        self.projection = tf.keras.layers.Dense(width, dtype="float32")

    def call(self, vectors: tf.Tensor, training: bool = False) -> tf.Tensor:
        """Turn text vectors [B, encoder.dimension] into unit-length queries float32 [B, width]."""
        return unit_length(self.projection(self.dropout(self.hidden(vectors), training=training)))
