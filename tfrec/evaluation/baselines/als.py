"""Alternating least squares for implicit feedback: matrix factorisation, each half of it in closed form."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from scipy import sparse
from threadpoolctl import threadpool_limits

from tfrec.evaluation.baselines.base import Baseline

_ENTRIES_PER_BLOCK = 1 << 14  # What is gathered for a block stays in the processor's cache.


class ALS(Baseline):
    """Weighted matrix factorisation (Hu, Koren and Volinsky 2008): every pair counts, a pair with training weight w
    with confidence 1 + confidence x w towards 1, any other with confidence 1 towards 0.

    Users are folded in: the factors of whoever asks are solved for from their history and the items' factors.

    Args:
        factors: width of the factors.
        regularisation: the L2 penalty on every factor vector.
        confidence: how much a training weight of 1 adds to the confidence.
        iterations: how often users and items are solved in turn.
        seed: of the items' first factors.
    """

    name = "ALS"

    def __init__(
        self,
        factors: int = 64,
        regularisation: float = 30.0,
        confidence: float = 2.0,
        iterations: int = 10,
        seed: int = 42,
    ) -> None:
        self.factors = factors
        self.regularisation = regularisation
        self.confidence = confidence
        self.iterations = iterations
        self.seed = seed

    def fit(self, train: sparse.csr_matrix) -> ALS:
        by_item = train.T.tocsr()
        generator = np.random.default_rng(self.seed)
        items = generator.normal(0, 0.1, (train.shape[1], self.factors))
        for _ in range(self.iterations):
            items = self._solved(by_item, self._solved(train, items))
        self.item_factors_ = items.astype(np.float32)
        return self

    def scores(self, history: sparse.csr_matrix) -> np.ndarray:
        users = self._solved(history, self.item_factors_.astype(np.float64))
        return (users @ self.item_factors_.T).astype(np.float32)

    def _solved(self, weights: sparse.csr_matrix, other: np.ndarray) -> np.ndarray:
        """The factors of the rows of `weights` that fit those of its columns, `other` [N, F], best; float64 [U, F].

        For a row with weights w on the columns whose factors are Y, they solve
        (other' other + regularisation I + Y' diag(confidence w) Y) x = Y' (1 + confidence w).
        """
        base = other.T @ other + self.regularisation * np.eye(self.factors)
        solved = np.zeros((weights.shape[0], self.factors))
        # BLAS threads wait for each other over systems as small as these, for most of the time on a busy machine.
        with threadpool_limits(1, "blas"):
            for rows, columns, values in padded_rows(weights, _ENTRIES_PER_BLOCK):
                there = values > 0
                extra = np.where(there, self.confidence * values, 0)
                vectors = other[columns]
                left = base + np.matmul((vectors * extra[..., np.newaxis]).transpose(0, 2, 1), vectors)
                right = np.einsum("blf,bl->bf", vectors, extra + there)
                solved[rows] = np.linalg.solve(left, right[..., np.newaxis])[..., 0]
        return solved


def padded_rows(matrix: sparse.csr_matrix, entries: int) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """The rows of a CSR matrix that hold anything, in blocks of alike length.

    Yields:
        Row numbers int [b], columns int [b, L] and values float64 [b, L], with column 0 and value 0 behind the last;
        b x L is at most `entries`, but for a block of one row.
    """
    lengths = np.diff(matrix.indptr)
    order = np.argsort(lengths, kind="stable")[::-1]
    order = order[lengths[order] > 0]
    start = 0
    while start < len(order):
        longest = lengths[order[start]]
        rows = order[start : start + max(1, entries // longest)]
        index = matrix.indptr[rows][:, np.newaxis] + np.arange(longest)
        inside = np.arange(longest) < lengths[rows][:, np.newaxis]
        index = np.where(inside, index, 0)
        yield rows, np.where(inside, matrix.indices[index], 0), np.where(inside, matrix.data[index], 0.0)
        start += len(rows)
