"""The losses of retrieval: softmax over sampled candidates, corrected for how they were sampled."""

from __future__ import annotations

import tensorflow as tf


def corrected_logits(logits: tf.Tensor, sampling_probability: tf.Tensor) -> tf.Tensor:
    """Subtract log q from each candidate's logit, so that often-sampled candidates are not pushed down for it.

    Source: Bengio and Senecal, "Adaptive importance sampling to accelerate training of a neural probabilistic language
    model" (2008); Yi et al., "Sampling-bias-corrected neural modeling for large corpus item recommendations" (2019).

    Args:
        logits: float32 [B, U].
        sampling_probability: float32 [U], the chance that each candidate is in a batch, in (0, 1].
    """
    return logits - tf.math.log(tf.maximum(sampling_probability, 1e-9))[tf.newaxis]


def multi_target_softmax(
    logits: tf.Tensor, targets: tf.Tensor, weights: tf.Tensor, excluded: tf.Tensor
) -> tuple[tf.Tensor, tf.Tensor]:
    """Cross-entropy of several targets per row, each row divided by the root of its total weight.

    The root keeps users with long histories from deciding everything while they still count for more than others.

    Args:
        logits: float32 [B, U].
        targets: int32 [B, T], candidate numbers, -1 for none.
        weights: float32 [B, T], 0 where there is no target.
        excluded: bool [B, U], candidates left out of the denominator (a row's own history).

    Returns:
        The sum over rows of the loss, and how many rows have a target; both float32 scalars.
    """
    logits = tf.where(excluded, tf.cast(-1e9, logits.dtype), logits)
    normaliser = tf.reduce_logsumexp(logits, axis=1, keepdims=True)
    weights = tf.where(targets >= 0, weights, 0.0)
    chosen = tf.gather(logits, tf.maximum(targets, 0), axis=1, batch_dims=1)
    total = tf.reduce_sum(weights, axis=1)
    rows = tf.reduce_sum(weights * (normaliser - chosen), axis=1) / tf.sqrt(tf.maximum(total, 1e-9))
    return tf.reduce_sum(rows), tf.reduce_sum(tf.cast(total > 0, tf.float32))


def marked(positions: tf.Tensor, width: int | tf.Tensor) -> tf.Tensor:
    """A mask, bool [B, width], that is true at the `positions` int32 [B, H] of each row; -1 marks nothing."""
    batch = tf.shape(positions)[0]
    rows = tf.repeat(tf.range(batch), tf.shape(positions)[1])
    # What is -1 is scattered into one column more, which is cut off.
    columns = tf.reshape(tf.where(positions < 0, width, positions), [-1])
    counts = tf.scatter_nd(tf.stack([rows, columns], axis=1), tf.ones_like(columns), [batch, width + 1])
    return counts[:, :width] > 0
