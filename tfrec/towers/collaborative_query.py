"""The query tower of items with two sides: several members' queries and least-squares factors, from one history."""

from __future__ import annotations

from collections.abc import Mapping

import tensorflow as tf

from tfrec.config import Model as ModelSettings
from tfrec.schema import Schema
from tfrec.towers.correction import QueryCorrection
from tfrec.towers.least_squares import CONFIDENCE, LeastSquaresQuery
from tfrec.towers.sides import query_sides, read_by_queries, read_side, width_of_members


class CollaborativeQueryTower(tf.keras.layers.Layer):
    """Encodes who asks: the sum of what the history is read by, divided by its length and a little more.

    A history of n items is read as sum / (n + `history_shrinkage`): the less is known of somebody, the nearer their
    query is to none, where the items' own weights, which is popularity, decide.

    Args:
        schema, settings, sizes: as of `QueryTower`.
    """

    def __init__(self, schema: Schema, settings: ModelSettings, sizes: Mapping[str, int], **kwargs):
        super().__init__(dtype="float32", **kwargs)
        self.settings = settings
        self.member_width = width_of_members(settings.dimension, settings.members)
        self.correction = QueryCorrection(
            schema, settings, sizes, settings.members * settings.dimension, name="correction"
        )
        self.user_features = self.correction.user_features
        self.context_features = self.correction.context_features
        self.dropout = tf.keras.layers.Dropout(settings.dropout, dtype="float32")
        if settings.factors:
            self.least_squares = LeastSquaresQuery(settings.factors, CONFIDENCE, name="least_squares")

    def call(
        self, history: tf.Tensor, mask: tf.Tensor, features: Mapping[str, tf.Tensor], training: bool = False
    ) -> tf.Tensor:
        """Encode queries, float32 [B, width]; arguments as of `QueryTower.call`."""
        count = tf.reduce_sum(mask, axis=1, keepdims=True)
        total = tf.einsum("bh,bhd->bd", mask, history[..., : self.member_width])
        members = self.of_members(total, count, features, training=training)
        if not self.settings.factors:
            return members
        return tf.concat([members, self.least_squares(history[..., self.member_width :], mask)], axis=-1)

    def parts(
        self, history: tf.Tensor, mask: tf.Tensor, features: Mapping[str, tf.Tensor]
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """What a query is the sum of: see `QueryTower.parts`. Here the parts of the history are exact."""
        members, dimension = self.settings.members, self.settings.dimension
        width = tf.shape(history)[1]
        count = tf.reduce_sum(mask, axis=1, keepdims=True)
        counted = mask / tf.maximum(count + self.settings.history_shrinkage, 1e-9)
        read = history[..., : self.member_width] * counted[..., tf.newaxis]
        read = read_side(tf.reshape(read, [-1, self.member_width]), members)
        of_history = tf.reshape(
            read_by_queries(tf.reshape(read, [-1, members, dimension])), [-1, width, self.member_width]
        )
        rest = query_sides(tf.reshape(self.correction(count, features), [-1, members, dimension]))
        if not self.settings.factors:
            return of_history, rest
        of_factors = self.least_squares.parts(history[..., self.member_width :], mask)
        return tf.concat([of_history, of_factors], axis=-1), tf.pad(rest, [[0, 0], [0, self.settings.factors]])

    def of_members(
        self, total: tf.Tensor, count: tf.Tensor, features: Mapping[str, tf.Tensor], training: bool = False
    ) -> tf.Tensor:
        """The members' part of queries, float32 [B, width of members].

        Args:
            total: sums of the members' part of the items touched, float32 [B, width of members].
            count: how many items the sums are of, float32 [B, 1].
        """
        members, dimension = self.settings.members, self.settings.dimension
        pooled = self._pooled(read_side(total, members), count)
        # The correction does not read the history: a second way for it would tie the members together.
        queries = pooled + self.correction(count, features, training=training)
        queries = self.dropout(queries, training=training)
        return query_sides(tf.reshape(queries, [-1, members, dimension]))

    def of_one_member(
        self, total: tf.Tensor, count: tf.Tensor, features: Mapping[str, tf.Tensor], training: bool = False
    ) -> tf.Tensor:
        """The query of one member for each row, float32 [B, d]: the first rows are of the first one, as many of each.

        Args:
            total: sums of what that member's side of the items touched is read by, float32 [B, d].
            count: how many items the sums are of, float32 [B, 1].
        """
        members, dimension = self.settings.members, self.settings.dimension
        corrections = tf.reshape(self.correction(count, features, training=training), [members, -1, members, dimension])
        own = tf.concat([corrections[member, :, member] for member in range(members)], axis=0)
        return self.dropout(self._pooled(total, count) + own, training=training)

    def _pooled(self, total: tf.Tensor, count: tf.Tensor) -> tf.Tensor:
        return total / tf.maximum(count + self.settings.history_shrinkage, 1e-9)
