"""Events as sparse user-item matrices."""

from __future__ import annotations

import numpy as np
from scipy import sparse

from tfrec.data.tables import Events


def interaction_matrix(events: Events, users: int, items: int, half_life: float | None = None) -> sparse.csr_matrix:
    """Return the largest weight of each user's events with each item, CSR float32 [users, items].

    Taking the largest lets a purchase outweigh a view, and keeps a user who clicks a hundred times from counting a
    hundred times. Pairs of weight 0 are not stored.

    Args:
        half_life: seconds after which an event counts half, measured back from the last event; None for no decay.
    """
    weight = events.weight.astype(np.float64)
    if half_life is not None and len(events):
        weight = weight * 0.5 ** ((events.time.max() - events.time) / half_life)
    return _largest_per_pair(events, weight, users, items)


def touched_matrix(events: list[Events], users: int, items: int) -> sparse.csr_matrix:
    """Return True for each pair that occurs in any of the tables of events, whatever its weight: CSR bool."""
    rows = np.concatenate([table.user for table in events])
    columns = np.concatenate([table.item for table in events])
    matrix = sparse.csr_matrix((np.ones(len(rows), bool), (rows, columns)), shape=(users, items), dtype=bool)
    matrix.sum_duplicates()
    return matrix


def without(matrix: sparse.csr_matrix, removed: sparse.csr_matrix) -> sparse.csr_matrix:
    """The True cells of `matrix` that are not True in `removed`, both CSR bool."""
    left = (matrix.astype(np.int8) - matrix.multiply(removed).astype(np.int8)).tocsr()
    left.eliminate_zeros()
    return left.astype(bool)


def only_columns(matrix: sparse.csr_matrix, columns: np.ndarray) -> sparse.csr_matrix:
    """The True cells of a CSR bool matrix whose column is among `columns`, in the same shape."""
    keep = np.zeros(matrix.shape[1], bool)
    keep[columns] = True
    coordinates = matrix.tocoo()
    inside = keep[coordinates.col]
    cells = (coordinates.row[inside], coordinates.col[inside])
    return sparse.csr_matrix((np.ones(inside.sum(), bool), cells), shape=matrix.shape, dtype=bool)


def _largest_per_pair(events: Events, weight: np.ndarray, users: int, items: int) -> sparse.csr_matrix:
    pair = events.user.astype(np.int64) * items + events.item
    order = np.argsort(pair, kind="stable")
    pair = pair[order]
    starts = np.flatnonzero(np.append(True, pair[1:] != pair[:-1])[: len(pair)])
    weight = np.maximum.reduceat(weight[order], starts) if len(starts) else weight
    pair, weight = pair[starts], weight.astype(np.float32)
    matrix = sparse.csr_matrix((weight, (pair // items, pair % items)), shape=(users, items), dtype=np.float32)
    matrix.eliminate_zeros()
    return matrix
