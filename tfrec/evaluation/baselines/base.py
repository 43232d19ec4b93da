"""What every baseline offers."""

from __future__ import annotations

import abc
import math

import numpy as np
from scipy import sparse


class Baseline(abc.ABC):
    """Learns from the training matrix, then scores the catalogue from users' histories alone.

    Because `scores` sees nothing but histories, a user who was not in training is scored like any other (fold-in).
    What a baseline needs beside events, such as item vectors, its constructor takes.

    Attributes:
        name: the name it is printed and configured under.
        needs_events: whether it tells items apart by their training events, so that it has nothing to say on cold ones.
        maximum_items: the largest catalogue that it fits in memory and time.
    """

    name: str
    needs_events: bool = True
    maximum_items: float = math.inf

    @abc.abstractmethod
    def fit(self, train: sparse.csr_matrix) -> Baseline:
        """Learn from training weights, CSR [U, N], and return self."""

    @abc.abstractmethod
    def scores(self, history: sparse.csr_matrix) -> np.ndarray:
        """Score every item for users given by their history, CSR [b, N], as float32 [b, N]."""
