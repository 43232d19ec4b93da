"""Items in random order: what chance alone reaches."""

from __future__ import annotations

import numpy as np
from scipy import sparse

from tfrec.evaluation.baselines.base import Baseline


class RandomOrder(Baseline):
    """Draws every score anew; `fit` restarts the generator from `seed`, so the same calls give the same scores."""

    name = "Random"
    needs_events = False

    def __init__(self, seed: int = 42) -> None:
        self.seed = seed

    def fit(self, train: sparse.csr_matrix) -> RandomOrder:
        self.generator_ = np.random.default_rng(self.seed)
        return self

    def scores(self, history: sparse.csr_matrix) -> np.ndarray:
        return self.generator_.random(history.shape, dtype=np.float32)
