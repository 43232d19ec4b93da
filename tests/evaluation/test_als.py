import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse

from tfrec.evaluation.baselines.als import ALS, padded_rows


def random_interactions(users=30, items=12, seed=0):
    generator = np.random.default_rng(seed)
    return sparse.csr_matrix((generator.random((users, items)) < 0.3) * generator.integers(1, 4, (users, items)) * 1.0)


def test_a_folded_in_user_solves_the_weighted_least_squares_of_their_history():
    history = random_interactions(users=4, seed=1)
    als = ALS(factors=5, regularisation=2, confidence=3, iterations=2).fit(random_interactions())
    items = als.item_factors_.astype(float)
    expected = []
    for weights in history.toarray():
        confidence = np.diag(1 + 3 * weights)
        left = items.T @ confidence @ items + 2 * np.eye(5)
        expected.append(items @ np.linalg.solve(left, items.T @ confidence @ (weights > 0)))
    np.testing.assert_allclose(als.scores(history), expected, atol=1e-5)


def test_more_iterations_never_raise_the_loss():
    train = random_interactions()
    dense = train.toarray()

    def loss(iterations):
        als = ALS(factors=4, regularisation=1, confidence=2, iterations=iterations).fit(train)
        items = als.item_factors_.astype(float)
        users = np.linalg.lstsq(items, als.scores(train).T, rcond=None)[0].T
        errors = (1 + 2 * dense) * ((dense > 0) - users @ items.T) ** 2
        return errors.sum() + np.sum(users**2) + np.sum(items**2)

    losses = [loss(iterations) for iterations in (1, 2, 4, 8)]
    assert all(later <= earlier + 1e-6 for earlier, later in itertools.pairwise(losses))


def test_taste_is_recognised():
    users = np.repeat(np.eye(2), [20, 20], axis=0)
    train = sparse.csr_matrix(np.repeat(users, 6, axis=1) * (np.random.default_rng(0).random((40, 12)) < 0.7))
    asked = sparse.csr_matrix(([1.0, 1.0], ([0, 1], [0, 11])), shape=(2, 12))
    scores = ALS(factors=2, regularisation=0.1).fit(train).scores(asked)
    assert scores[0, :6].min() > scores[0, 6:].max()
    assert scores[1, 6:].min() > scores[1, :6].max()


def test_another_seed_starts_elsewhere_and_the_same_one_gives_the_same():
    train = random_interactions()
    first, again, other = (ALS(factors=8, regularisation=0.5, seed=seed).fit(train).scores(train) for seed in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)


@pytest.mark.parametrize("entries", [1, 7, 1000])
@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 100))
def test_padded_rows_hold_every_entry_once(entries, seed):
    matrix = random_interactions(seed=seed)
    rebuilt = np.zeros(matrix.shape)
    seen = []
    for rows, columns, values in padded_rows(matrix, entries):
        assert columns.size <= max(entries, columns.shape[1])
        np.add.at(rebuilt, (rows[:, np.newaxis], columns), values)
        seen += rows.tolist()
    np.testing.assert_array_equal(rebuilt, matrix.toarray())
    assert sorted(seen) == np.flatnonzero(np.diff(matrix.indptr)).tolist()
