"""The best of the items that a request lists itself: few, so that they are compared one by one, with any index."""

from __future__ import annotations

import tensorflow as tf

from tfrec.index.found import LOWEST, best, hidden


def best_of_listed(listed: tf.Tensor, scores: tf.Tensor, excluded: tf.Tensor, k: int) -> tuple[tf.Tensor, tf.Tensor]:
    """The best of listed items that are not excluded.

    Args:
        listed: positions int32 [B, A] in ascending order, -1 for none; one that is listed twice is found once.
        scores: float32 [B, A]; `LOWEST` where an item may not be found.
        excluded: positions int32 [B, X], -1 excludes nothing.
        k: how many.

    Returns:
        Positions int32 [B, k], best first, -1 where fewer than k remain, and their scores float32 [B, k], 0 there.
    """
    width = listed.shape[1]
    repeated = tf.pad(listed[:, 1:] == listed[:, :-1], [[0, 0], [1, 0]])
    scores = tf.where((listed >= 0) & ~repeated, scores, LOWEST)
    columns = tf.searchsorted(listed, excluded)
    # Where an excluded item is not listed, the column is that of a larger one, or behind all.
    there = tf.gather(listed, tf.minimum(columns, width - 1), batch_dims=1) == excluded
    columns, scores = best(hidden(scores, tf.where(there & (excluded >= 0), columns, -1)), k, width)
    return tf.where(columns >= 0, tf.gather(listed, tf.maximum(columns, 0), batch_dims=1), -1), scores
