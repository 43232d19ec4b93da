"""Factors beside the members: solved for from the events, and as loud as asked."""

import numpy as np
import pytest

from tests.training.toy import KNOWN, TASTES, USERS, make_toy
from tfrec.evaluation.baselines.als import ALS
from tfrec.towers.least_squares import CONFIDENCE
from tfrec.training.factors import ITERATIONS, REGULARISATION, SHARE, set_factors, weigh_factors

FACTORS = 5


@pytest.fixture(scope="module")
def toy():
    """The toy with factors solved for."""
    made = make_toy({}, factors=FACTORS)
    set_factors(made.model, made.pairs, made.known, seed=1)
    return made


def asked(toy):
    """The table of all items and the queries of all users."""
    embedder = toy.embedder()
    table = embedder.items(toy.inputs)
    return table, embedder.queries(table, toy.pairs.latest(np.arange(USERS), 8), {})


def test_factors_are_those_of_alternating_least_squares_over_known_items(toy):
    table, _ = asked(toy)
    matrix = toy.pairs.matrix(len(toy.known))[:, toy.known]
    alone = ALS(FACTORS, REGULARISATION, CONFIDENCE, ITERATIONS, 1).fit(matrix)
    np.testing.assert_allclose(table[toy.known, -FACTORS:], alone.item_factors_, atol=1e-6)
    assert not table[~toy.known].any() and np.abs(alone.item_factors_).max() > 0.01


def test_a_history_scores_items_as_alternating_least_squares_does(toy):
    toy.model.query_tower.least_squares.scale.assign(1.0)
    table, queries = asked(toy)
    history = toy.pairs.latest(np.arange(USERS), 8)
    matrix = np.zeros((USERS, KNOWN), np.float32)
    np.put_along_axis(matrix, history, 1.0, axis=1)
    from scipy import sparse

    whole = toy.pairs.matrix(len(toy.known))[:, toy.known]
    alone = ALS(FACTORS, REGULARISATION, CONFIDENCE, ITERATIONS, 1).fit(whole)
    expected = alone.scores(sparse.csr_matrix(matrix))
    np.testing.assert_allclose(queries[:, -FACTORS:] @ table[toy.known, -FACTORS:].T, expected, atol=1e-4)


@pytest.mark.parametrize("before", [1.0, 0.01, 50.0])
def test_factors_move_scores_as_far_beside_the_members_as_asked(toy, before):
    scale = toy.model.query_tower.least_squares.scale
    scale.assign(before)
    table, queries = asked(toy)
    weigh_factors(toy.model, queries, table[toy.known])
    table, queries = asked(toy)
    width = 2 * TASTES + 1
    of_members, of_factors = (
        (queries[:, part] @ table[toy.known][:, part].T).std(axis=1).mean()
        for part in (slice(None, width), slice(width, None))
    )
    assert of_factors == pytest.approx(SHARE * of_members, rel=1e-3)


def test_factors_are_silent_where_nobody_has_a_history(toy):
    embedder = toy.embedder()
    table = embedder.items(toy.inputs)
    strangers = embedder.queries(table, np.full((3, 8), -1, np.int32), {})
    weigh_factors(toy.model, strangers, table[toy.known])
    assert float(toy.model.query_tower.least_squares.scale) == 0.0
