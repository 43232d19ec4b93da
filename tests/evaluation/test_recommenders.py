import numpy as np
from scipy import sparse

from tfrec.evaluation.baselines import MostPop
from tfrec.evaluation.recommenders import BaselineRecommender, EmbeddingRecommender


def test_vectors_recommend_to_the_users_asked_for():
    recommender = EmbeddingRecommender("model", queries=np.array([[1.0, 0], [0, 1]]), items=np.eye(2))
    assert recommender.recommend(np.array([1, 0, 1]), 1).tolist() == [[1], [0], [1]]


def test_a_baseline_recommends_from_the_histories_of_the_users_asked_for():
    class Repeat(MostPop):
        def scores(self, history):
            return history.toarray()

    history = sparse.csr_matrix(np.array([[0, 0, 5.0], [0, 4, 0]]))
    recommender = BaselineRecommender(Repeat().fit(history), history)
    exclude = sparse.csr_matrix(np.array([[False] * 3, [False, True, False]]))
    found = recommender.recommend(np.array([0, 1]), 1, exclude=exclude, candidates=np.array([1, 2]))
    assert found.tolist() == [[2], [2]]
