"""Why an item is recommended: what its score is the sum of, by what is known of the user and by what the item shows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import tensorflow as tf

from tfrec.index.interface import Index

ID = "id"


class ItemParts(tf.Module):
    """What the modalities of items add to their vectors; see `tfrec.model.content_parts`.

    Only items whose content counts have parts that are kept. The rest of a vector is what the item has without content:
    what was learned from those who touched it, or for an item nobody touched what any item is given.

    Args:
        names: of the M modalities.
        rows: positions int64 [P] of the items that have parts.
        parts: float32 [P, M, D].
        size: N, how many items there are.
    """

    def __init__(self, names: Sequence[str], rows: np.ndarray, parts: np.ndarray, size: int):
        super().__init__("item_parts")
        place = np.zeros(size, np.int32)
        place[rows] = 1 + np.arange(len(rows))
        kept = np.concatenate([np.zeros((1, *parts.shape[1:]), np.float32), parts])
        self.names = tf.Variable([ID, *names], trainable=False, name="names", dtype=tf.string)
        self.place = tf.Variable(place, trainable=False, name="place", dtype=tf.int32)
        self.parts = tf.Variable(kept, trainable=False, name="parts", dtype=tf.float32)

    def of(self, positions: tf.Tensor) -> tf.Tensor:
        """The parts of the items at `positions` int32 [B, R], none of them negative, float32 [B, R, M, D]."""
        return tf.gather(tf.convert_to_tensor(self.parts), tf.gather(tf.convert_to_tensor(self.place), positions))


def stored_parts(parts) -> tuple[list[str], np.ndarray, np.ndarray]:
    """Names, rows and parts of an `ItemParts`, new or loaded with its SavedModel, as its constructor takes them."""
    place = parts.place.numpy()
    rows = np.flatnonzero(place)
    return [name.decode() for name in parts.names.numpy()[1:]], rows, parts.parts.numpy()[place[rows]]


def reasons(
    index: Index, positions: tf.Tensor, query: tf.Tensor, query_parts: Mapping[str, tf.Tensor], item_parts: ItemParts
) -> dict[str, tf.Tensor]:
    """What the scores of items are the sum of, two ways.

    By what is known of the user, a score is `general` + the sum of `history` + the sum of `features`; by what the item
    shows, it is the sum of `modalities`. Both are exact but for rounding, since a score is a dot product and a vector
    the sum of its parts.

    Args:
        positions: of the items, int32 [B, R]; -1 for none, whose scores are 0.
        query: float32 [B, D].
        query_parts: `history` [B, H, D], `rest` [B, D] and, where there are F features, `features` [B, F, D].

    Returns:
        `scores` and `general` [B, R], `history` [B, R, H], `features` [B, R, F], `modalities` [B, R, M + 1].
    """
    there = tf.cast(positions >= 0, tf.float32)
    vectors = index.vectors_of(positions) * there[..., tf.newaxis]
    scores = tf.einsum("bd,brd->br", query, vectors)
    of_content = tf.einsum("bd,brmd->brm", query, item_parts.of(tf.maximum(positions, 0))) * there[..., tf.newaxis]
    of_id = scores - tf.reduce_sum(of_content, axis=2)
    outputs = {
        "scores": scores,
        "general": tf.einsum("bd,brd->br", query_parts["rest"], vectors),
        "history": tf.einsum("bhd,brd->brh", query_parts["history"], vectors),
        "modalities": tf.concat([of_id[..., tf.newaxis], of_content], axis=2),
    }
    if "features" in query_parts:
        outputs["features"] = tf.einsum("bfd,brd->brf", query_parts["features"], vectors)
    return outputs
