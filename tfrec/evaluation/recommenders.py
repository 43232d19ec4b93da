"""What can be evaluated: anything that recommends positions, and adapters for vectors and for baselines."""

from __future__ import annotations

from typing import Protocol

import numpy as np
from scipy import sparse

from tfrec.evaluation.baselines.base import Baseline
from tfrec.evaluation.topk import top_k, top_k_of_scores


class Recommender(Protocol):
    """A named source of recommendations."""

    name: str

    def recommend(
        self,
        users: np.ndarray,
        k: int,
        exclude: sparse.csr_matrix | None = None,
        candidates: np.ndarray | None = None,
        truth: sparse.csr_matrix | None = None,
    ) -> np.ndarray:
        """Recommend to `users` (int [V], rows of the users table) the positions int32 [V, k], -1 where fewer remain.

        `exclude` and `truth` are CSR [V, N] whose rows belong to `users` one by one; `truth` serves only to put
        relevant items behind others of equal score.
        """
        ...


class EmbeddingRecommender:
    """Ranks by dot product of query vectors [U, D], one row per user, and item vectors [N, D]."""

    def __init__(self, name: str, queries: np.ndarray, items: np.ndarray) -> None:
        self.name = name
        self.queries = queries
        self.items = items

    def recommend(
        self,
        users: np.ndarray,
        k: int,
        exclude: sparse.csr_matrix | None = None,
        candidates: np.ndarray | None = None,
        truth: sparse.csr_matrix | None = None,
    ) -> np.ndarray:
        found = top_k(self.queries[users], self.items, k, exclude=exclude, candidates=candidates, truth=truth)
        return found.positions


class BaselineRecommender:
    """Recommends with a fitted baseline from the users' histories, CSR [U, N]."""

    def __init__(self, baseline: Baseline, history: sparse.csr_matrix) -> None:
        self.name = baseline.name
        self.baseline = baseline
        self.history = history

    def recommend(
        self,
        users: np.ndarray,
        k: int,
        exclude: sparse.csr_matrix | None = None,
        candidates: np.ndarray | None = None,
        truth: sparse.csr_matrix | None = None,
    ) -> np.ndarray:
        history = self.history[users]
        found = top_k_of_scores(
            lambda rows: self.baseline.scores(history[rows]),
            len(users),
            history.shape[1],
            k,
            exclude=exclude,
            candidates=candidates,
            truth=truth,
        )
        return found.positions
