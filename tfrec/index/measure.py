"""How much of what the exact search finds an index finds, on the same queries with the same exclusions."""

from __future__ import annotations

import numpy as np
import tensorflow as tf
from scipy import sparse

from tfrec.index.interface import Index

BATCH = 64
TIED = 1e-5  # Scores so near, as a share of the query's best, are alike: they are computed in two ways.


def measured_recall(index: Index, queries: np.ndarray, excluded: sparse.csr_matrix, truth: np.ndarray) -> float:
    """The mean share of the best items that `index` finds; of items with one score any is as good as the other.

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
        found, scores = recommend(tf.constant(queries[rows]), tf.constant(padded(excluded[rows])))
        best = np.where(truth[rows] >= 0, _scores(index, queries[rows], truth[rows]), np.nan)
        shares.append(_shares(np.where(found.numpy() >= 0, scores.numpy(), -np.inf), best))
    return float(np.concatenate(shares).mean())


def _scores(index: Index, queries: np.ndarray, items: np.ndarray) -> np.ndarray:
    """The scores of items int [Q, k] for queries float32 [Q, D], float32 [Q, k]."""
    return np.einsum("qd,qkd->qk", queries, index.vectors_of(tf.constant(items, tf.int32)).numpy())


def _shares(found: np.ndarray, best: np.ndarray) -> np.ndarray:
    """For each query which share of what was found, scores [Q, k], is as good as the best, [Q, k], NaN where no more.

    Items of equal content have equal vectors, and which of them are among the k best is left to chance.
    """
    there = ~np.isnan(best)
    wanted = there.sum(axis=1)
    last = np.where(there, best, np.inf).min(axis=1, initial=np.inf)
    scale = np.where(there, np.abs(best), 0).max(axis=1, initial=0)
    good = (found >= (last - TIED * scale)[:, np.newaxis]).sum(axis=1)
    # A query that may find nothing has found all.
    return np.where(wanted > 0, np.minimum(good, wanted) / np.maximum(wanted, 1), 1.0)


def padded(excluded: sparse.csr_matrix) -> np.ndarray:
    """The columns of each row, int32 [Q, X], padded with -1."""
    counts = np.diff(excluded.indptr)
    columns = np.full((len(counts), max(1, counts.max(initial=0))), -1, np.int32)
    columns[np.arange(columns.shape[1]) < counts[:, np.newaxis]] = excluded.indices
    return columns
