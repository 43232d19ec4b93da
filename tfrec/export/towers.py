"""The trained towers as functions of raw input, apart from any catalogue: what an exported model computes with."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import tensorflow as tf

from tfrec.export.raw_features import RawFeatures
from tfrec.model.content_parts import content_parts
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

        def described(raw: Mapping[str, tf.Tensor]) -> dict[str, tf.Tensor]:
            size = tf.shape(next(iter(raw.values())))[0]
            return {"id": tf.zeros([size], tf.int32), **self.raw_items.codes(raw), **content_vectors(raw)}

        def embedded(items: Mapping[str, tf.Tensor]) -> dict[str, tf.Tensor]:
            outputs = {"embedding": model.encode_items(items)}
            if text_basis is not None:
                outputs["text"] = unit_length(tf.matmul(items[model.text_feature], text_basis))
            return outputs

        def embed_items(raw: Mapping[str, tf.Tensor]) -> dict[str, tf.Tensor]:
            return embedded(described(raw))

        def embed_items_with_parts(raw: Mapping[str, tf.Tensor]) -> dict[str, tf.Tensor]:
            items = described(raw)
            return {**embedded(items), "parts": content_parts(model.encode_items, items, schema)}

        def encode_query(
            history: tf.Tensor, mask: tf.Tensor, raw: Mapping[str, tf.Tensor], stored: Mapping[str, tf.Tensor]
        ) -> tf.Tensor:
            return model.query_tower(history, mask, self._query_codes(raw, stored), training=False)

        def query_parts(
            history: tf.Tensor, mask: tf.Tensor, raw: Mapping[str, tf.Tensor], stored: Mapping[str, tf.Tensor]
        ) -> dict[str, tf.Tensor]:
            codes = self._query_codes(raw, stored)
            there = {name: tf.zeros_like(code) for name, code in codes.items()}
            of_history, rest = model.query_tower.parts(history, mask, there)
            outputs = {"history": of_history, "rest": rest}
            before, of_features = model.query_tower(history, mask, there, training=False), []
            for name, code in codes.items():
                there[name] = code
                after = model.query_tower(history, mask, there, training=False)
                of_features.append(after - before)
                before = after
            if of_features:
                outputs["features"] = tf.stack(of_features, axis=1)
            return outputs

        def encode_text(text: tf.Tensor) -> dict[str, tf.Tensor]:
            encoder = trained.encoders[model.text_feature]
            vectors = tf.cast(encoder(encoder.prepare(text), training=False), tf.float32)
            return {
                "embedding": model.text_query(vectors, training=False),
                "text": unit_length(tf.matmul(vectors, text_basis)),
            }

        if schema.items.features:  # Of ids alone nothing can be embedded.
            item_specs = [item_signature(schema, self.raw_items)]
            self.embed_items = tf.function(embed_items, input_signature=item_specs, autograph=False)
            if trained.config.serving.reasons:
                self.embed_items_with_parts = tf.function(
                    embed_items_with_parts, input_signature=item_specs, autograph=False
                )
        query_specs = [
            tf.TensorSpec([None, None, width], tf.float32),
            tf.TensorSpec([None, None], tf.float32),
            query_signature(self.raw_users, self.raw_context),
            {name: _code_spec(spec) for name, spec in self.raw_users.signature().items()},
        ]
        self.encode_query = tf.function(encode_query, input_signature=query_specs, autograph=False)
        if trained.config.serving.reasons:
            self.query_parts = tf.function(query_parts, input_signature=query_specs, autograph=False)
        self.has_text = text_basis is not None
        if self.has_text:
            self.encode_text = tf.function(
                encode_text, input_signature=[tf.TensorSpec([None], tf.string)], autograph=False
            )

    def _query_codes(self, raw: Mapping[str, tf.Tensor], stored: Mapping[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        """Codes of user features and context, in this order."""
        codes = {**self.raw_users.codes(raw), **self.raw_context.codes(raw)}
        return {name: _given_or_stored(code, stored.get(name)) for name, code in codes.items()}


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
