"""What recommendation lists are like beside accuracy: coverage, concentration, novelty and diversity."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TypeAlias

import numpy as np
from scipy import sparse

Vectors: TypeAlias = np.ndarray | sparse.csr_matrix

_CELLS = 8_000_000  # Numbers of vectors that are looked at together.


def coverage(positions: np.ndarray, candidates: np.ndarray) -> float:
    """The share of the candidates (positions [C]) recommended to at least one user in `positions` [U, K]."""
    return len(np.intersect1d(positions, candidates)) / max(len(candidates), 1)


def gini(positions: np.ndarray, candidates: np.ndarray) -> float:
    """How unequally recommendations fall on the candidates: 0 all alike, near 1 all on one item (Gini index).

    With x(1) <= ... <= x(C) how often each candidate is recommended: sum of (2 i - C - 1) x(i) / (C x sum of x).
    NaN when nothing is recommended.
    """
    counts = np.sort(recommendation_counts(positions, int(candidates.max(initial=-1)) + 1)[candidates])
    if not counts.sum():
        return float("nan")
    ranks = np.arange(1, len(counts) + 1)
    return float(((2 * ranks - len(counts) - 1) * counts).sum() / (len(counts) * counts.sum()))


def novelty(positions: np.ndarray, popularity: np.ndarray, users: int) -> np.ndarray:
    """Mean self-information of each user's list in bits, float64 [U]; NaN for an empty list.

    An item's self-information is -log2 of the share of the `users` in training who touched it (Zhou et al. 2010), with
    `popularity` int [N] counting them; an item nobody touched counts as touched by one.
    """
    information = -np.log2(np.maximum(popularity, 1) / max(users, 1))
    recommended = positions >= 0
    length = recommended.sum(axis=1)
    total = np.where(recommended, information[positions], 0).sum(axis=1)
    return np.where(length > 0, total / np.maximum(length, 1), np.nan)


def diversity(positions: np.ndarray, vectors: Vectors) -> np.ndarray:
    """One minus the mean cosine of the pairs of items in each user's list, float64 [U]; NaN below two items.

    The intra-list diversity of Ziegler et al. 2005. `vectors` [N, D], dense or sparse, describes the items; the cosine
    with a zero vector is 0. Memory is bounded: users are looked at in blocks.
    """
    result = np.empty(len(positions))
    for users in _blocks(positions, vectors):
        block = positions[users]
        items = np.unique(block[block >= 0])
        unit, has_vector = _unit_rows(vectors[items])
        chosen = _membership(np.where(block >= 0, np.searchsorted(items, block), -1), len(items))
        # |sum of unit vectors|^2 = number of non-zero vectors + 2 x sum of the cosines of all pairs.
        sums = chosen @ unit
        squared = np.asarray(sums.multiply(sums).sum(axis=1)).ravel() if sparse.issparse(sums) else (sums**2).sum(1)
        lengths = (block >= 0).sum(axis=1)
        pairs = lengths * (lengths - 1) / 2
        cosines = (squared - chosen @ has_vector) / 2
        result[users] = np.where(pairs > 0, 1 - cosines / np.maximum(pairs, 1), np.nan)
    return result


def popularity_shares(positions: np.ndarray, popularity: np.ndarray, candidates: np.ndarray, groups: int) -> np.ndarray:
    """Divide the candidates into equal groups by popularity, most popular first; each group's share, float64 [groups].

    `positions` of any shape, -1 ignored. Candidates of equal popularity keep the order of the catalogue.
    """
    ordered = candidates[np.argsort(-popularity[candidates], kind="stable")]
    group_of = np.full(len(popularity), groups, np.int64)
    group_of[ordered] = np.arange(len(ordered)) * groups // max(len(ordered), 1)
    counts = np.bincount(group_of[positions[positions >= 0]], minlength=groups)[:groups]
    return counts / max(counts.sum(), 1)


def recommendation_counts(positions: np.ndarray, items: int) -> np.ndarray:
    """How often each of the `items` positions is recommended, int64 [items]."""
    return np.bincount(positions[positions >= 0], minlength=items)


def _blocks(positions: np.ndarray, vectors: Vectors) -> Iterator[slice]:
    """Consecutive rows of `positions` [U, K] whose vectors have few enough numbers together, or single rows.

    The sparse vectors of popular items have many, and a sum of vectors has no more than they have together.
    """
    if isinstance(vectors, np.ndarray):
        numbers = np.full(len(vectors) + 1, vectors.shape[1])
    else:
        numbers = np.append(np.diff(vectors.indptr), 0)
    numbers[-1] = 0  # Of no item, position -1.
    block = np.cumsum(numbers[positions].sum(axis=1)) // _CELLS
    starts = np.flatnonzero(np.diff(block, prepend=-1))
    for start, end in zip(starts, np.append(starts[1:], len(positions))):
        yield slice(start, end)


def _unit_rows(vectors: Vectors) -> tuple[Vectors, np.ndarray]:
    """Rows scaled to length 1 (zero rows stay), and float64 [N] 1 for rows that are not zero."""
    if isinstance(vectors, np.ndarray):
        matrix = vectors.astype(np.float64)
        norms = np.linalg.norm(matrix, axis=1)
        unit = np.divide(matrix, norms[:, None], out=np.zeros_like(matrix), where=norms[:, None] > 0)
        return unit, (norms > 0).astype(float)
    matrix = vectors.tocsr().astype(np.float64)
    norms = np.sqrt(np.asarray(matrix.multiply(matrix).sum(axis=1)).ravel())
    scale = np.divide(1, norms, out=np.zeros_like(norms), where=norms > 0)
    return sparse.diags(scale) @ matrix, (norms > 0).astype(float)


def _membership(positions: np.ndarray, items: int) -> sparse.csr_matrix:
    """CSR [U, items] with 1 for each recommended item."""
    recommended = positions >= 0
    indptr = np.concatenate([[0], np.cumsum(recommended.sum(axis=1))])
    chosen = positions[recommended]
    return sparse.csr_matrix((np.ones(len(chosen)), chosen, indptr), shape=(len(positions), items))
