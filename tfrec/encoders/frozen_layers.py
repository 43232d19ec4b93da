"""The layers of a BERT below those that are trained: what they give of a text never changes and is kept."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from tfrec.encoders.base import Encoder
from tfrec.encoders.bert.loaded import LayeredBert
from tfrec.encoders.by_length import fill_by_length
from tfrec.encoders.fingerprint import weights_fingerprint


class FrozenLayers(Encoder):
    """Gives every token's vector and the mask of a text, flat and in half precision: [B, L * (W + 1)].

    Args:
        encoder: the whole encoder, whose `prepare` makes the tokens, L of them.
        bert: its network, of width W.
        settings: what tells the tokens from those of another encoder, for the fingerprint.
    """

    cached_as = np.float16

    def __init__(self, encoder: Encoder, bert: LayeredBert, settings: Mapping[str, Any]) -> None:
        super().__init__(name=encoder.name, autocast=False)
        self._whole, self._bert, self._tokens = encoder, bert, dict(settings)
        self.content_spec = encoder.content_spec
        self.dimension = int(encoder.content_spec.shape[-1]) * (bert.width + 1)
        self.frozen = True

    def prepare(self, raw: tf.Tensor) -> tf.Tensor:
        """Tokenise as the whole encoder does."""
        return self._whole.prepare(raw)

    def call(self, content: tf.Tensor, training: bool = False) -> tf.Tensor:
        """Encode int32 [B, 3, L] to float16 [B, L * (W + 1)]; padding gives zeros."""
        return tf.reshape(self._packed(content), [-1, self.dimension])

    def _packed(self, content: tf.Tensor) -> tf.Tensor:
        """Tokens int32 [B, 3, l], also of fewer places than L, to float16 [B, l * (W + 1)]."""
        mask = tf.cast(content[:, 1], tf.float32)[..., tf.newaxis]
        packed = tf.cast(tf.concat([self._bert.lower(tokens_of(content)) * mask, mask], axis=-1), tf.float16)
        batch, length, width = tf.unstack(tf.shape(packed))
        return tf.reshape(packed, [batch, length * width])

    def encode_raw(
        self,
        raw: Sequence[bytes | str],
        batch_size: int = 64,
        progress: Callable[[int, int], None] | None = None,
    ) -> np.ndarray:
        """Encode texts to float16 [N, L * (W + 1)], as `prepare` and `call` would, but without computing on padding.

        Args:
            raw: texts; "" gives zeros.
            batch_size: texts encoded together.
            progress: called with (encoded, all) after each batch.
        """
        # Tokens come one after the other, so that a shorter text fills the front of its row.
        vectors = np.zeros([len(raw), self.dimension], np.float16)
        return fill_by_length(vectors, raw, self._prepare_in_graph, self._packed_in_graph, batch_size, progress)

    @functools.cached_property
    def _prepare_in_graph(self) -> Callable[[tf.Tensor], tf.Tensor]:
        return tf.function(self.prepare, input_signature=[tf.TensorSpec([None], tf.string)])

    @functools.cached_property
    def _packed_in_graph(self) -> Callable[[tf.Tensor], tf.Tensor]:
        return tf.function(self._packed, input_signature=[tf.TensorSpec([None, 3, None], tf.int32)])

    def fingerprint(self) -> str:
        """A hash of the preparation of tokens, how many layers there are, and all weights."""
        settings = {"kind": "text layers", "kept": self._bert.kept, **self._tokens}
        return weights_fingerprint(settings, self._bert.frozen_variables)


def tokens_of(content: tf.Tensor) -> dict[str, tf.Tensor]:
    """The inputs of a BERT in prepared texts int32 [B, 3, L]."""
    return {"input_word_ids": content[:, 0], "input_mask": content[:, 1], "input_type_ids": content[:, 2]}


def unpacked(content: tf.Tensor, length: int) -> tuple[tf.Tensor, tf.Tensor]:
    """Vectors float32 [B, L, W] and mask int32 [B, L] of what `FrozenLayers` gives; `length` is L."""
    packed = tf.reshape(tf.cast(content, tf.float32), [-1, length, content.shape[-1] // length])
    return packed[..., :-1], tf.cast(packed[..., -1], tf.int32)
