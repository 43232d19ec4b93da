"""The query tower: what is asked for, in the space of the items, from a history, the user, the context or free text."""

from __future__ import annotations

from collections.abc import Mapping

import tensorflow as tf

from tfrec.config import Model as ModelSettings
from tfrec.schema import Feature, Schema
from tfrec.towers.attributes import AttributeEmbedding
from tfrec.towers.fusion import unit_length
from tfrec.towers.sides import query_sides, read_side


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
        self.settings = settings
        self.user_features: tuple[Feature, ...] = schema.users.features if settings.use_user_features else ()
        self.context_features: tuple[Feature, ...] = schema.events.context if settings.use_context else ()
        self.width = width
        self.two_sides = settings.history == "own"
        if self.two_sides:
            width = (width - settings.members) // 2
            self.pooled_dropout = tf.keras.layers.Dropout(settings.dropout, dtype="float32")
        self.pooled_width = width
        features = self.user_features + self.context_features
        self.attributes = (
            AttributeEmbedding(features, sizes, dimension=8, dtype="float32", name="query_attributes")
            if features
            else None
        )
        self.hidden = tf.keras.Sequential(
            [
                layer
                for units in settings.query_hidden
                for layer in (
                    tf.keras.layers.Dense(units, activation="tanh", dtype="float32"),
                    tf.keras.layers.Dropout(settings.dropout, dtype="float32"),
                )
            ]
            + [tf.keras.layers.Dense(width, kernel_initializer="zeros", dtype="float32")],
            name="correction",
        )

    def build(self, input_shape):
        self.empty = self.add_weight(
            "empty_history", [self.pooled_width], initializer=tf.keras.initializers.RandomNormal(stddev=0.05)
        )

    def call(
        self, history: tf.Tensor, mask: tf.Tensor, features: Mapping[str, tf.Tensor], training: bool = False
    ) -> tf.Tensor:
        """Encode queries.

        Args:
            history: embeddings of the items touched, float32 [B, H, width]; any order.
            mask: float32 [B, H], 1 where there is an item; n where `history` holds the mean of n items.
            features: coded user and context features by name, as `AttributeEmbedding` takes them.
            training: whether to drop out.

        Returns:
            float32 [B, width], of unit length unless items have two sides.
        """
        count = tf.reduce_sum(mask, axis=1, keepdims=True)
        mean = tf.einsum("bh,bhd->bd", mask, history) / tf.maximum(count, 1)
        if self.two_sides:
            mean = read_side(mean, self.settings.members)
        pooled = tf.where(count > 0, mean, tf.cast(self.empty, tf.float32)[tf.newaxis])
        parts = [tf.math.log1p(count) / 5.0]
        if not self.two_sides:  # There a history has its own table; a second way for it would tie members together.
            parts.insert(0, unit_length(pooled))
        if self.attributes is not None:
            vector, _ = self.attributes(
                {feature.name: features[feature.name] for feature in self.user_features + self.context_features}
            )
            parts.append(tf.cast(vector, tf.float32))
        correction = self.hidden(tf.concat(parts, axis=-1), training=training)
        if self.two_sides:
            queries = self.pooled_dropout(pooled + tf.cast(correction, tf.float32), training=training)
            return query_sides(
                tf.reshape(queries, [-1, self.settings.members, queries.shape[1] // self.settings.members])
            )
        return unit_length(unit_length(pooled) + tf.cast(correction, tf.float32))


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
