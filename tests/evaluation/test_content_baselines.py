import numpy as np
import pytest
from scipy import sparse

from tfrec.errors import DataError
from tfrec.evaluation.baselines import ContentKNN, ContentRidge
from tfrec.evaluation.baselines.content import _left_out_error
from tfrec.evaluation.content import content_vectors


@pytest.fixture(scope="module")
def tastes():
    """60 users of two tastes, 40 items whose content tells their taste; the last 8 have no events. (train, content)"""
    generator = np.random.default_rng(0)
    taste = np.arange(40) % 2
    content = np.stack([taste, 1 - taste], axis=1) + generator.normal(0, 0.3, (40, 2))
    chance = np.where(np.arange(60)[:, np.newaxis] % 2 == taste, 0.6, 0.05)
    touched = (generator.random((60, 40)) < chance).astype(float)
    touched[:, 32:] = 0
    return sparse.csr_matrix(touched), content


@pytest.mark.parametrize("kind", [ContentKNN, ContentRidge])
def test_items_without_events_are_ranked_by_the_taste_of_the_user(tastes, kind):
    train, content = tastes
    scores = kind(content - content.mean(axis=0)).fit(train).scores(train)[:, 32:]
    assert scores.dtype == np.float32
    right = np.arange(60)[:, np.newaxis] % 2 == np.arange(8) % 2
    assert np.mean([scores[user][right[user]].min() > scores[user][~right[user]].max() for user in range(60)]) > 0.9


def test_ridge_equals_the_normal_equations(tastes):
    train, content = tastes
    ridge = ContentRidge(content, rank=3, regularisation=5.0).fit(train)
    warm = np.arange(32)
    inputs = np.column_stack([np.ones(32), content[warm]])
    penalty = np.diag([0.0, 5.0, 5.0])
    weights = np.linalg.solve(inputs.T @ inputs + penalty, inputs.T @ ridge.directions_[warm])
    expected = train @ ridge.directions_ @ (np.column_stack([np.ones(40), content]) @ weights).T
    np.testing.assert_allclose(ridge.scores(train), expected, atol=1e-5)


def test_the_left_out_error_equals_leaving_each_item_out(tastes):
    content = tastes[1][:12]
    generator = np.random.default_rng(1)
    targets, strengths = generator.normal(size=(12, 2)), np.array([3.0, 1.0])
    targets -= targets.mean(axis=0)
    error = 0.0
    for row in range(12):
        others = np.delete(np.arange(12), row)
        inputs = np.column_stack([np.ones(11), content[others]])
        weights = np.linalg.solve(inputs.T @ inputs + np.diag([0, 2.0, 2.0]), inputs.T @ targets[others])
        error += np.sum((strengths * (targets[row] - np.append(1, content[row]) @ weights)) ** 2)
    left, singular, _ = np.linalg.svd(content - content.mean(axis=0), full_matrices=False)
    np.testing.assert_allclose(_left_out_error(left, singular, targets, strengths, 2.0), error)


def test_content_that_tells_nothing_is_shrunk_away(tastes):
    train, content = tastes
    noise = np.random.default_rng(5).normal(size=(40, 6))
    weak, strong = (ContentRidge(vectors).fit(train).regularisation_ for vectors in (content, noise))
    assert strong > weak


def test_content_of_another_catalogue_is_refused(tastes):
    for kind in (ContentKNN, ContentRidge):
        with pytest.raises(DataError, match="have 39 rows, expected one for each of 40 items"):
            kind(tastes[1][:39]).fit(tastes[0])


def test_every_feature_has_an_equal_say():
    codes = {
        "genre": np.array([1, 2, 0, 2], np.int32),
        "tags": np.array([[1, 3], [3, 0], [0, 0], [1, 0]], np.int32),
        "year": np.array([[0.5, 1], [-2, 1], [0, 0], [1.5, 1]], np.float32),
    }
    text = np.array([[1, 0, 2], [0, 0, 0], [5, 1, 1], [2, 2, 2]], np.float32)
    vectors = content_vectors(codes, {"text": text})
    assert vectors.shape == (4, 2 + 2 + 3 + 3)
    for block in (slice(0, 2), slice(2, 4), slice(4, 7), slice(7, 10)):
        lengths = np.sum(vectors[:, block] ** 2, axis=1)
        np.testing.assert_allclose(lengths.mean(), 1)
    assert not vectors[2, :7].any() and not vectors[1, 7:].any()  # absent: in the middle


def test_a_linear_baseline_can_prefer_the_middle_of_a_number():
    years = np.stack([np.linspace(-2, 2, 101), np.ones(101)], axis=1).astype(np.float32)
    liked = (np.abs(years[:, 0]) < 0.5).astype(float)
    vectors = content_vectors({"year": years}, {})
    fitted = vectors @ np.linalg.lstsq(vectors, liked - liked.mean(), rcond=None)[0] + liked.mean()
    assert vectors.shape == (101, 32) and np.mean((fitted > 0.5) == liked) > 0.95
    assert not content_vectors({"year": np.zeros((4, 2), np.float32), "kind": np.arange(4)}, {})[:, 0].any()


def test_items_without_any_content_are_refused():
    with pytest.raises(DataError, match="nothing can be told of new ones"):
        content_vectors({}, {})
