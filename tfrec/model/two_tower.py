"""The two-tower retrieval model, a `tfrs.Model`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import tensorflow as tf
import tensorflow_recommenders as tfrs

from tfrec.config import Model as ModelSettings
from tfrec.config import Training
from tfrec.encoders.base import Encoder
from tfrec.model.language_loss import language_loss
from tfrec.model.losses import (
    corrected_logits,
    counted,
    in_batch_softmax,
    marked,
    multi_target_softmax,
    softmax_of_members,
    summed,
)
from tfrec.model.replicas import gathered, over_replicas, replica_count
from tfrec.model.sharded_table import LookedUp, ShardedTable
from tfrec.schema import Schema
from tfrec.towers.collaborative_query import CollaborativeQueryTower
from tfrec.towers.collaborative_tower import CollaborativeItemTower
from tfrec.towers.item_tower import ID, ItemTower, is_encoded
from tfrec.towers.query_tower import QueryTower, TextQuery
from tfrec.towers.sides import member_of_rows

# With more items than this for each place in a history, its items are gathered; with fewer, a product is cheaper.
GATHERED_ABOVE = 16
# With more items than this in a step, members are asked one by one; with fewer, one product of all of them is cheaper.
ASKED_APART_ABOVE = 4096


class TwoTower(tfrs.Model):
    """Item tower, query tower and the loss that brings them together.

    A batch (see `tfrec.training.batches`) holds the content of the batch's unique items once; histories and targets
    are numbers into these items, so an item is encoded once however often it occurs, and its gradients add up.

    Under a strategy with several replicas each holds a share of the batch's rows and of its items. It encodes its
    items, sees the embeddings of all, and computes its rows' part of the loss of the whole batch: candidates, their
    sampling probabilities and gradients are those of one device with the same batch.

    Args:
        schema, settings, training: sections of the configuration.
        encoders: the encoder of each content feature.
        item_sizes, query_sizes: how many codes each attribute has.
        known_items: how many items have an id vector of their own.
    """

    def __init__(
        self,
        schema: Schema,
        settings: ModelSettings,
        training: Training,
        encoders: Mapping[str, Encoder],
        item_sizes: Mapping[str, int],
        query_sizes: Mapping[str, int],
        known_items: int,
    ):
        super().__init__()
        self.settings = settings
        self.objective = training.objective
        self.use_logq = training.logq
        self.accumulate = training.accumulate
        self.collaborative = settings.content == "regression"
        # While steps are taken whose replicas divide the item table among them, where its rows are.
        self.shards: ShardedTable | None = None
        # Places that hold nothing are passed over where shapes may depend on how many there are.
        self.static_shapes = training.jit or training.strategy == "tpu"
        # What a step returns is that of the whole batch already; Keras would add up the replicas'.
        self.distribute_reduction_method = "first"
        item_tower = CollaborativeItemTower if self.collaborative else ItemTower
        self.item_tower = item_tower(schema, settings, encoders, item_sizes, known_items, name="item_tower")
        if self.collaborative:
            self.query_tower = CollaborativeQueryTower(schema, settings, query_sizes, name="query_tower")
        else:
            self.query_tower = QueryTower(schema, settings, query_sizes, self.item_tower.width, name="query_tower")
        self.text_feature = search_feature(schema) if settings.use_search else ""
        # A table of vectors is finished before free text is taught to meet it, see `tfrec.training.search`.
        self.search_weight = training.search_weight if self.text_feature and not self.collaborative else 0.0
        if self.text_feature:
            self.text_query = TextQuery(settings, self.item_tower.width, name="text_query")

    def encode_items(self, items: Mapping[str, tf.Tensor], training: bool = False) -> tf.Tensor:
        """Item embeddings, float32 [U, width]; `items` as `ItemTower.call` takes them."""
        return self.item_tower(items, training=training)[0]

    def encode_text_query(self, content: tf.Tensor, training: bool = False) -> tf.Tensor:
        """Queries float32 [B, width] from free text prepared by, or encoded by, the encoder of `text_feature`."""
        encoder = self.item_tower.encoders[self.text_feature]
        if not is_encoded(content, encoder):
            content = encoder(content, training=training)
        return self.text_query(content, training=training)

    def compute_loss(
        self, inputs: Mapping[str, Any], training: bool = False, looked_up: LookedUp | None = None
    ) -> tf.Tensor:
        """The mean loss over the rows of a batch, a float32 scalar; of a share, its part: the parts add up to it.

        Args:
            inputs: a batch or a share.
            looked_up: the rows of a table that the replicas divide among them; None reads them from the item tower.
        """
        if looked_up is not None:
            embeddings = over_replicas(self.item_tower.of_rows(looked_up.values, looked_up.numbers))
        else:
            embeddings = self.encode_items(inputs["items"], training=training)
            if self.collaborative:
                embeddings = embeddings[:, : self.item_tower.member_width]
            embeddings = gathered(embeddings)
        # Shares are of one size; what fills up the last one is cut off.
        embeddings = embeddings[: inputs["sampling_probability"].shape[0]]
        history = inputs["history"]
        if self.objective == "retrieval":
            queries = self._queries(embeddings, history, inputs["features"], training)
            loss = self._in_batch_loss(queries, embeddings, inputs)
        else:
            if self.collaborative and embeddings.shape[0] > ASKED_APART_ABOVE:
                losses, rows = self._loss_of_members(embeddings, inputs, training)
            else:
                queries = self._queries(embeddings, history, inputs["features"], training)
                logits = self._logits(queries, embeddings, inputs)
                excluded = marked(history, logits.shape[1])
                losses, rows = multi_target_softmax(logits, inputs["targets"], inputs["target_weights"], excluded)
            loss = losses / tf.maximum(over_replicas(rows), 1.0)
        if self.search_weight:
            loss += self.search_weight * self._search_loss(embeddings, inputs, training)
        # A table of items is trained on ids alone; its encoders learned before it.
        if not training or self.collaborative:
            return loss
        return loss + language_loss(self.item_tower.encoders, inputs["items"]) / replica_count()

    def _queries(
        self, embeddings: tf.Tensor, history: tf.Tensor, features: Mapping[str, tf.Tensor], training: bool
    ) -> tf.Tensor:
        if self.collaborative:
            # Wide vectors are too much to gather for every item of every history; a product gives the same sums.
            touched = tf.cast(marked(history, embeddings.shape[0]), tf.float32)
            count = tf.reduce_sum(touched, axis=1, keepdims=True)
            queries = self.query_tower.of_members(tf.matmul(touched, embeddings), count, features, training=training)
            return queries * member_of_rows(history.shape[0], embeddings.shape[1], self.settings.members)
        if embeddings.shape[0] > GATHERED_ABOVE * history.shape[1]:
            touched = tf.gather(embeddings, tf.maximum(history, 0))
            return self.query_tower(touched, tf.cast(history >= 0, tf.float32), features, training=training)
        touched = counted(history, embeddings.shape[0])
        count = tf.reduce_sum(tf.cast(history >= 0, tf.float32), axis=1, keepdims=True)
        mean = tf.matmul(touched, embeddings) / tf.maximum(count, 1.0)
        # One entry that counts for all.
        return self.query_tower(mean[:, tf.newaxis], count, features, training=training)

    def _loss_of_members(
        self, embeddings: tf.Tensor, inputs: Mapping[str, Any], training: bool
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """What `multi_target_softmax` gives for the products of queries and items, without those that are of zeros.

        Each row is a question to one member: of an item it needs a quarter where there are two, and of a history the
        items that are in it.
        """
        history, targets = inputs["history"], inputs["targets"]
        members, items = self.settings.members, embeddings.shape[0]
        rows = history.shape[0]
        parts = tf.transpose(tf.reshape(embeddings, [items, members, -1]), [1, 0, 2])
        dimension = self.settings.dimension
        read_by = tf.reshape(parts[..., dimension + 1 :], [members * items, -1])
        member = tf.range(rows)[:, tf.newaxis] // (rows // members)
        read, count = summed(read_by, tf.where(history >= 0, history + items * member, -1), static=self.static_shapes)
        queries = self.query_tower.of_one_member(read, count, inputs["features"], training=training)
        asked = tf.reshape(queries, [members, rows // members, -1])
        added = corrected_logits(tf.zeros([1, items]), inputs["sampling_probability"])[0] if self.use_logq else 0.0
        weight = parts[..., dimension] / self.settings.temperature + added
        return softmax_of_members(
            tf.concat([asked / self.settings.temperature, tf.ones_like(asked[..., :1])], axis=-1),
            tf.concat([parts[..., :dimension], weight[..., tf.newaxis]], axis=-1),
            targets,
            inputs["target_weights"],
            history,
            self.static_shapes,
        )

    def _logits(self, queries: tf.Tensor, embeddings: tf.Tensor, inputs: Mapping[str, Any]) -> tf.Tensor:
        logits = tf.matmul(queries, embeddings, transpose_b=True) / self.settings.temperature
        return corrected_logits(logits, inputs["sampling_probability"]) if self.use_logq else logits

    def _in_batch_loss(self, queries: tf.Tensor, embeddings: tf.Tensor, inputs: Mapping[str, Any]) -> tf.Tensor:
        targets = inputs["targets"][:, 0]
        weights = tf.where(targets >= 0, inputs["target_weights"][:, 0], 0.0)
        added = tf.zeros([embeddings.shape[0]])
        if self.use_logq:
            added = corrected_logits(added[tf.newaxis], inputs["sampling_probability"])[0]
        queries /= self.settings.temperature
        targets = tf.maximum(targets, 0)
        candidates, counting = gathered(targets), gathered(tf.cast(weights > 0, tf.float32))
        losses = in_batch_softmax(queries, embeddings, added, targets, weights, candidates, counting)
        return losses / tf.maximum(tf.reduce_sum(counting), 1.0)

    def _search_loss(self, embeddings: tf.Tensor, inputs: Mapping[str, Any], training: bool) -> tf.Tensor:
        """Each searched item must be found by a text of its own among the items of the batch."""
        queries = self.encode_text_query(inputs["search_text"], training=training)
        logits = self._logits(queries, embeddings, inputs)
        items = inputs["search_items"]
        losses = tf.nn.sparse_softmax_cross_entropy_with_logits(tf.maximum(items, 0), logits)
        weights = tf.cast(items >= 0, tf.float32)
        return tf.reduce_sum(weights * losses) / tf.maximum(over_replicas(tf.reduce_sum(weights)), 1.0)

    @tf.autograph.experimental.do_not_convert  # Converting the source of every Keras layer takes most of tracing.
    def train_step(self, inputs: Mapping[str, Any]) -> dict[str, tf.Tensor]:
        """One step: the loss, its gradients added up over `accumulate` batches, and the change of the weights."""
        looked_up = self.shards.look_up(inputs["items"][ID]) if self.shards else None
        rows = [looked_up.values] if looked_up else []
        with tf.GradientTape() as tape:
            tape.watch(rows)
            loss = self.compute_loss(inputs, training=True, looked_up=looked_up)
            # The optimizer adds up the replicas' gradients.
            scaled = loss + sum(self.losses, 0.0) / replica_count()
            if isinstance(self.optimizer, tf.keras.mixed_precision.LossScaleOptimizer):
                scaled = self.optimizer.get_scaled_loss(scaled)
        gradients, of_rows = tape.gradient(scaled, [self.trainable_variables, rows])
        if isinstance(self.optimizer, tf.keras.mixed_precision.LossScaleOptimizer):
            gradients = self.optimizer.get_unscaled_gradients(gradients)
        # Weights that this phase does not use, such as those of an encoder kept as it is, have no gradient.
        pairs = [(g, variable) for g, variable in zip(gradients, self.trainable_variables) if g is not None]
        if self.accumulate == 1:
            self.optimizer.apply_gradients(pairs)
            if self.shards and looked_up:
                table = self.item_tower.id_embedding.embeddings
                self.optimizer.change_rows(of_rows[0], looked_up.places, self.shards.own, table)
        else:
            self._accumulate(pairs)
        return {"loss": over_replicas(loss)}

    def store_table(self) -> None:
        """Bring rows that the replicas hold back into the item tower, which everybody reads but the train step."""
        if self.shards is not None:
            self.shards.store(int(self.optimizer.iterations.numpy()))

    def build_accumulators(self) -> None:
        """Make the variables that hold the added-up gradients; called once, before the train step is traced."""
        self.accumulated = list(self.trainable_variables)
        self.gradient_sums = [
            tf.Variable(tf.zeros_like(variable), trainable=False, name="gradient_sum") for variable in self.accumulated
        ]
        self.batches_seen = tf.Variable(0, trainable=False, dtype=tf.int64, name="batches_seen")

    def _accumulate(self, pairs: list) -> None:
        by_variable = {variable.ref(): total for variable, total in zip(self.accumulated, self.gradient_sums)}
        sums = [(by_variable[variable.ref()], variable) for _, variable in pairs]
        for (gradient, _), (total, _) in zip(pairs, sums):
            total.assign_add(tf.convert_to_tensor(gradient) / self.accumulate)
        self.batches_seen.assign_add(1)

        def apply_sums() -> None:
            self.optimizer.apply_gradients(sums)
            for total, _ in sums:
                total.assign(tf.zeros_like(total))

        tf.cond(self.batches_seen % self.accumulate == 0, apply_sums, lambda: None)

    @tf.autograph.experimental.do_not_convert
    def test_step(self, inputs: Mapping[str, Any]) -> dict[str, tf.Tensor]:
        """The loss of a batch without dropout."""
        return {"loss": over_replicas(self.compute_loss(inputs, training=False))}


def search_feature(schema: Schema) -> str:
    """The text feature whose encoder reads free-text queries: the first one, or "" where the catalogue has no text."""
    texts = schema.content("text")
    return texts[0].name if texts else ""
