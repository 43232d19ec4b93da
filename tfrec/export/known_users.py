"""What the exported model knows of users: their latest items, all they have seen, and their features."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import tensorflow as tf

from tfrec.export.raw_features import string_table


class KnownUsers(tf.Module):
    """Histories and features by user id; row 0 stands for a user who is not known and has nothing.

    Args:
        ids: the users' ids, str [U].
        history: int32 [U, H], positions of the latest items, oldest first, -1 for none.
        seen: positions of all items each user has touched, (indptr int64 [U + 1], positions int32 [P]).
        features: coded user features, arrays of first dimension U.
    """

    def __init__(
        self,
        ids: np.ndarray,
        history: np.ndarray,
        seen: tuple[np.ndarray, np.ndarray],
        features: Mapping[str, np.ndarray],
    ):
        super().__init__("known_users")
        self.ids = _constant(ids.astype(str) if len(ids) else np.zeros(0, str), "ids", tf.string)
        self.history = _constant(np.concatenate([np.full((1, history.shape[1]), -1), history]), "history", tf.int32)
        self.seen_splits = _constant(np.concatenate([[0], seen[0]]), "seen_splits", tf.int64)
        self.seen_items = _constant(seen[1], "seen_items", tf.int32)
        self.features = {
            name: _constant(np.concatenate([np.zeros((1, *codes.shape[1:]), codes.dtype), codes]), name, codes.dtype)
            for name, codes in features.items()
        }
        self.rows_by_id = string_table(["", *ids], list(range(len(ids) + 1)), missing=0)

    def rows(self, user_id: tf.Tensor) -> tf.Tensor:
        """Row of each user id string [B], int64 [B]; 0 where not known."""
        return self.rows_by_id.lookup(user_id)

    def seen(self, rows: tf.Tensor) -> tf.Tensor:
        """Positions of all items each user has touched, int32 [B, X], padded with -1."""
        ragged = tf.RaggedTensor.from_row_splits(self.seen_items, self.seen_splits, validate=False)
        return tf.gather(ragged, rows).to_tensor(-1)


def known_user_arrays(known) -> dict:
    """The constructor's arguments of a `KnownUsers`, or of one that was loaded from a SavedModel."""
    splits = known.seen_splits.numpy()
    return {
        "ids": np.array([value.decode() for value in known.ids.numpy()], dtype=object),
        "history": known.history.numpy()[1:],
        "seen": (splits[1:], known.seen_items.numpy()),
        "features": {name: codes.numpy()[1:] for name, codes in known.features.items()},
    }


def _constant(array, name: str, dtype) -> tf.Variable:
    return tf.Variable(array, trainable=False, name=name, dtype=dtype, shape=np.shape(array))
