"""The item tower that learns from who touched an item first, and from its content what to think of it before."""

from __future__ import annotations

from collections.abc import Mapping

import tensorflow as tf

from tfrec.config import Model as ModelSettings
from tfrec.encoders.base import Encoder
from tfrec.schema import Schema
from tfrec.towers.content_regression import ContentRegression
from tfrec.towers.item_tower import ATTRIBUTES, ID, is_encoded
from tfrec.towers.sides import width_of_members


class CollaborativeItemTower(tf.keras.layers.Layer):
    """Encodes items by a table of vectors, and those not in it by what their content predicts.

    Content cannot dilute what the events say: steps of training change the table alone. Afterwards the vectors of the
    table are regressed on content (`tfrec.training.regression`), which places items nobody has touched. An item with
    few events stands between both, by n / (n + k) on its own side, where validation shows a gain.

    Args:
        schema, settings, encoders, sizes, known_items: as of `ItemTower`.
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
        self.encoders = dict(encoders)
        self.content = schema.content()
        self.fused = ((ATTRIBUTES,) if schema.attributes() else ()) + tuple(f.name for f in self.content)
        self.modalities = (ID, *self.fused)
        self.known_items = known_items
        self.member_width = width_of_members(settings.dimension, settings.members)
        self.width = self.member_width + settings.factors
        self.id_embedding = tf.keras.layers.Embedding(
            known_items + 1, self.member_width, tf.keras.initializers.RandomNormal(stddev=0.05), name=ID
        )
        # Content is read from the moment that regression has learned to; before, it would be computed for nothing.
        self.reads_content = False
        if self.fused:
            self.regression = ContentRegression(schema, encoders, sizes, known_items, self.width, name="regression")

    def build(self, input_shape):
        if self.settings.factors:
            self.factors = self.add_weight(
                "factors", [self.known_items + 1, self.settings.factors], initializer="zeros", trainable=False
            )
        # How much of an item's vector is its own; 1 until `tfrec.training.regression` has found what is best.
        self.own_share = self.add_weight("own_share", [self.known_items + 1], initializer="ones", trainable=False)

    def call(self, items: Mapping[str, tf.Tensor], training: bool = False) -> tuple[tf.Tensor, dict[str, tf.Tensor]]:
        """Encode items; arguments and what is returned as of `ItemTower.call`, the embedding of any length."""
        number = items[ID]
        known = tf.cast(number > 0, tf.float32)
        own = self.of_rows(self.id_embedding(number), number)
        if self.settings.factors:
            own = tf.concat([own, tf.gather(self.factors, number) * known[:, tf.newaxis]], axis=-1)
        share = known * tf.gather(self.own_share, number)
        if training or not self.fused or not self.reads_content:
            # An item that neither was touched nor is described is nobody's; zeros put it behind all others but those
            # that are less than average.
            nothing = tf.zeros([tf.shape(number)[0], len(self.fused)])
            return own, {"weights": tf.concat([known[:, tf.newaxis], nothing], axis=-1)}
        predicted, weights = self.regression(self._encoded(items))
        embedding = share[:, tf.newaxis] * own + (1 - share[:, tf.newaxis]) * predicted
        return embedding, {"weights": tf.concat([share[:, tf.newaxis], weights * (1 - share[:, tf.newaxis])], axis=-1)}

    def of_rows(self, rows: tf.Tensor, number: tf.Tensor) -> tf.Tensor:
        """The members' part of embeddings, float32 [U, width of members], from rows of the table.

        Args:
            rows: float [U, width of members].
            number: int [U], which rows they are; row 0 is that of all items without one.
        """
        rows = tf.cast(tf.cast(rows, self.id_embedding.compute_dtype), tf.float32)
        return rows * tf.cast(number > 0, tf.float32)[:, tf.newaxis]

    def _encoded(self, items: Mapping[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        inputs = dict(items)
        for feature in self.content:
            encoder = self.encoders[feature.name]
            if not is_encoded(items[feature.name], encoder):
                inputs[feature.name] = encoder(items[feature.name], training=False)
        return inputs
