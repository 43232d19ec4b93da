"""What the servable asks of an index of item vectors."""

from __future__ import annotations

from typing import Protocol

import tensorflow as tf


class Allowed(Protocol):
    """Which items each query of a batch may find, beside those it excludes."""

    def part(self, rows: slice) -> Allowed:
        """The same for some of the queries."""

    def at(self, items: tf.Tensor) -> tf.Tensor:
        """Whether the items at positions int32 [B, W] may be found, bool [B, W]."""

    def everywhere(self) -> tf.Tensor:
        """Whether each item may be found, bool [B, N], or [B, 1] or [1, 1] where it is the same for all."""


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

    def recommend(
        self, queries: tf.Tensor, excluded: tf.Tensor, allowed: Allowed | None = None
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """Items with the largest dot products with queries float32 [B, D], but for positions `excluded` int32 [B, X].

        Args:
            allowed: which of them may be found; all if None.

        Returns:
            Positions int32 [B, k], best first, -1 where fewer than k remain, and their scores float32 [B, k], 0 there.
        """

    def cosines(self, queries: tf.Tensor) -> tf.Tensor:
        """Cosines of queries float32 [B, D] with all items, float32 [B, N]; 0 where a vector is nothing."""

    def top_k(
        self, scores: tf.Tensor, excluded: tf.Tensor, allowed: Allowed | None = None
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """As `recommend`, by scores float32 [B, N] that were made of all items."""
