"""Codes raw attributes inside the graph, exactly as `FeatureSpace` codes them in training."""

from __future__ import annotations

from collections.abc import Mapping

import tensorflow as tf

from tfrec.data.vocabulary import FeatureSpace
from tfrec.schema import Feature


class RawFeatures(tf.Module):
    """Turns strings and numbers into the codes the towers take.

    Args:
        table: `items`, `users` or `events`, the first part of the keys in the feature space.
        features: the attributes.
        feature_space: vocabularies and scaling.
    """

    def __init__(self, table: str, features: tuple[Feature, ...], feature_space: FeatureSpace):
        super().__init__(f"raw_{table}")
        self.features = features
        self.tables, self.scaling, self.widths = {}, {}, {}
        for feature in features:
            key = f"{table}.{feature.name}"
            if feature.modality == "number":
                mean, deviation = feature_space.scaling[key]
                self.scaling[feature.name] = (float(mean), float(deviation))
                continue
            self.tables[feature.name] = string_table(
                [""] + list(feature_space.vocabularies[key]),
                [0] + list(range(2, 2 + len(feature_space.vocabularies[key]))),
                missing=1,
            )
            if feature.modality == "categories":
                self.widths[feature.name] = feature_space.categories_width[key]

    def signature(self) -> dict[str, tf.TensorSpec]:
        """Name, shape and dtype of each raw input: strings [B] or [B, M], floats [B]."""
        specs = {}
        for feature in self.features:
            shape = [None, self.widths[feature.name]] if feature.name in self.widths else [None]
            dtype = tf.float32 if feature.modality == "number" else tf.string
            specs[feature.name] = tf.TensorSpec(shape, dtype, name=feature.name)
        return specs

    def codes(self, raw: Mapping[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        """Codes by feature name: int32 [B] or [B, M], or float32 [B, 2] (scaled value, whether present)."""
        codes = {}
        for feature in self.features:
            value = raw[feature.name]
            if feature.modality == "number":
                mean, deviation = self.scaling[feature.name]
                there = tf.math.is_finite(value)
                scaled = tf.where(there, (value - mean) / deviation, 0.0)
                codes[feature.name] = tf.stack([scaled, tf.cast(there, tf.float32)], axis=-1)
            else:
                codes[feature.name] = tf.cast(self.tables[feature.name].lookup(value), tf.int32)
        return codes


def string_table(keys: list[str], values: list[int], missing: int) -> tf.lookup.StaticHashTable:
    """A lookup table from strings to int64; unknown strings give `missing`."""
    initializer = tf.lookup.KeyValueTensorInitializer(
        tf.constant(keys, tf.string), tf.constant(values, tf.int64), key_dtype=tf.string, value_dtype=tf.int64
    )
    return tf.lookup.StaticHashTable(initializer, default_value=missing)
