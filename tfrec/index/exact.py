"""Exact top-k over all candidates: one matrix product and a top_k, of stock TensorFlow ops."""

from __future__ import annotations

import numpy as np
import tensorflow as tf

from tfrec.index.found import best_of_all
from tfrec.index.interface import Allowed

SHORTEST = 1e-9


class ExactIndex(tf.Module):
    """Finds the items with the largest dot product, see `tfrec.index.interface.Index`.

    Args:
        vectors: float32 [N, D], one row per item.
        k: how many are found; where fewer remain the places are filled with -1.
    """

    def __init__(self, vectors: np.ndarray, k: int, name: str = "exact_index"):
        super().__init__(name)
        self.k = k
        self.size = len(vectors)
        # Transposed: for a batch of queries this halves the time of the product.
        self.vectors = tf.Variable(np.ascontiguousarray(vectors.T), trainable=False, name="vectors", dtype=tf.float32)
        lengths = np.maximum(np.linalg.norm(vectors, axis=1), SHORTEST)
        self.lengths = tf.Variable(lengths, trainable=False, name="lengths", dtype=tf.float32)

    def vectors_of(self, positions: tf.Tensor) -> tf.Tensor:
        """The vectors of the items at `positions` int32 [...], float32 [..., D]; any vector where it is -1."""
        found = tf.gather(self.vectors, tf.reshape(tf.maximum(positions, 0), [-1]), axis=1)
        return tf.reshape(tf.transpose(found), tf.concat([tf.shape(positions), [self.vectors.shape[0]]], axis=0))

    def scores(self, queries: tf.Tensor) -> tf.Tensor:
        """Dot products of queries float32 [B, D] with all items, float32 [B, N]."""
        return tf.matmul(queries, self.vectors)

    def cosines(self, queries: tf.Tensor) -> tf.Tensor:
        """Cosines of queries float32 [B, D] with all items, float32 [B, N]; 0 where a vector is nothing.

        What likeness is measured by: in a dot product long vectors, which are those of popular items, are like all.
        """
        own = tf.maximum(tf.norm(queries, axis=1, keepdims=True), SHORTEST)
        return self.scores(queries) / own / self.lengths

    def recommend(
        self, queries: tf.Tensor, excluded: tf.Tensor, allowed: Allowed | None = None
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """Items with the largest dot products with queries float32 [B, D]; see `tfrec.index.interface.Index`."""
        return self.top_k(self.scores(queries), excluded, allowed)

    def top_k(
        self, scores: tf.Tensor, excluded: tf.Tensor, allowed: Allowed | None = None
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """The best items that are not excluded.

        Args:
            scores: float32 [B, N].
            excluded: int32 [B, X], positions that must not be found; -1 excludes nothing.
            allowed: which of the others may be found; all if None.

        Returns:
            Positions int32 [B, k], best first, -1 where fewer than k remain, and their scores float32 [B, k], 0 there.
        """
        return best_of_all(scores, excluded, allowed, self.k, self.size)
