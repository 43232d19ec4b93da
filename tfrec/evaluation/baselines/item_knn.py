"""Item-based nearest neighbours: recommend what is touched by the same users as the history."""

from __future__ import annotations

import numpy as np
from scipy import sparse

from tfrec.evaluation.baselines.base import Baseline

_ITEMS_PER_BLOCK = 2048


class ItemKNN(Baseline):
    """Scores an item by its summed similarity to the history, over the item's nearest neighbours only.

    The similarity of two items is the shrunk cosine of their columns of training weights,
    x . y / (|x| |y| + shrinkage), which trusts items with few events less (Dacrema et al. 2019).

    Args:
        neighbours: how many neighbours of each item count.
        shrinkage: what is added to the product of the lengths.
    """

    name = "ItemKNN"
    maximum_items = 200_000

    def __init__(self, neighbours: int = 100, shrinkage: float = 10.0) -> None:
        self.neighbours = neighbours
        self.shrinkage = shrinkage

    def fit(self, train: sparse.csr_matrix) -> ItemKNN:
        columns = train.T.tocsr().astype(np.float64)
        lengths = np.sqrt(np.asarray(columns.multiply(columns).sum(axis=1)).ravel())
        blocks = [
            self._nearest(columns, lengths, np.arange(start, min(start + _ITEMS_PER_BLOCK, len(lengths))))
            for start in range(0, len(lengths), _ITEMS_PER_BLOCK)
        ]
        self.similarity_ = sparse.vstack(blocks).T.tocsr()
        return self

    def scores(self, history: sparse.csr_matrix) -> np.ndarray:
        return (history @ self.similarity_).toarray().astype(np.float32)

    def _nearest(self, columns: sparse.csr_matrix, lengths: np.ndarray, rows: np.ndarray) -> sparse.csr_matrix:
        """Similarities of the items `rows` to their nearest neighbours, CSR float32 [len(rows), N]."""
        products = (columns[rows[0] : rows[-1] + 1] @ columns.T).tocoo()
        row, column = products.row, products.col
        similarity = products.data / (lengths[rows[row]] * lengths[column] + self.shrinkage)
        other = rows[row] != column
        row, column, similarity = row[other], column[other], similarity[other]
        order = np.lexsort((column, -similarity, row))
        row, column, similarity = row[order], column[order], similarity[order]
        first_of_row = np.searchsorted(row, np.arange(len(rows)))
        near = np.arange(len(row)) - first_of_row[row] < self.neighbours
        cells = (row[near], column[near])
        shape = (len(rows), len(lengths))
        return sparse.csr_matrix((similarity[near].astype(np.float32), cells), shape=shape)
