"""Orders found items so that those at the front are not all alike."""

from __future__ import annotations

import tensorflow as tf

from tfrec.index.found import LOWEST

SHORTEST = 1e-9


def diversified(
    positions: tf.Tensor, scores: tf.Tensor, vectors: tf.Tensor, diversity: tf.Tensor
) -> tuple[tf.Tensor, tf.Tensor]:
    """Reorder found items by maximal marginal relevance.

    The next item is the one with the largest (1 - d) relevance - d (largest cosine with an item before it), where d is
    the diversity (Carbonell and Goldstein, "The use of MMR, diversity-based reranking for reordering documents and
    producing summaries", SIGIR 1998, with d = 1 - lambda). Relevance is the score put between 0, the last of the items
    found, and 1, the first, since dot products know no scale.

    Args:
        positions: int32 [B, K], best first, -1 where there is none.
        scores: float32 [B, K].
        vectors: float32 [B, K, D], of the items at these positions.
        diversity: float32 [B], 0 to 1; what is smaller, or NaN, counts as 0, what is larger as 1.

    Returns:
        The same positions and scores in another order; in the same one where the diversity is 0.
    """
    asked = tf.clip_by_value(tf.where(tf.math.is_nan(diversity), 0.0, diversity), 0.0, 1.0)
    return tf.cond(
        tf.reduce_any(asked > 0),
        lambda: _reordered(positions, scores, vectors, asked[:, tf.newaxis]),
        lambda: (positions, scores),
    )


def _reordered(
    positions: tf.Tensor, scores: tf.Tensor, vectors: tf.Tensor, asked: tf.Tensor
) -> tuple[tf.Tensor, tf.Tensor]:
    batch, width = tf.shape(positions)[0], positions.shape[1]
    there = positions >= 0
    highest = scores[:, :1]
    lowest = tf.reduce_min(tf.where(there, scores, highest), axis=1, keepdims=True)
    relevance = (1 - asked) * (scores - lowest) / tf.maximum(highest - lowest, SHORTEST)
    directions = vectors / tf.maximum(tf.norm(vectors, axis=2, keepdims=True), SHORTEST)

    def choose(step, order, nearest, taken):
        # Before the first all are equally far from what was chosen, so the best item stays first: of equals it is the
        # first. Places without an item come last.
        worth = tf.where(there, relevance - asked * nearest, LOWEST / 2)
        chosen = tf.argmax(tf.where(taken, LOWEST, worth), axis=1, output_type=tf.int32)
        likeness = tf.linalg.matvec(directions, tf.gather(directions, chosen, batch_dims=1))
        taken |= tf.one_hot(chosen, width, on_value=True, off_value=False)
        return step + 1, order.write(step, chosen), tf.maximum(nearest, likeness), taken

    order = tf.TensorArray(tf.int32, width, element_shape=[None])
    state = [0, order, tf.fill([batch, width], -1.0), tf.zeros([batch, width], tf.bool)]
    _, order, _, _ = tf.while_loop(lambda step, *_: step < width, choose, state)
    columns = tf.ensure_shape(tf.transpose(order.stack()), [None, width])
    columns = tf.where(asked > 0, columns, tf.range(width))
    return tf.gather(positions, columns, batch_dims=1), tf.gather(scores, columns, batch_dims=1)
