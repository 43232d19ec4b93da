"""How much of what the exact search finds an index finds, on the same queries with the same exclusions."""

from __future__ import annotations

import numpy as np
import tensorflow as tf
from scipy import sparse

from tfrec.index.choice import shares_found
from tfrec.index.interface import Index

BATCH = 64


def measured_recall(index: Index, queries: np.ndarray, excluded: sparse.csr_matrix, truth: np.ndarray) -> float:
    """The mean share of the best items that `index` finds.

    Args:
        queries: float32 [Q, D].
        excluded: CSR [Q, N], what must not be found.
        truth: positions of the best items that may be found, int [Q, k], -1 where fewer remain.
    """
    recommend = tf.function(
        index.recommend,
        input_signature=[
            tf.TensorSpec([None, queries.shape[1]], tf.float32),
            tf.TensorSpec([None, None], tf.int32),
        ],
        autograph=False,
    )
    shares = []
    for start in range(0, len(queries), BATCH):
        rows = slice(start, start + BATCH)
        found = recommend(tf.constant(queries[rows]), tf.constant(padded(excluded[rows])))[0].numpy()
        same = (truth[rows][:, :, np.newaxis] == found[:, np.newaxis, :]).any(axis=2)
        shares.append(shares_found(same, truth[rows] >= 0))
    return float(np.concatenate(shares).mean())


def padded(excluded: sparse.csr_matrix) -> np.ndarray:
    """The columns of each row, int32 [Q, X], padded with -1."""
    counts = np.diff(excluded.indptr)
    columns = np.full((len(counts), max(1, counts.max(initial=0))), -1, np.int32)
    columns[np.arange(columns.shape[1]) < counts[:, np.newaxis]] = excluded.indices
    return columns
