"""Baselines that know items by their content, so that they can rank items without a single event."""

from __future__ import annotations

import numpy as np
from scipy import linalg, sparse
from scipy.sparse.linalg import svds

from tfrec.errors import DataError
from tfrec.evaluation.baselines.base import Baseline

STRENGTHS = np.geomspace(0.01, 1000, 21)


class ContentKNN(Baseline):
    """Scores an item by the mean cosine of its content with that of the history.

    Args:
        vectors: float [N, F], the content of the items; what is centred first tells items apart better.
    """

    name = "ContentKNN"
    needs_events = False

    def __init__(self, vectors: np.ndarray) -> None:
        self.vectors = vectors

    def fit(self, train: sparse.csr_matrix) -> ContentKNN:
        _check_rows(self.vectors, train)
        self.units_ = self.vectors / np.maximum(np.linalg.norm(self.vectors, axis=1, keepdims=True), 1e-12)
        return self

    def scores(self, history: sparse.csr_matrix) -> np.ndarray:
        total = np.maximum(np.asarray(history.sum(axis=1)), 1e-12)
        return ((history @ self.units_) / total @ self.units_.T).astype(np.float32)


class ContentRidge(Baseline):
    """Ridge regression from content to the factors of a truncated singular value decomposition of the events.

    With X ~ U S V', the rows of V of items with events are regressed on their content; a user is history @ V, an item
    is what its content predicts. Scaling the columns of V by S would change nothing, since ridge treats each column
    alone. Known as content-to-factors mapping (Gantner et al. 2010).

    Args:
        vectors: float [N, F], the content of the items.
        rank: how many singular directions.
        regularisation: the L2 penalty on the regression weights, not on its intercept; None chooses the one with the
            least leave-one-out error, the directions weighted by S squared.
    """

    name = "ContentRidge"
    needs_events = False

    def __init__(self, vectors: np.ndarray, rank: int = 32, regularisation: float | None = None) -> None:
        self.vectors = vectors
        self.rank = rank
        self.regularisation = regularisation

    def fit(self, train: sparse.csr_matrix) -> ContentRidge:
        """Learn from CSR [U, N].

        Raises:
            DataError: if the content has not one row per item, or fewer than three items have events.
        """
        _check_rows(self.vectors, train)
        warm = np.flatnonzero(np.bincount(train.indices, minlength=train.shape[1]))
        smaller = min(train.shape[0], len(warm))
        if smaller < 3:
            raise DataError(f"ContentRidge needs three users and items with events, got {smaller}; leave it out")
        rank = min(self.rank, smaller - 1)
        _, strengths, found = svds(train[:, warm].astype(np.float64), k=rank, v0=np.ones(smaller))
        content = self.vectors.astype(np.float64)
        centre, mean = content[warm].mean(axis=0), found.mean(axis=1)
        left, singular, right = linalg.svd(content[warm] - centre, full_matrices=False)
        targets = found.T - mean
        self.regularisation_ = self.regularisation
        if self.regularisation is None:
            errors = [_left_out_error(left, singular, targets, strengths, value) for value in STRENGTHS]
            self.regularisation_ = float(STRENGTHS[int(np.argmin(errors))])
        shrunk = singular / (singular**2 + self.regularisation_)
        self.directions_ = np.zeros((train.shape[1], rank))
        self.directions_[warm] = found.T
        self.predicted_ = (content - centre) @ (right.T * shrunk) @ (left.T @ targets) + mean
        return self

    def scores(self, history: sparse.csr_matrix) -> np.ndarray:
        return ((history @ self.directions_) @ self.predicted_.T).astype(np.float32)


def _left_out_error(
    left: np.ndarray, singular: np.ndarray, targets: np.ndarray, strengths: np.ndarray, regularisation: float
) -> float:
    """The squared error of predicting each row of `targets` [n, R] from a ridge fit to the others, columns weighted.

    A row left out errs by its residual divided by 1 - h, h being its entry on the diagonal of the hat matrix.
    """
    share = singular**2 / (singular**2 + regularisation)
    residuals = targets - (left * share) @ (left.T @ targets)
    leverage = 1 / len(left) + np.sum(left**2 * share, axis=1)
    return float(np.sum((strengths * residuals / np.maximum(1 - leverage, 1e-9)[:, np.newaxis]) ** 2))


def _check_rows(vectors: np.ndarray, train: sparse.csr_matrix) -> None:
    if len(vectors) != train.shape[1]:
        raise DataError(
            f"the content vectors have {len(vectors)} rows, expected one for each of {train.shape[1]} items"
        )
