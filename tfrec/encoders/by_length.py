"""Encodes texts without computing on padding: those of like length go together, and a batch is as long as its longest.

A title of ten tokens then costs a tenth of one of a hundred.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import tensorflow as tf

SORTED_TOGETHER = 8192


def fill_by_length(
    vectors: np.ndarray,
    raw: Sequence[bytes | str],
    prepare: Callable[[tf.Tensor], tf.Tensor],
    encode: Callable[[tf.Tensor], tf.Tensor],
    batch_size: int,
    progress: Callable[[int, int], None] | None = None,
) -> np.ndarray:
    """Fill `vectors` [N, W], zeros, with what `encode` gives of texts, and return it.

    Args:
        raw: N texts.
        prepare: strings [B] to tokens int32 [B, 3, L], the mask second.
        encode: tokens int32 [B, 3, l], l of the L places, to vectors [B, w]; where w is less than W the rest stays 0.
        batch_size: texts encoded together.
        progress: called with (encoded, all) after each batch.
    """
    texts = np.array([text.encode() if isinstance(text, str) else text for text in raw], dtype=object)
    done = 0
    for start in range(0, len(texts), SORTED_TOGETHER):
        content = prepare(tf.constant(texts[start : start + SORTED_TOGETHER])).numpy()
        order = np.argsort(-lengths(content), kind="stable")
        for rows in np.split(order, range(batch_size, len(order), batch_size)):
            found = encode(tf.constant(without_padding(content[rows]))).numpy()
            vectors[start + rows, : found.shape[1]] = found
            done += len(rows)
            if progress:
                progress(done, len(texts))
    return vectors


def lengths(content: np.ndarray) -> np.ndarray:
    """How many tokens texts int32 [B, 3, L] have, int [B]."""
    return content[:, 1].sum(axis=1)


def without_padding(content: np.ndarray) -> np.ndarray:
    """Texts int32 [B, 3, L] without the places that all of them leave empty, at least one place long."""
    return content[:, :, : max(lengths(content).max(initial=0), 1)]
