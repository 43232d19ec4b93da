"""Queries of users as the servable computes them from what it stores: real ones, to choose and measure an index by."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import tensorflow as tf
from scipy import sparse

from tfrec.export.absent import absent

BATCH = 256
QUERIES = 2000  # So many users choose and measure a partitioned index.


def user_queries(
    towers, users, specs: Mapping[str, tf.TensorSpec], vectors: np.ndarray, most: int, seed: int
) -> tuple[np.ndarray, sparse.csr_matrix]:
    """The queries of users drawn evenly who name themselves only, and what they have seen.

    Args:
        towers: `tfrec.export.towers.ServingTowers`, new or loaded.
        users: `tfrec.export.known_users.KnownUsers`, new or loaded.
        specs: the raw user features and context that a query takes; all are absent here.
        vectors: float32 [N, D], by the positions that the users' histories name.
        most: how many users are drawn at most; `seed`: of the draw.

    Returns:
        Queries float32 [Q, D], and the items each has touched, CSR [Q, N].
    """
    histories, splits = users.history.numpy(), users.seen_splits.numpy()
    count = len(histories) - 1
    # Row 0 is the user who is not known.
    rows = 1 + np.random.default_rng(seed).permutation(count)[:most]
    queries = [np.zeros((0, vectors.shape[1]), np.float32)]
    for start in range(0, len(rows), BATCH):
        part = rows[start : start + BATCH]
        history = histories[part]
        queries.append(
            towers.encode_query(
                tf.constant(vectors[np.maximum(history, 0)]),
                tf.constant((history >= 0).astype(np.float32)),
                {name: absent(spec, len(part)) for name, spec in specs.items()},
                {name: tf.constant(codes.numpy()[part]) for name, codes in users.features.items()},
            ).numpy()
        )
    items = users.seen_items.numpy()
    seen = sparse.csr_matrix((np.ones(len(items), bool), items.astype(np.int64), splits), (count + 1, len(vectors)))[
        rows
    ]
    return np.concatenate(queries), seen
