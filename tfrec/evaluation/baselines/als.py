"""Alternating least squares for implicit feedback: matrix factorisation, each half of it in closed form."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator

import numpy as np
from scipy import sparse
from threadpoolctl import threadpool_limits

from tfrec.evaluation.baselines.base import Baseline

LARGE = 50_000
ROUNDS_OF_LARGE = STEPS_OF_LARGE = 3
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
        steps: of conjugate gradients, from the factors of the round before, in place of the closed form; 0 for the
            closed form, None for that up to `LARGE` users and items, and beyond for three rounds at most of three
            steps each. A few are enough, since the rounds correct each other (Takacs, Pilaszy and Tikk, "Applications
            of the conjugate gradient method for implicit feedback collaborative filtering", 2011), and they need no
            matrix per row: a round over many rows is several times as fast.
    """

    name = "ALS"

    def __init__(
        self,
        factors: int = 64,
        regularisation: float = 30.0,
        confidence: float = 2.0,
        iterations: int = 10,
        seed: int = 42,
        steps: int | None = None,
    ) -> None:
        self.factors = factors
        self.regularisation = regularisation
        self.confidence = confidence
        self.iterations = iterations
        self.seed = seed
        self.steps = steps

    def fit(self, train: sparse.csr_matrix) -> ALS:
        by_item = train.T.tocsr()
        generator = np.random.default_rng(self.seed)
        items = generator.normal(0, 0.1, (train.shape[1], self.factors))
        users = np.zeros((train.shape[0], self.factors))
        large = max(train.shape) > LARGE
        rounds = min(self.iterations, ROUNDS_OF_LARGE) if large and self.steps is None else self.iterations
        steps = (STEPS_OF_LARGE if large else 0) if self.steps is None else self.steps
        improved = functools.partial(self._stepped, steps=steps) if steps else self._solved
        for _ in range(rounds):
            users = improved(train, items, users)
            items = improved(by_item, users, items)
        self.item_factors_ = items.astype(np.float32)
        return self

    def scores(self, history: sparse.csr_matrix) -> np.ndarray:
        users = self._solved(history, self.item_factors_.astype(np.float64), None)
        return (users @ self.item_factors_.T).astype(np.float32)

    def _solved(self, weights: sparse.csr_matrix, other: np.ndarray, before: np.ndarray | None) -> np.ndarray:
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

    def _stepped(self, weights: sparse.csr_matrix, other: np.ndarray, before: np.ndarray, steps: int) -> np.ndarray:
        """As `_solved`, but nearer to that than the factors `before` by some steps of conjugate gradients; float32."""
        other = np.asarray(other, np.float32)
        base = (other.T @ other + self.regularisation * np.eye(self.factors)).astype(np.float32)
        found = np.zeros((weights.shape[0], self.factors), np.float32)
        with threadpool_limits(1, "blas"):
            for rows, columns, values in padded_rows(weights, _ENTRIES_PER_BLOCK):
                there = values > 0
                extra = np.where(there, self.confidence * values, 0).astype(np.float32)
                vectors = other[columns]
                right = np.matmul((extra + there)[:, np.newaxis], vectors)[:, 0]

                def product(x: np.ndarray, vectors: np.ndarray = vectors, extra: np.ndarray = extra) -> np.ndarray:
                    scores = np.matmul(vectors, x[..., np.newaxis])[..., 0]
                    return x @ base + np.matmul((extra * scores)[:, np.newaxis], vectors)[:, 0]

                found[rows] = conjugate_gradients(product, right, before[rows].astype(np.float32), steps)
        return found


def conjugate_gradients(
    product: Callable[[np.ndarray], np.ndarray], right: np.ndarray, start: np.ndarray, steps: int
) -> np.ndarray:
    """Some steps towards the solutions of many positive definite systems at once.

    Args:
        product: gives the products of each system's matrix with a vector of its own, [b, F] of [b, F].
        right: the right sides, [b, F]; `start`: where to start, [b, F].
    """
    x = start
    residual = right - product(x)
    direction = residual
    size = (residual * residual).sum(axis=1, keepdims=True)
    for _ in range(steps):
        along = product(direction)
        length = size / np.maximum((direction * along).sum(axis=1, keepdims=True), 1e-20)
        x = x + length * direction
        residual = residual - length * along
        before, size = size, (residual * residual).sum(axis=1, keepdims=True)
        direction = residual + size / np.maximum(before, 1e-20) * direction
    return x


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
