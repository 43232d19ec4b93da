"""Exact top-k over the whole catalogue in blocks of bounded memory, with ties counted against the model.

Items are ordered by score, then relevant items behind the others, then by position. The three are packed into one
unsigned 64-bit key (32 bits of score, 1 bit, 31 bits of position), so that a partial sort of keys gives the order and
the merge of blocks is the same partial sort again. Key 0 stands for "no item".
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np
from scipy import sparse

from tfrec.errors import DataError

_LAST_POSITION = np.uint64(2**31 - 1)
_NOT_RELEVANT = np.uint64(2**31)
_ROWS = 512
_CELLS = _ROWS * 8192  # Scores that are looked at together where all those of a row come at once.
_SIGN = np.uint32(2**31)


class TopK(NamedTuple):
    """Best items per row: `positions` int32 [U, k], -1 where fewer remain; `scores` float32 [U, k], -inf there."""

    positions: np.ndarray
    scores: np.ndarray


def top_k(
    queries: np.ndarray,
    items: np.ndarray,
    k: int,
    *,
    exclude: sparse.csr_matrix | None = None,
    candidates: np.ndarray | None = None,
    truth: sparse.csr_matrix | None = None,
    query_block: int = 512,
    item_block: int = 8192,
) -> TopK:
    """Return the k items with the largest dot product for each query.

    Args:
        queries: float [U, D].
        items: float [N, D], the whole catalogue.
        k: items per query.
        exclude: CSR [U, N], items that must not be returned.
        candidates: int [C] positions that may be returned; all when None.
        truth: CSR [U, N], relevant items, which go behind others of equal score; None to order ties by position alone.
        query_block, item_block: rows and items scored at once; memory is about 30 bytes x query_block x item_block.

    Raises:
        DataError: if a score is not finite or the shapes do not fit.
    """
    if queries.ndim != 2 or items.ndim != 2 or queries.shape[1] != items.shape[1]:
        raise DataError(
            f"queries {list(queries.shape)} and items {list(items.shape)} must be matrices with the same width"
        )
    queries = np.asarray(queries, np.float32)
    candidates = _checked_candidates(candidates, len(items))

    def blocks(rows: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        for start in range(0, len(candidates), item_block):
            chosen = candidates[start : start + item_block]
            with np.errstate(over="ignore", invalid="ignore"):  # _check_finite names it
                yield chosen, queries[rows] @ np.asarray(items[chosen], np.float32).T

    return _top_k_of_blocks(blocks, len(queries), len(items), k, exclude, truth, query_block)


def top_k_of_scores(
    score_block: Callable[[np.ndarray], np.ndarray],
    users: int,
    items: int,
    k: int,
    *,
    exclude: sparse.csr_matrix | None = None,
    candidates: np.ndarray | None = None,
    truth: sparse.csr_matrix | None = None,
    block: int | None = None,
) -> TopK:
    """Return the k items with the largest score for each row, from a function that scores the whole catalogue.

    Args:
        score_block: takes rows int64 [b] out of 0 .. users - 1, gives scores [b, items].
        users, items: numbers of rows and of items in the catalogue.
        k, exclude, candidates, truth: as for `top_k`.
        block: rows scored at once, so many that memory is bounded where None.

    Raises:
        DataError: if a score is not finite or the shapes do not fit.
    """
    candidates = _checked_candidates(candidates, items)

    def blocks(rows: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        scores = np.asarray(score_block(rows))
        if scores.shape != (len(rows), items):
            raise DataError(f"scores must have the shape {[len(rows), items]}, got {list(scores.shape)}")
        with np.errstate(over="ignore"):
            yield candidates, scores[:, candidates].astype(np.float32)

    rows = block or min(_ROWS, max(1, _CELLS // max(items, 1)))
    return _top_k_of_blocks(blocks, users, items, k, exclude, truth, rows)


def _top_k_of_blocks(
    blocks: Callable[[np.ndarray], Iterator[tuple[np.ndarray, np.ndarray]]],
    users: int,
    items: int,
    k: int,
    exclude: sparse.csr_matrix | None,
    truth: sparse.csr_matrix | None,
    row_block: int,
) -> TopK:
    """Merge the blocks (positions [c], scores [b, c]) that `blocks` yields for each slice of rows."""
    if k < 1:
        raise DataError(f"k is {k}; ask for at least one item")
    for name, matrix in (("exclude", exclude), ("truth", truth)):
        if matrix is not None and matrix.shape != (users, items):
            raise DataError(f"{name} must have the shape {[users, items]}, got {list(matrix.shape)}")
    best = np.zeros((users, k), np.uint64)
    for start in range(0, users, row_block):
        rows = np.arange(start, min(start + row_block, users))
        excluded = None if exclude is None else _Pairs(exclude, rows)
        relevant = None if truth is None else _Pairs(truth, rows)
        for positions, scores in blocks(rows):
            _check_finite(scores, positions, start)
            if excluded is not None:
                scores[excluded.cells(positions)] = -np.inf
            keys = _promising_keys(scores, positions, relevant, best[rows])
            best[rows] = _largest(np.concatenate([best[rows], keys], axis=1), k)
    best = np.sort(best, axis=1)[:, ::-1]
    return TopK(_positions(best), _scores(best))


class _Pairs:
    """The (row, item) pairs of some rows of a CSR matrix, to be found again as cells of a block of items."""

    def __init__(self, matrix: sparse.csr_matrix, rows: np.ndarray) -> None:
        part = matrix[rows[0] : rows[-1] + 1].tocoo()
        stored = part.data != 0
        self.rows, self.items = part.row[stored], part.col[stored]

    def cells(self, positions: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Rows and columns of the pairs whose item is among `positions`, which are sorted."""
        columns = np.searchsorted(positions, self.items)
        inside = columns < len(positions)
        inside[inside] = positions[columns[inside]] == self.items[inside]
        return self.rows[inside], columns[inside]


def _promising_keys(scores: np.ndarray, positions: np.ndarray, relevant: _Pairs | None, best: np.ndarray) -> np.ndarray:
    """Keys of the scores [b, c] that can still enter the k best keys [b, k] found so far: uint64 [b, m], 0-padded.

    Comparing floats first leaves few scores to pack and sort once some blocks have been seen.
    """
    k = best.shape[1]
    floor = _scores(best.min(axis=1, keepdims=True))
    width = scores.shape[1]
    if width > k and np.isneginf(floor).any():
        floor = np.maximum(floor, np.partition(scores, width - k, axis=1)[:, [width - k]])
    rows, columns = np.nonzero((scores >= floor) & (scores > -np.inf))
    behind = np.zeros(len(rows), np.uint64)
    if relevant is not None:
        flags = np.zeros(scores.shape, bool)
        flags[relevant.cells(positions)] = True
        behind[flags[rows, columns]] = _NOT_RELEVANT
    counts = np.bincount(rows, minlength=len(scores))
    keys = np.zeros((len(scores), counts.max(initial=0)), np.uint64)
    slots = np.arange(len(rows)) - np.repeat(np.cumsum(counts) - counts, counts)
    keys[rows, slots] = _keys(scores[rows, columns], positions[columns]) ^ behind
    return keys


def _keys(scores: np.ndarray, positions: np.ndarray) -> np.ndarray:
    """Pack float32 scores [n] of the items at `positions` [n] into keys, as if none were relevant."""
    # Adding 0 turns -0 into 0, which must tie; flipping the bits of floats gives integers in the same order.
    bits = (scores + np.float32(0)).view(np.uint32)
    ordered = np.where(bits & _SIGN, ~bits, bits | _SIGN)
    low = _NOT_RELEVANT | (_LAST_POSITION - positions.astype(np.uint64))
    return (ordered.astype(np.uint64) << np.uint64(32)) | low


def _check_finite(scores: np.ndarray, positions: np.ndarray, first_row: int) -> None:
    if not np.isfinite(scores).all():
        row, column = np.argwhere(~np.isfinite(scores))[0]
        raise DataError(
            f"the score of user row {first_row + row} for the item at position {positions[column]} is "
            f"{scores[row, column]}; scores must be finite, so look for NaN or overflow in the model"
        )


def _largest(keys: np.ndarray, k: int) -> np.ndarray:
    """The k largest keys of each row in any order, or all if there are fewer."""
    width = keys.shape[1]
    return keys if width <= k else np.partition(keys, width - k, axis=1)[:, width - k :]


def _positions(keys: np.ndarray) -> np.ndarray:
    positions = (_LAST_POSITION - (keys & _LAST_POSITION)).astype(np.int64)
    return np.where(keys == 0, -1, positions).astype(np.int32)


def _scores(keys: np.ndarray) -> np.ndarray:
    ordered = (keys >> np.uint64(32)).astype(np.uint32)
    scores = np.where(ordered & _SIGN, ordered ^ _SIGN, ~ordered).view(np.float32)
    return np.where(keys == 0, np.float32(-np.inf), scores)


def _checked_candidates(candidates: np.ndarray | None, items: int) -> np.ndarray:
    """Sorted positions that may be returned, int64."""
    if items >= 2**31 - 1:
        raise DataError(f"the catalogue has {items} items; top-k ranks fewer than {2**31 - 1}")
    if candidates is None:
        return np.arange(items)
    candidates = np.unique(candidates).astype(np.int64)
    if len(candidates) and not 0 <= candidates[0] <= candidates[-1] < items:
        raise DataError(f"candidates must be positions from 0 to {items - 1}, got {candidates[0]} to {candidates[-1]}")
    return candidates
