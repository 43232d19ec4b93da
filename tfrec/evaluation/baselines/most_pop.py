"""The most popular items, the same for everyone."""

from __future__ import annotations

import numpy as np
from scipy import sparse

from tfrec.evaluation.baselines.base import Baseline


class MostPop(Baseline):
    """Scores an item by the sum of its training weights.

    Fitted on weights that decay with time (see `interaction_matrix`), it is recent popularity; give that another name.
    """

    name = "MostPop"

    def __init__(self, name: str = "MostPop") -> None:
        self.name = name

    def fit(self, train: sparse.csr_matrix) -> MostPop:
        self.popularity_ = np.asarray(train.sum(axis=0, dtype=np.float64)).ravel().astype(np.float32)
        return self

    def scores(self, history: sparse.csr_matrix) -> np.ndarray:
        return np.broadcast_to(self.popularity_, (history.shape[0], len(self.popularity_)))
