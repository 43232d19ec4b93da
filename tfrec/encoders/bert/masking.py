"""Which tokens a language model has to guess, and what it sees in their place (Devlin et al. 2018, section 3.1)."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import tensorflow as tf

SHARE, SHARE_MASK, SHARE_RANDOM = 0.15, 0.8, 0.1


@dataclasses.dataclass(frozen=True)
class MaskedTokens:
    """A batch of texts with some tokens hidden; G = 15 % of the length L, rounded, at least 1.

    Attributes:
        ids: what is seen, int32 [B, L].
        positions: of the tokens to guess, int32 [B, G].
        truth: their word pieces, int32 [B, G].
        weights: 1 for a token to guess and 0 for a place that a short text leaves empty, float32 [B, G].
    """

    ids: tf.Tensor
    positions: tf.Tensor
    truth: tf.Tensor
    weights: tf.Tensor


def masked_tokens(
    ids: tf.Tensor, mask: tf.Tensor, special: Sequence[int], mask_id: int, vocabulary: int, seed: tf.Tensor
) -> MaskedTokens:
    """Choose 15 % of each text's tokens at random, at least one where it has any.

    Of those, 80 % are replaced by the mask, 10 % by a word piece drawn evenly, and 10 % are left as they are. Shapes
    are static where those of the inputs are, and all compiles under XLA.

    Args:
        ids, mask: int32 [B, L]; the mask is 1 on tokens and 0 on padding.
        special: word pieces that are never chosen, such as [CLS] and [SEP].
        mask_id: the piece [MASK]; vocabulary: how many pieces there are.
        seed: int32 [2].
    """
    length = ids.shape[1]
    places = max(round(SHARE * length), 1)
    eligible = mask > 0
    for piece in special:
        eligible &= ids != piece
    draws = tf.random.stateless_uniform([3, tf.shape(ids)[0], length], seed)
    _, positions = tf.math.top_k(tf.where(eligible, 1 + draws[0], 0.0), places)
    count = tf.reduce_sum(tf.cast(eligible, tf.float32), axis=1, keepdims=True)
    wanted = tf.minimum(tf.maximum(tf.round(SHARE * count), 1.0), count)
    chosen = tf.range(places, dtype=tf.float32)[tf.newaxis] < wanted
    truth = tf.gather(ids, positions, batch_dims=1)
    kind, other = (tf.gather(draw, positions, batch_dims=1) for draw in (draws[1], draws[2]))
    random = tf.cast(other * vocabulary, tf.int32)
    seen = tf.where(kind < SHARE_MASK, mask_id, tf.where(kind < SHARE_MASK + SHARE_RANDOM, random, truth))
    # A sum of one-hot rows in place of a scatter, which XLA compiles to a loop.
    here = tf.one_hot(tf.where(chosen, positions, -1), length, dtype=tf.int32)
    ids = ids * (1 - tf.reduce_sum(here, axis=1)) + tf.reduce_sum(here * seen[..., tf.newaxis], axis=1)
    return MaskedTokens(ids, positions, truth, tf.cast(chosen, tf.float32))
