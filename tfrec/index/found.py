"""What every index does with scores: hide what must not be found, and take the best of the rest."""

from __future__ import annotations

import tensorflow as tf

from tfrec.index.interface import Allowed

LOWEST = -1e30


def best_of_all(
    scores: tf.Tensor, excluded: tf.Tensor, allowed: Allowed | None, k: int, size: int
) -> tuple[tf.Tensor, tf.Tensor]:
    """The k best of all items by scores float32 [B, size] that are allowed and not excluded; returns as `best`."""
    if allowed is not None:
        scores = tf.where(allowed.everywhere(), scores, LOWEST)
    return best(hidden(scores, excluded), k, size)


def hidden(scores: tf.Tensor, columns: tf.Tensor) -> tf.Tensor:
    """The scores float32 [B, M] with those at `columns` int32 [B, X] set to `LOWEST`; -1 hides nothing."""
    # Columns of -1 go to one place more, which is cut off again.
    batch, width = tf.shape(scores)[0], tf.shape(scores)[1]
    rows = tf.repeat(tf.range(batch), tf.shape(columns)[1])
    places = tf.reshape(tf.where(columns < 0, width, columns), [-1])
    padded = tf.pad(scores, [[0, 0], [0, 1]])
    return tf.tensor_scatter_nd_update(
        padded, tf.stack([rows, places], axis=1), tf.fill([tf.size(places)], tf.constant(LOWEST))
    )[:, :width]


def best(scores: tf.Tensor, k: int, width: int) -> tuple[tf.Tensor, tf.Tensor]:
    """The k largest scores of each row.

    Args:
        scores: float32 [B, M]; `LOWEST` where nothing may be found.
        k: how many.
        width: M.

    Returns:
        Columns int32 [B, k], best first, -1 where fewer than k remain, and their scores float32 [B, k], 0 there.
    """
    found, columns = tf.math.top_k(scores, min(k, width))
    missing = [[0, 0], [0, max(k - width, 0)]]
    found = tf.pad(found, missing, constant_values=LOWEST)
    columns = tf.pad(columns, missing, constant_values=-1)
    there = found > LOWEST / 2
    return tf.where(there, columns, -1), tf.where(there, found, 0.0)
