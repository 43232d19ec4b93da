"""EASE: a linear item-item model in closed form, hard to beat on catalogues of some thousand items."""

from __future__ import annotations

import numpy as np
from scipy import linalg, sparse

from tfrec.errors import DataError
from tfrec.evaluation.baselines.base import Baseline


class EASE(Baseline):
    """Embarrassingly shallow autoencoder (Steck 2019): history @ B, where B solves ridge regression of the training
    matrix on itself with a zero diagonal: with P = inverse(X'X + regularisation I), B = -P / diag(P) off the diagonal.

    Args:
        regularisation: the L2 penalty; 200 to 500 suits thousands of users, less where there are fewer.
    """

    name = "EASE"
    maximum_items = 20_000

    def __init__(self, regularisation: float = 300.0) -> None:
        self.regularisation = regularisation

    def fit(self, train: sparse.csr_matrix) -> EASE:
        """Learn from CSR [U, N].

        Raises:
            DataError: if N exceeds `maximum_items`, whose N x N matrices fill about 10 GB.
        """
        items = train.shape[1]
        if items > self.maximum_items:
            raise DataError(
                f"EASE inverts a matrix of items x items and takes at most {self.maximum_items} items, "
                f"the catalogue has {items}; leave EASE out of the baselines"
            )
        gram = (train.T @ train).astype(np.float64).toarray()
        gram[np.diag_indices(items)] += self.regularisation
        inverse = linalg.inv(gram, overwrite_a=True, check_finite=False)
        weights = np.divide(inverse, -np.diag(inverse), out=inverse)
        weights[np.diag_indices(items)] = 0
        self.weights_ = weights.astype(np.float32)
        return self

    def scores(self, history: sparse.csr_matrix) -> np.ndarray:
        return np.asarray(history @ self.weights_, np.float32)
