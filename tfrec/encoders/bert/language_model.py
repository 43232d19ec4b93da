"""The masked-language objective of an encoder that is being trained for something else (Devlin et al. 2018)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import tensorflow as tf

from tfrec.encoders.augmentation import random_seed
from tfrec.encoders.bert.language_head import LanguageHead
from tfrec.encoders.bert.masking import masked_tokens
from tfrec.encoders.bert.network import INPUTS

# The head scores some 30,000 word pieces for every hidden token, so a step looks at some of its texts only.
TEXTS = 64


class MaskedLanguageModel:
    """Guesses hidden tokens from what an encoder makes of the others.

    Args:
        encode: the encoder: a dict of int32 [B, L] and `training` -> a dict with sequence_output [B, L, W].
        head: scores word pieces.
        special, mask_id, vocabulary: as `masked_tokens` takes them.
    """

    def __init__(
        self,
        encode: Callable[..., Mapping[str, tf.Tensor]],
        head: LanguageHead,
        special: Sequence[int],
        mask_id: int,
        vocabulary: int,
    ) -> None:
        self._encode, self.head = encode, head
        self._special, self._mask_id, self._vocabulary = tuple(special), mask_id, vocabulary

    def loss(self, content: tf.Tensor, training: bool = True) -> tf.Tensor:
        """The mean cross-entropy of the hidden tokens, a float32 scalar; 0 where there is nothing to guess.

        Args:
            content: word ids, mask and type ids, int32 [B, 3, L]; of more than `TEXTS` that many are drawn.
            training: whether dropout is on.
        """
        if content.shape[0] is None or content.shape[0] > TEXTS:
            content = _drawn(content)
        ids, mask, types = content[:, 0], content[:, 1], content[:, 2]
        hidden = masked_tokens(ids, mask, self._special, self._mask_id, self._vocabulary, random_seed())
        outputs = self._encode(dict(zip(INPUTS, (hidden.ids, mask, types))), training=training)
        vectors = tf.gather(outputs["sequence_output"], hidden.positions, batch_dims=1)
        logits = self.head(tf.reshape(vectors, [-1, vectors.shape[-1]]))
        losses = tf.nn.sparse_softmax_cross_entropy_with_logits(tf.reshape(hidden.truth, [-1]), logits)
        weights = tf.reshape(hidden.weights, [-1])
        return tf.reduce_sum(weights * losses) / tf.maximum(tf.reduce_sum(weights), 1.0)


def _drawn(content: tf.Tensor) -> tf.Tensor:
    """`TEXTS` texts at random, those that are there before absent ones."""
    present = tf.cast(content[:, 1, 0] > 0, tf.float32)
    order = tf.random.stateless_uniform([tf.shape(content)[0]], random_seed()) + present
    return tf.gather(content, tf.math.top_k(order, tf.minimum(TEXTS, tf.shape(content)[0])).indices)
