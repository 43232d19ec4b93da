"""Top-k in the blocks of a partition that look most promising: less work than over all items, of stock TensorFlow ops.

Scores are exact; only an item whose block is not looked into can be missed. Vectors stay float32: to read them as int8
or bfloat16 and to compute the best again was measured, and gained nothing on one query.
"""

from __future__ import annotations

import numpy as np
import tensorflow as tf

from tfrec.index.exact import SHORTEST
from tfrec.index.found import LOWEST, best, best_of_all, hidden
from tfrec.index.interface import Allowed
from tfrec.index.partition import Partition, summaries

# Queries that are answered at once: the vectors gathered for them stay in the cache, and memory is bounded.
TOGETHER = 8
AT_A_TIME = 2
# Filters that leave little have more blocks looked into, up to this share; beyond that all items are compared, which
# is quicker than to gather so many.
WIDEST = 0.25


class PartitionedIndex(tf.Module):
    """Finds items with large dot products, see `tfrec.index.interface.Index`.

    Each query looks into the `probes` blocks whose best score is likely largest: the score of the block's mean vector,
    plus `spread` times the length of the query times the spread of the block. Where only a share of the items in them
    is allowed, more blocks are looked into accordingly. Where that would be more than a quarter of all, or fewer than k
    items are left in the blocks, the whole catalogue is looked through, so k stays full and little is missed.

    Args:
        vectors: float32 [N, D], one row per item.
        partition: the blocks of these items.
        probes: how many blocks are looked into.
        spread: how many spreads above its mean a block's best score is taken to be.
        k: how many are found; where fewer remain the places are filled with -1.
        promise: what `promises` gives for them, where it is known.
    """

    def __init__(
        self,
        vectors: np.ndarray,
        partition: Partition,
        probes: int,
        spread: float,
        k: int,
        promise: np.ndarray | None = None,
        name: str = "partitioned_index",
    ):
        super().__init__(name)
        self.k = k
        self.size = len(vectors)
        self.blocks, self.rows = partition.items.shape
        self.probes = min(probes, self.blocks)
        width = vectors.shape[1]
        held = np.where((partition.items >= 0)[:, :, np.newaxis], vectors[np.maximum(partition.items, 0)], 0)
        # One row per slot; a slot is a place in a block.
        self.held = _constant(held.reshape(-1, width), "held", tf.float32)
        self.items = _constant(partition.items, "items", tf.int32)
        self.slots = _constant(partition.slots(), "slots", tf.int32)
        lengths = np.maximum(np.linalg.norm(vectors, axis=1), SHORTEST)
        self.lengths = _constant(lengths, "lengths", tf.float32)
        promise = promises(vectors, partition, spread) if promise is None else promise
        self.promise = _constant(promise, "promise", tf.float32)
        # What is needed when items are added.
        self.centres = _constant(partition.centres, "centres", tf.float32)
        self.directions = _constant(partition.directions, "directions", tf.int32)
        self.spread = _constant(spread, "spread", tf.float32)

    def vectors_of(self, positions: tf.Tensor) -> tf.Tensor:
        """The vectors of the items at `positions` int32 [...], float32 [..., D]; any vector where it is -1."""
        return tf.gather(_read(self.held), tf.gather(_read(self.slots), tf.maximum(positions, 0)))

    def scores(self, queries: tf.Tensor) -> tf.Tensor:
        """Dot products of queries float32 [B, D] with all items, float32 [B, N]."""
        return tf.gather(tf.matmul(queries, self.held, transpose_b=True), _read(self.slots), axis=1)

    def cosines(self, queries: tf.Tensor) -> tf.Tensor:
        """Cosines of queries float32 [B, D] with all items, float32 [B, N]; 0 where a vector is nothing."""
        own = tf.maximum(tf.norm(queries, axis=1, keepdims=True), SHORTEST)
        return self.scores(queries) / own / self.lengths

    def top_k(
        self, scores: tf.Tensor, excluded: tf.Tensor, allowed: Allowed | None = None
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """The best items that are allowed and not excluded, of scores float32 [B, N]; see `ExactIndex.top_k`."""
        return best_of_all(scores, excluded, allowed, self.k, self.size)

    def recommend(
        self, queries: tf.Tensor, excluded: tf.Tensor, allowed: Allowed | None = None
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """Items with large dot products with queries float32 [B, D]; see `tfrec.index.interface.Index`."""
        batch = tf.shape(queries)[0]
        parts = tf.maximum(1, (batch + TOGETHER - 1) // TOGETHER)
        positions = tf.TensorArray(tf.int32, parts, element_shape=[None, self.k], infer_shape=False)
        scores = tf.TensorArray(tf.float32, parts, element_shape=[None, self.k], infer_shape=False)

        def answer(part, positions, scores):
            rows = slice(part * TOGETHER, (part + 1) * TOGETHER)
            part_allowed = None if allowed is None else allowed.part(rows)
            found, values = self._probed(queries[rows], excluded[rows], part_allowed)
            return part + 1, positions.write(part, found), scores.write(part, values)

        _, positions, scores = tf.while_loop(
            lambda part, *_: part < parts, answer, [0, positions, scores], parallel_iterations=AT_A_TIME
        )
        return tf.reshape(positions.concat(), [batch, self.k]), tf.reshape(scores.concat(), [batch, self.k])

    def _probed(self, queries: tf.Tensor, excluded: tf.Tensor, allowed: Allowed | None) -> tuple[tf.Tensor, tf.Tensor]:
        lengths = tf.norm(queries, axis=1, keepdims=True)
        promise = tf.matmul(tf.concat([queries, lengths], axis=1), self.promise)
        found, scores, share = self._look(queries, promise, self.probes, excluded, allowed)
        if self.probes == self.blocks:
            return found, scores
        enough = tf.ones_like(share, tf.bool)
        if allowed is not None:
            # Where one of ten items passes, the k best that do lie among the 10 k best of all.
            wanted = tf.cast(tf.math.ceil(self.probes / tf.maximum(share, 1 / self.blocks)), tf.int32)
            enough = wanted <= max(self.probes, int(WIDEST * self.blocks))
            wider = enough & (wanted > self.probes)
            found, scores = tf.cond(
                tf.reduce_any(wider),
                lambda: self._widened(queries, promise, tf.where(wider, wanted, 0), excluded, allowed, found, scores),
                lambda: (found, scores),
            )
        done = (enough & tf.reduce_all(found >= 0, axis=1))[:, tf.newaxis]

        def filled() -> tuple[tf.Tensor, tf.Tensor]:
            # What is asked beside a query does not change its answer.
            of_all, of_all_scores = self.top_k(self.scores(queries), excluded, allowed)
            return tf.where(done, found, of_all), tf.where(done, scores, of_all_scores)

        return tf.cond(tf.reduce_all(done), lambda: (found, scores), filled)

    def _widened(
        self,
        queries: tf.Tensor,
        promise: tf.Tensor,
        probes: tf.Tensor,
        excluded: tf.Tensor,
        allowed: Allowed,
        found: tf.Tensor,
        scores: tf.Tensor,
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """What was found, but by looking into `probes` int32 [B] blocks where that is not 0, one query at a time."""

        def answer(row: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
            rows = slice(row, row + 1)

            def look() -> tuple[tf.Tensor, tf.Tensor]:
                of_one = self._look(queries[rows], promise[rows], probes[row], excluded[rows], allowed.part(rows))
                return of_one[0][0], of_one[1][0]

            return tf.cond(probes[row] > 0, look, lambda: (found[row], scores[row]))

        places = (tf.TensorSpec([self.k], tf.int32), tf.TensorSpec([self.k], tf.float32))
        return tf.map_fn(answer, tf.range(tf.shape(queries)[0]), fn_output_signature=places, parallel_iterations=1)

    def _look(
        self,
        queries: tf.Tensor,
        promise: tf.Tensor,
        probes: int | tf.Tensor,
        excluded: tf.Tensor,
        allowed: Allowed | None,
    ) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        """The best items of the `probes` blocks that promise most, and which share of their items is allowed, [B]."""
        probed = tf.math.top_k(promise, probes, sorted=False).indices
        width = probes * self.rows
        dimension = self.held.shape[1]
        held = tf.gather(tf.reshape(_read(self.held), [self.blocks, self.rows * dimension]), probed)
        scores = tf.linalg.matvec(tf.reshape(held, [-1, width, dimension]), queries)
        items = tf.reshape(tf.gather(_read(self.items), probed), [-1, width])
        there = items >= 0
        allowed_there = there if allowed is None else there & allowed.at(tf.maximum(items, 0))
        share = _count(allowed_there) / tf.maximum(_count(there), 1.0)
        scores = hidden(tf.where(allowed_there, scores, LOWEST), self._columns(excluded, probed))
        columns, scores = best(scores, self.k, self.probes * self.rows)
        return tf.where(columns >= 0, tf.gather(items, tf.maximum(columns, 0), batch_dims=1), -1), scores, share

    def _columns(self, excluded: tf.Tensor, probed: tf.Tensor) -> tf.Tensor:
        """Where excluded positions int32 [B, X] are among the slots of the probed blocks, -1 for nowhere."""
        batch, probes = tf.unstack(tf.shape(probed))
        cells = tf.stack([tf.repeat(tf.range(batch), probes), tf.reshape(probed, [-1])], axis=1)
        numbers = tf.tile(tf.range(probes), [batch])
        place = tf.tensor_scatter_nd_update(tf.fill([batch, self.blocks], -1), cells, numbers)
        slot = tf.gather(_read(self.slots), tf.maximum(excluded, 0))
        number = tf.gather(place, slot // self.rows, batch_dims=1)
        return tf.where((excluded >= 0) & (number >= 0), number * self.rows + slot % self.rows, -1)


def promises(vectors: np.ndarray, partition: Partition, spread: float, blocks: np.ndarray | None = None) -> np.ndarray:
    """What a query and its length are multiplied with to tell the likely best score of each block, float32 [D + 1, P].

    With `blocks` int [P] it is that of these alone.
    """
    means, spreads = summaries(vectors, partition, blocks)
    return np.ascontiguousarray(np.concatenate([means, spread * spreads[:, np.newaxis]], axis=1).T)


def renewed(
    promise: np.ndarray, vectors: np.ndarray, partition: Partition, spread: float, changed: np.ndarray
) -> np.ndarray:
    """The promises of a partition of which blocks `changed` int [T], the later ones too, are not as `promise` knew."""
    found = np.zeros((len(promise), len(partition.items)), np.float32)
    found[:, : promise.shape[1]] = promise
    found[:, changed] = promises(vectors, partition, spread, changed)
    return found


def _count(marked: tf.Tensor) -> tf.Tensor:
    """How many of bool [B, W] are marked, float32 [B]."""
    return tf.reduce_sum(tf.cast(marked, tf.float32), axis=1)


def _constant(array, name: str, dtype) -> tf.Variable:
    return tf.Variable(array, trainable=False, name=name, dtype=dtype)


def _read(variable: tf.Variable) -> tf.Tensor:
    """The value of a variable. Gathering from the variable itself makes every later dense read copy all of it."""
    return tf.convert_to_tensor(variable)
