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


def softmax_of_members(
    queries: tf.Tensor,
    items: tf.Tensor,
    targets: tf.Tensor,
    weights: tf.Tensor,
    history: tf.Tensor,
    static: bool = False,
) -> tuple[tf.Tensor, tf.Tensor]:
    """`multi_target_softmax` of the products of queries and items of several members, for many items.

    What targets score is a product with their weighted sum, and what a row's history scores is taken out where it is:
    the matrix of all scores is read as seldom as can be.

    Args:
        queries: float32 [M, R, D], of each member; together the B = M x R rows, the first member's first.
        items: float32 [M, U, D], the same items as each member sees them.
        targets: int32 [B, T]; `weights`: float32 [B, T]; `history`: int32 [B, H], left out of the denominator.
        static: compute with places of histories and targets that hold nothing too, so that all shapes are known before.

    Returns:
        As `multi_target_softmax`.
    """
    members, each, width = queries.shape
    rows, count = members * each, items.shape[1]
    member = tf.range(rows)[:, tf.newaxis] // each
    logits = tf.reshape(tf.matmul(queries, items, transpose_b=True), [rows, count])
    if static:
        logits = tf.where(marked(history, count), -1e9, logits)
    else:
        touched = tf.where(history >= 0)
        own = tf.stack([touched[:, 0], tf.cast(tf.gather_nd(history, touched), tf.int64)], axis=1)
        logits = tf.tensor_scatter_nd_update(logits, own, tf.fill(tf.shape(touched)[:1], -1e9))
    normaliser = tf.reduce_logsumexp(logits, axis=1)
    weights = tf.where(targets >= 0, weights, 0.0)
    total = tf.reduce_sum(weights, axis=1)
    numbers = tf.where(targets >= 0, targets + count * member, -1)
    wanted, _ = summed(tf.reshape(items, [members * count, width]), numbers, weights, static)
    chosen = tf.reduce_sum(tf.reshape(queries, [rows, width]) * wanted, axis=1)
    losses = (total * normaliser - chosen) / tf.sqrt(tf.maximum(total, 1e-9))
    return tf.reduce_sum(losses), tf.reduce_sum(tf.cast(total > 0, tf.float32))


def summed(
    vectors: tf.Tensor, positions: tf.Tensor, weights: tf.Tensor | None = None, static: bool = False
) -> tuple[tf.Tensor, tf.Tensor]:
    """Sums of the vectors [U, D] that each row names, float32 [B, D], and how many these are, float32 [B, 1].

    Args:
        positions: int32 [B, H], -1 for none.
        weights: float32 [B, H], what each vector is multiplied with.
        static: read a vector for places of -1 too, as a compiler needs it that must know all shapes.
    """
    mask = tf.cast(positions >= 0, tf.float32)
    count = tf.reduce_sum(mask, axis=1, keepdims=True)
    if static:
        chosen = tf.gather(vectors, tf.maximum(positions, 0))
        return tf.einsum("bh,bhd->bd", mask if weights is None else mask * weights, chosen), count
    there = tf.where(positions >= 0)
    chosen = tf.gather(vectors, tf.gather_nd(positions, there))
    if weights is not None:
        chosen *= tf.gather_nd(weights, there)[:, tf.newaxis]
    return tf.math.unsorted_segment_sum(chosen, there[:, 0], positions.shape[0]), count


def in_batch_softmax(
    queries: tf.Tensor,
    items: tf.Tensor,
    added: tf.Tensor,
    targets: tf.Tensor,
    weights: tf.Tensor,
    candidates: tf.Tensor,
    counting: tf.Tensor,
) -> tf.Tensor:
    """The in-batch softmax of `tfrs.tasks.Retrieval` with accidental hits removed, over distinct items.

    There the candidates of a row are the targets of all rows, so an item is a candidate as often as it is a target, but
    a row's own target only once. Here each distinct item stands in the denominator once, weighted by that number: the
    same loss and gradients from as many columns as there are items or rows, whichever is less.

    Args:
        queries: float32 [B, D], divided by the temperature.
        items: float32 [U, D].
        added: float32 [U], added to each item's scores, such as the correction for sampling.
        targets: int32 [B], each row's item; `weights`: float32 [B], 0 for a row that does not count.
        candidates: int32 [C], the targets of the whole batch, which other replicas may hold a part of.
        counting: float32 [C], 1 where a candidate is that of a row that counts, else 0.

    Returns:
        The weighted sum of the rows' losses, a float32 scalar.
    """
    counts = tf.math.unsorted_segment_sum(counting, candidates, items.shape[0])
    if candidates.shape[0] < items.shape[0]:
        # Fewer rows than items: the rows' targets themselves, with repetitions, are fewer columns.
        columns = tf.gather(items, candidates)
        bias = tf.gather(added, candidates) + tf.where(counting > 0, 0.0, -1e9)
    else:
        columns, bias = items, added + tf.where(counts > 0, tf.math.log(tf.maximum(counts, 1.0)), -1e9)
    scores = tf.matmul(queries, columns, transpose_b=True) + bias[tf.newaxis]
    longest = tf.reduce_max(tf.norm(columns, axis=1))
    normaliser = row_logsumexp(scores, tf.norm(queries, axis=1) * longest + tf.reduce_max(bias))
    chosen = tf.reduce_sum(queries * tf.gather(items, targets), axis=1) + tf.gather(added, targets)
    # A row's own target has been counted too often by what other rows hold of it.
    share = tf.exp(tf.minimum(chosen - normaliser, 0.0))
    normaliser += tf.math.log1p(-tf.maximum(tf.gather(counts, targets) - 1.0, 0.0) * share)
    return tf.reduce_sum(weights * (normaliser - chosen))


@tf.custom_gradient
def row_logsumexp(scores: tf.Tensor, bound: tf.Tensor) -> tf.Tensor:
    """log(sum(exp(scores))) of each row, float32 [B] of [B, U], where no score of a row is above its `bound` [B].

    A known bound saves looking for the largest score, and a product makes the sum: both are what XLA is slow at along
    the rows of a matrix. Where the bound is so far above all scores of a row that nothing is left of them, the largest
    ones are looked for after all. The exponentials are kept for the gradient.
    """

    def summed(shift: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        exponentials = tf.exp(scores - shift[:, tf.newaxis])
        return shift, exponentials, tf.linalg.matvec(exponentials, tf.ones(tf.shape(scores)[1]))

    # In the middle of what float32 can hold: the sum cannot overflow, and small scores do not vanish.
    quick = summed(bound - 60.0)
    shift, exponentials, total = tf.cond(
        tf.reduce_all(quick[2] > 1e-30), lambda: quick, lambda: summed(tf.reduce_max(scores, axis=1))
    )

    def gradient(upstream: tf.Tensor) -> tuple[tf.Tensor, None]:
        return exponentials * (upstream / total)[:, tf.newaxis], None

    return tf.math.log(total) + shift, gradient


def counted(positions: tf.Tensor, width: int | tf.Tensor) -> tf.Tensor:
    """How often each row names each position, float32 [B, width], from `positions` int32 [B, H]; -1 names none."""
    batch = tf.shape(positions)[0]
    rows = tf.repeat(tf.range(batch), tf.shape(positions)[1])
    # What is -1 is scattered into one column more, which is cut off.
    columns = tf.reshape(tf.where(positions < 0, width, positions), [-1])
    ones = tf.ones(tf.shape(columns), tf.float32)
    return tf.scatter_nd(tf.stack([rows, columns], axis=1), ones, [batch, width + 1])[:, :width]


def marked(positions: tf.Tensor, width: int | tf.Tensor) -> tf.Tensor:
    """A mask, bool [B, width], that is true at the `positions` int32 [B, H] of each row; -1 marks nothing."""
    return counted(positions, width) > 0
