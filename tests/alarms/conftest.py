"""Lists of recommendations and data sets of which only the events matter."""

import numpy as np
import pytest
from scipy import sparse

from tests.evaluation.conftest import make_dataset, make_events
from tfrec.evaluation.baselines import MostPop
from tfrec.evaluation.recommenders import BaselineRecommender


@pytest.fixture
def events():
    return make_events


@pytest.fixture
def divided():
    return make_dataset


@pytest.fixture
def shop_of():
    return Shop


class Shop:
    """Users with a history drawn by popularity, and top-k lists by scores under the usual rules."""

    def __init__(self, users=200, items=300, touched=15, seed=0):
        random = np.random.default_rng(seed)
        chances = 1 / (np.arange(items) + 5.0)
        chances /= chances.sum()
        chosen = [random.choice(items, touched, replace=False, p=chances) for _ in range(users)]
        indptr = np.arange(users + 1) * touched
        self.known = sparse.csr_matrix(
            (np.ones(users * touched, np.float32), np.concatenate(chosen).astype(int), indptr), (users, items)
        )
        self.known.sort_indices()
        self.candidates = np.arange(items)
        self.random = random

    def top(self, scores, k=10):
        free = np.where(self.known.toarray() > 0, -np.inf, scores)
        return np.argsort(-free, axis=1, kind="stable")[:, :k]

    def popular(self, k=10):
        recommender = BaselineRecommender(MostPop().fit(self.known), self.known)
        rows = np.arange(self.known.shape[0])
        return recommender.recommend(rows, k, exclude=self.known, candidates=self.candidates)
