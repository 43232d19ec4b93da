"""The item tower: what an item is, in one vector, from any subset of its modalities."""

from __future__ import annotations

from collections.abc import Mapping

import tensorflow as tf

from tfrec.config import Model as ModelSettings
from tfrec.encoders.base import Encoder
from tfrec.schema import Feature, Schema
from tfrec.towers.attributes import AttributeEmbedding
from tfrec.towers.fusion import FUSIONS, unit_length

ID = "id"
ATTRIBUTES = "attributes"


class ItemTower(tf.keras.layers.Layer):
    """Encodes items from coded attributes and content.

    Each modality (the learned id vector, all attributes together, each text, image and audio feature) is projected to
    `dimension`; a learned vector stands for one that is absent; a fusion makes one unit-length embedding of them. In
    training a present modality is hidden with `modality_dropout` (the id with `id_dropout`), so that any subset works.

    Args:
        schema: the schema; its item features are the inputs.
        settings: the model section of the configuration.
        encoders: the encoder of each content feature.
        sizes: how many codes each attribute has, by feature name.
        known_items: how many items have an id vector of their own.
    """

    def __init__(
        self,
        schema: Schema,
        settings: ModelSettings,
        encoders: Mapping[str, Encoder],
        sizes: Mapping[str, int],
        known_items: int,
        **kwargs,
    ):
        super().__init__(dtype="float32", **kwargs)
        self.settings = settings
        self.attributes: tuple[Feature, ...] = schema.attributes()
        self.content: tuple[Feature, ...] = schema.content()
        self.encoders = dict(encoders)
        self.modalities = (
            ((ID,) if settings.use_id else ())
            + ((ATTRIBUTES,) if self.attributes else ())
            + tuple(feature.name for feature in self.content)
        )
        self._hidden = [settings.id_dropout if name == ID else settings.modality_dropout for name in self.modalities]
        self.known_items = known_items
        if settings.use_id:
            self.id_embedding = tf.keras.layers.Embedding(
                known_items + 1, settings.dimension, tf.keras.initializers.RandomNormal(stddev=0.05), name=ID
            )
        if self.attributes:
            self.attribute_embedding = AttributeEmbedding(self.attributes, sizes, dtype="float32", name=ATTRIBUTES)
        self.projections = {
            name: tf.keras.Sequential(
                [tf.keras.layers.Dropout(settings.dropout)]
                + [tf.keras.layers.Dense(width, activation="relu") for width in settings.item_hidden]
                + [tf.keras.layers.Dense(settings.dimension)],
                name=f"project_{name}",
            )
            for name in self.modalities
            if name != ID
        }
        self.id_dropout = tf.keras.layers.Dropout(settings.dropout)
        self.fusion = FUSIONS[settings.fusion](
            len(self.modalities), settings.dimension, dropout=settings.dropout, name="fusion"
        )
        self.width = self.fusion.width

    def build(self, input_shape):
        self.absent = self.add_weight(
            "absent",
            [len(self.modalities), self.settings.dimension],
            initializer=tf.keras.initializers.RandomNormal(stddev=0.05),
        )

    def call(self, items: Mapping[str, tf.Tensor], training: bool = False) -> tuple[tf.Tensor, dict[str, tf.Tensor]]:
        """Encode items.

        Args:
            items: `id` int32 [B], 0 for an item without an id vector; coded attributes by feature name; content by
                feature name, either vectors float32 [B, encoder.dimension] or what the encoder's `prepare` gives;
                `<content>.present` bool [B].
            training: whether to drop out, augment and hide modalities.

        Returns:
            The embedding, float32 [B, width], unit length, and a dict of what is worth logging: `weights` [B, M].
        """
        vectors, present = [], []
        for name in self.modalities:
            vector, there = self._modality(name, items, training)
            vectors.append(unit_length(vector))
            present.append(tf.cast(there, tf.float32))
        vectors, present = tf.stack(vectors, axis=1), tf.stack(present, axis=1)
        if training and len(self.modalities) > 1:
            keep = tf.random.uniform(tf.shape(present)) >= tf.constant([self._hidden])
            kept = present * tf.cast(keep, tf.float32)
            # An item that would lose all keeps all: a query cannot be taught to find an item that shows nothing.
            lost = tf.reduce_sum(kept, axis=1, keepdims=True) < 0.5
            present = tf.where(lost, present, kept)
        absent = tf.cast(self.absent, tf.float32)[tf.newaxis]
        vectors = tf.where(present[..., tf.newaxis] > 0.5, vectors, unit_length(absent))
        embedding, weights = self.fusion(vectors, present, training=training)
        return embedding, {"weights": weights}

    def _modality(self, name: str, items: Mapping[str, tf.Tensor], training: bool) -> tuple[tf.Tensor, tf.Tensor]:
        if name == ID:
            return self.id_dropout(self.id_embedding(items[ID]), training=training), items[ID] > 0
        if name == ATTRIBUTES:
            vector, present = self.attribute_embedding({f.name: items[f.name] for f in self.attributes})
            return self.projections[name](vector, training=training), present
        content, encoder = items[name], self.encoders[name]
        if not is_encoded(content, encoder):
            content = encoder(content, training=training)
        return self.projections[name](content, training=training), items[f"{name}.present"]


def is_encoded(content: tf.Tensor, encoder: Encoder) -> bool:
    """Whether `content` holds the encoder's vectors already, rather than what its `prepare` gives."""
    spec = encoder.content_spec
    return content.shape[1:] == [encoder.dimension] and not (
        content.shape[1:] == spec.shape and content.dtype == spec.dtype
    )
