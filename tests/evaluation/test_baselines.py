import numpy as np
import pytest
from scipy import sparse

from tfrec.errors import DataError
from tfrec.evaluation.baselines import BASELINES, EASE, ItemKNN, MostPop, RandomOrder


def random_interactions(users=30, items=12, seed=0):
    generator = np.random.default_rng(seed)
    return sparse.csr_matrix((generator.random((users, items)) < 0.3) * generator.integers(1, 4, (users, items)) * 1.0)


@pytest.mark.parametrize("name", BASELINES)
def test_every_baseline_scores_users_who_were_not_in_training(name):
    baseline = BASELINES[name]().fit(random_interactions())
    scores = baseline.scores(random_interactions(users=5, seed=1))
    assert scores.shape == (5, 12)
    assert scores.dtype == np.float32
    assert np.isfinite(scores).all()


def test_most_pop_ranks_by_the_sum_of_weights():
    train = sparse.csr_matrix(np.array([[1.0, 0, 2], [1, 0, 2]]))
    assert MostPop().fit(train).scores(sparse.csr_matrix((2, 3))).tolist() == [[2, 0, 4], [2, 0, 4]]


@pytest.mark.parametrize("neighbours", [2, 100])
def test_item_knn_equals_shrunk_cosines_pair_by_pair(neighbours):
    train, history = random_interactions(), random_interactions(users=4, seed=1)
    columns = train.toarray().T
    similarity = np.zeros((12, 12))
    for target in range(12):
        for other in range(12):
            if other != target:
                lengths = np.linalg.norm(columns[target]) * np.linalg.norm(columns[other])
                similarity[other, target] = columns[target] @ columns[other] / (lengths + 5)
        order = sorted(range(12), key=lambda other: (-similarity[other, target], other))
        similarity[order[neighbours:], target] = 0
    found = ItemKNN(neighbours=neighbours, shrinkage=5).fit(train).scores(history)
    np.testing.assert_allclose(found, history.toarray() @ similarity, rtol=1e-5)


def test_ease_solves_the_ridge_regression_of_each_item_on_all_others():
    train = random_interactions()
    dense = train.toarray()
    weights = np.zeros((12, 12))
    for target in range(12):
        others = [item for item in range(12) if item != target]
        inputs = dense[:, others]
        weights[others, target] = np.linalg.solve(inputs.T @ inputs + 7 * np.eye(11), inputs.T @ dense[:, target])
    found = EASE(regularisation=7).fit(train).scores(train)
    np.testing.assert_allclose(found, dense @ weights, atol=1e-5)


def test_ease_refuses_a_catalogue_whose_square_does_not_fit():
    with pytest.raises(DataError, match="takes at most 20000 items, the catalogue has 20001; leave EASE out"):
        EASE().fit(sparse.csr_matrix((3, 20_001)))


def test_random_scores_start_again_with_every_fit():
    history = sparse.csr_matrix((3, 5))
    baseline = RandomOrder(seed=1)
    first = baseline.fit(history).scores(history)
    assert not np.array_equal(first, baseline.scores(history))
    np.testing.assert_array_equal(first, baseline.fit(history).scores(history))
    assert not np.array_equal(first, RandomOrder(seed=2).fit(history).scores(history))
