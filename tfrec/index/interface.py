"""What the servable asks of an index of item vectors."""

from __future__ import annotations

from typing import Protocol

import tensorflow as tf


class Index(Protocol):
    """Item vectors, by position in the catalogue; a `tf.Module`, so that it is saved with the servable.

    Attributes:
        k: how many are found.
        size: N, how many items there are.
    """

    k: int
    size: int

    def vectors_of(self, positions: tf.Tensor) -> tf.Tensor:
        """The vectors of the items at `positions` int32 [...], float32 [..., D]; any vector where it is -1."""

    def recommend(self, queries: tf.Tensor, excluded: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Items with the largest dot products with queries float32 [B, D], but for positions `excluded` int32 [B, X].

        Returns:
            Positions int32 [B, k], best first, -1 where fewer than k remain, and their scores float32 [B, k], 0 there.
        """

    def cosines(self, queries: tf.Tensor) -> tf.Tensor:
        """Cosines of queries float32 [B, D] with all items, float32 [B, N]; 0 where a vector is nothing."""

    def top_k(self, scores: tf.Tensor, excluded: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """As `recommend`, by scores float32 [B, N] that were made of all items."""
