"""The trained towers as functions of raw input, apart from any catalogue: what an exported model computes with."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import tensorflow as tf

from tfrec.export.raw_features import RawFeatures
from tfrec.schema import Schema
from tfrec.towers.fusion import unit_length
from tfrec.training.trainer import Trained


class ServingTowers(tf.Module):
    """Embeds raw items and raw queries.

    It knows nothing of the items that can be recommended, so the towers of an exported model can be loaded and put
    behind a larger index.

    Args:
        trained: the trained model.
        text_basis: float32 [text encoder's dimension, P], onto which texts are projected for search; None without text.
    """

    def __init__(self, trained: Trained, text_basis: np.ndarray | None):
        super().__init__("towers")
        model, schema = trained.model, trained.config.schema
        space = trained.blueprint.feature_space
        self.weights = list(model.variables)
        self.resources = [resource for encoder in trained.encoders.values() for resource in _resources(encoder)]
        self.raw_items = RawFeatures("items", schema.attributes(), space)
        self.raw_users = RawFeatures("users", model.query_tower.user_features, space)
        self.raw_context = RawFeatures("events", model.query_tower.context_features, space)
        width = model.item_tower.width

        def content_vectors(raw: Mapping[str, tf.Tensor]) -> dict[str, tf.Tensor]:
            inputs = {}
            for feature in schema.content():
                encoder = trained.encoders[feature.name]
                present = tf.strings.length(raw[feature.name]) > 0
                vectors = tf.cast(encoder(encoder.prepare(raw[feature.name]), training=False), tf.float32)
                inputs[feature.name] = tf.where(present[:, tf.newaxis], vectors, 0.0)
                inputs[f"{feature.name}.present"] = present
            return inputs

        def embed_items(raw: Mapping[str, tf.Tensor]) -> dict[str, tf.Tensor]:
            codes = self.raw_items.codes(raw)
            content = content_vectors(raw)
            size = tf.shape(next(iter(raw.values())))[0]
            embedding = model.encode_items({"id": tf.zeros([size], tf.int32), **codes, **content})
            outputs = {"embedding": embedding}
            if text_basis is not None:
                outputs["text"] = unit_length(tf.matmul(content[model.text_feature], text_basis))
            return outputs

        def encode_query(
            history: tf.Tensor, mask: tf.Tensor, raw: Mapping[str, tf.Tensor], stored: Mapping[str, tf.Tensor]
        ) -> tf.Tensor:
            codes = {**self.raw_users.codes(raw), **self.raw_context.codes(raw)}
            merged = {name: _given_or_stored(code, stored.get(name)) for name, code in codes.items()}
            return model.query_tower(history, mask, merged, training=False)

        def encode_text(text: tf.Tensor) -> dict[str, tf.Tensor]:
            encoder = trained.encoders[model.text_feature]
            vectors = tf.cast(encoder(encoder.prepare(text), training=False), tf.float32)
            return {
                "embedding": model.text_query(vectors, training=False),
                "text": unit_length(tf.matmul(vectors, text_basis)),
            }

        if schema.items.features:  # Of ids alone nothing can be embedded.
            self.embed_items = tf.function(
                embed_items, input_signature=[item_signature(schema, self.raw_items)], autograph=False
            )
        self.encode_query = tf.function(
            encode_query,
            input_signature=[
                tf.TensorSpec([None, None, width], tf.float32),
                tf.TensorSpec([None, None], tf.float32),
                query_signature(self.raw_users, self.raw_context),
                {name: _code_spec(spec) for name, spec in self.raw_users.signature().items()},
            ],
            autograph=False,
        )
        self.has_text = text_basis is not None
        if self.has_text:
            self.encode_text = tf.function(
                encode_text, input_signature=[tf.TensorSpec([None], tf.string)], autograph=False
            )


def item_signature(schema: Schema, raw_items: RawFeatures) -> dict[str, tf.TensorSpec]:
    """The raw inputs of an item: its attributes, and text or bytes as strings [B], "" where absent."""
    content = {feature.name: tf.TensorSpec([None], tf.string, name=feature.name) for feature in schema.content()}
    return {**raw_items.signature(), **content}


def query_signature(raw_users: RawFeatures, raw_context: RawFeatures) -> dict[str, tf.TensorSpec]:
    """The raw inputs of a query beside ids: user features and context."""
    return {**raw_users.signature(), **raw_context.signature()}


def _given_or_stored(given: tf.Tensor, stored: tf.Tensor | None) -> tf.Tensor:
    """A feature as the request gives it, or as it is stored for the user where the request leaves it out."""
    if stored is None:
        return given
    if given.dtype == tf.float32:
        return tf.where(given[:, 1:] > 0, given, stored)
    if given.shape.rank == 2:
        return tf.where(tf.reduce_any(given > 0, axis=1, keepdims=True), given, stored)
    return tf.where(given > 0, given, stored)


def _code_spec(raw: tf.TensorSpec) -> tf.TensorSpec:
    if raw.dtype == tf.float32:
        return tf.TensorSpec([None, 2], tf.float32, name=f"stored_{raw.name}")
    return tf.TensorSpec(raw.shape, tf.int32, name=f"stored_{raw.name}")


def _resources(encoder: tf.keras.layers.Layer) -> list:
    """What an encoder's functions read besides weights (lookup tables, loaded SavedModels); saved with the model."""
    return list(getattr(encoder, "resources", ()))
