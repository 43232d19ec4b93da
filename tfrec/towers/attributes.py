"""Ids, categories and numbers as one dense vector; used by the item tower and by the query tower alike."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import tensorflow as tf

from tfrec.schema import Feature


class AttributeEmbedding(tf.keras.layers.Layer):
    """Embeds coded attributes and concatenates them.

    Codes are those of `tfrec.data.vocabulary.FeatureSpace`: 0 absent, 1 unknown, 2 and above the vocabulary. A value
    of `categories` is the mean of its embeddings.

    Args:
        features: the attributes, in order.
        sizes: how many codes each category has, by feature name (vocabulary + 2); numbers need none.
        dimension: width of one category's embedding.
    """

    def __init__(self, features: Sequence[Feature], sizes: Mapping[str, int], dimension: int = 16, **kwargs):
        super().__init__(**kwargs)
        self.features = tuple(features)
        self.dimension = dimension
        self.embeddings = {
            feature.name: tf.keras.layers.Embedding(sizes[feature.name], dimension, dtype=self.dtype, name=feature.name)
            for feature in self.features
            if feature.modality != "number"
        }

    def call(self, inputs: Mapping[str, tf.Tensor]) -> tuple[tf.Tensor, tf.Tensor]:
        """Embed a batch.

        Args:
            inputs: by feature name, int32 [B] (id, category), int32 [B, M] (categories) or float32 [B, 2] (number:
                scaled value and whether it is present).

        Returns:
            The vectors, float32 [B, W], and whether any attribute is present, bool [B].
        """
        parts, present = [], []
        for feature in self.features:
            value = inputs[feature.name]
            if feature.modality == "number":
                parts.append(tf.cast(value, self.compute_dtype))
                present.append(value[:, 1] > 0)
            elif feature.modality == "categories":
                known = tf.cast(value > 0, self.compute_dtype)[..., tf.newaxis]
                total = tf.reduce_sum(self.embeddings[feature.name](value) * known, axis=1)
                parts.append(total / tf.maximum(tf.reduce_sum(known, axis=1), 1))
                present.append(tf.reduce_any(value > 0, axis=1))
            else:
                parts.append(self.embeddings[feature.name](value))
                present.append(value > 0)
        return tf.concat(parts, axis=-1), tf.reduce_any(tf.stack(present), axis=0)
