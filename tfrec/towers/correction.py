"""What the length of a history, the user and the context add to the query that the history makes."""

from __future__ import annotations

from collections.abc import Mapping

import tensorflow as tf

from tfrec.config import Model as ModelSettings
from tfrec.schema import Feature, Schema
from tfrec.towers.attributes import AttributeEmbedding


class QueryCorrection(tf.keras.layers.Layer):
    """A small network over what is known beside the items touched; it gives zeros before any training.

    Args:
        schema: gives the user features and the context features.
        settings: the model section of the configuration.
        sizes: how many codes each attribute has, by feature name.
        width: width of the output.
    """

    def __init__(self, schema: Schema, settings: ModelSettings, sizes: Mapping[str, int], width: int, **kwargs):
        super().__init__(dtype="float32", **kwargs)
        self.user_features: tuple[Feature, ...] = schema.users.features if settings.use_user_features else ()
        self.context_features: tuple[Feature, ...] = schema.events.context if settings.use_context else ()
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

    def call(
        self,
        count: tf.Tensor,
        features: Mapping[str, tf.Tensor],
        pooled: tf.Tensor | None = None,
        training: bool = False,
    ) -> tf.Tensor:
        """The correction, float32 [B, width].

        Args:
            count: how many items the history has, float32 [B, 1].
            features: coded user and context features by name, as `AttributeEmbedding` takes them.
            pooled: what the history says, float32 [B, any], where the correction may depend on it.
            training: whether to drop out.
        """
        parts = ([] if pooled is None else [pooled]) + [tf.math.log1p(count) / 5.0]
        if self.attributes is not None:
            vector, _ = self.attributes(
                {feature.name: features[feature.name] for feature in self.user_features + self.context_features}
            )
            parts.append(tf.cast(vector, tf.float32))
        return tf.cast(self.hidden(tf.concat(parts, axis=-1), training=training), tf.float32)
