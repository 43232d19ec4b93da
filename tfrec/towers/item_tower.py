"""The item tower: what an item is, in one vector, from any subset of its modalities."""

from __future__ import annotations

from collections.abc import Mapping

import tensorflow as tf

from tfrec.config import Model as ModelSettings
from tfrec.encoders.base import Encoder
from tfrec.errors import ConfigError
from tfrec.schema import Feature, Schema
from tfrec.towers.attributes import AttributeEmbedding
from tfrec.towers.fusion import FUSIONS, unit_length

ID = "id"
ATTRIBUTES = "attributes"


class ItemTower(tf.keras.layers.Layer):
    """Encodes items from coded attributes and content, and from what was learned of the single item.

    All attributes together and each text, image and audio feature are projected to `dimension`; a learned vector
    stands for one that is absent; a fusion makes one unit-length vector of them. An item seen in training adds a
    vector of its own, whose length is learned: what its content does not tell. A new item has none, and stands where
    its content puts it. In training a modality is hidden with `modality_dropout` and the item's own vector with
    `id_dropout`, so that any subset works.

    Args:
        schema: the schema; its item features are the inputs.
        settings: the model section of the configuration.
        encoders: the encoder of each content feature.
        sizes: how many codes each attribute has, by feature name.
        known_items: how many items have an id vector of their own.

    Raises:
        ConfigError: if the items have neither features nor ids to learn from.
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
        self.fused = ((ATTRIBUTES,) if self.attributes else ()) + tuple(feature.name for feature in self.content)
        self.modalities = ((ID,) if settings.use_id else ()) + self.fused
        if not self.modalities:
            raise ConfigError("items have no features and model.use_id is false; set it true or give features")
        if self.attributes:
            self.attribute_embedding = AttributeEmbedding(self.attributes, sizes, dtype="float32", name=ATTRIBUTES)
        self.projections = {
            name: tf.keras.Sequential(
                [tf.keras.layers.Dropout(settings.dropout)]
                + [tf.keras.layers.Dense(width, activation="relu") for width in settings.item_hidden]
                + [tf.keras.layers.Dense(settings.dimension)],
                name=f"project_{name}",
            )
            for name in self.fused
        }
        self.width = settings.dimension
        if self.fused:
            self.fusion = FUSIONS[settings.fusion](
                len(self.fused), settings.dimension, dropout=settings.dropout, name="fusion"
            )
            self.width = self.fusion.width
        self.known_items = known_items
        if settings.use_id:
            self.id_embedding = tf.keras.layers.Embedding(known_items + 1, self.width, _small(), name=ID)
            self.id_element_dropout = tf.keras.layers.Dropout(settings.dropout, dtype="float32")

    def build(self, input_shape):
        if self.fused:
            self.absent = self.add_weight("absent", [len(self.fused), self.settings.dimension], initializer=_small())
        else:
            # Where an item without an id stands that has no features either.
            self.nothing = self.add_weight("nothing", [self.width], initializer=_small())

    def call(self, items: Mapping[str, tf.Tensor], training: bool = False) -> tuple[tf.Tensor, dict[str, tf.Tensor]]:
        """Encode items.

        Args:
            items: `id` int32 [B], 0 for an item without an id vector; coded attributes by feature name; content by
                feature name, either vectors float32 [B, encoder.dimension] or what the encoder's `prepare` gives;
                `<content>.present` bool [B].
            training: whether to drop out, augment and hide modalities.

        Returns:
            The embedding, float32 [B, width], of unit length, and a dict of what is worth
            logging: `weights` [B, M], how much each of `modalities` counts.
        """
        content, weights, some = self._content(items, training)
        if not self.settings.use_id:
            return content, {"weights": weights}
        known = tf.cast(items[ID] > 0, tf.float32)
        if training and self.fused:
            keep = tf.cast(tf.random.uniform(tf.shape(known)) >= self.settings.id_dropout, tf.float32)
            # A query cannot be taught to find an item that shows nothing.
            known *= tf.where(some, keep, 1.0)
        own = self.id_element_dropout(tf.cast(self.id_embedding(items[ID]), tf.float32), training=training)
        own *= known[:, tf.newaxis]
        length = tf.norm(own + 1e-9, axis=-1, keepdims=True)
        share = length / (length + 1.0) if self.fused else tf.ones_like(length)
        return unit_length(content + own), {"weights": tf.concat([share, weights * (1 - share)], axis=-1)}

    def _content(self, items: Mapping[str, tf.Tensor], training: bool) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        """What the features say: unit vectors [B, width], weights [B, M], and whether any is there, bool [B]."""
        if not self.fused:
            size = tf.shape(items[ID])[0]
            fallback = tf.where(items[ID][:, tf.newaxis] > 0, 0.0, self.nothing[tf.newaxis])
            return fallback, tf.zeros([size, 0]), tf.zeros([size], tf.bool)
        vectors, present = [], []
        for name in self.fused:
            vector, there = self._modality(name, items, training)
            vectors.append(unit_length(vector))
            present.append(tf.cast(there, tf.float32))
        vectors, present = tf.stack(vectors, axis=1), tf.stack(present, axis=1)
        if training and len(self.fused) > 1:
            keep = tf.random.uniform(tf.shape(present)) >= self.settings.modality_dropout
            kept = present * tf.cast(keep, tf.float32)
            # An item that would lose all keeps all.
            present = tf.where(tf.reduce_sum(kept, axis=1, keepdims=True) < 0.5, present, kept)
        vectors = tf.where(present[..., tf.newaxis] > 0.5, vectors, unit_length(self.absent[tf.newaxis]))
        embedding, weights = self.fusion(vectors, present, training=training)
        return embedding, weights, tf.reduce_max(present, axis=1) > 0.5

    def _modality(self, name: str, items: Mapping[str, tf.Tensor], training: bool) -> tuple[tf.Tensor, tf.Tensor]:
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


def _small() -> tf.keras.initializers.Initializer:
    return tf.keras.initializers.RandomNormal(stddev=0.05)
