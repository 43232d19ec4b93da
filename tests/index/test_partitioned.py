import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.index.made_up import made_up
from tfrec.index.exact import ExactIndex
from tfrec.index.kmeans import spherical_centres
from tfrec.index.partition import cut
from tfrec.index.partitioned import PartitionedIndex

NOTHING = np.full((1, 1), -1, np.int32)


def partitioned(vectors, directions, rows, probes, k, spread=3.0):
    partition = cut(vectors, spherical_centres(vectors, directions, seed=0), rows)
    return PartitionedIndex(vectors, partition, probes, spread, k)


def nothing_excluded(queries):
    return np.repeat(NOTHING, len(queries), axis=0)


def share_found(found, wanted):
    return np.mean([len(set(row) & set(true)) / len(true) for row, true in zip(found, wanted)])


@pytest.fixture(scope="module")
def world():
    return made_up(5000, 16, 50)


def test_a_part_of_the_blocks_holds_most_of_the_best_items(world):
    vectors, queries = world
    index = partitioned(vectors, directions=16, rows=16, probes=60, k=20)
    positions, scores = index.recommend(queries, nothing_excluded(queries))
    exact, _ = ExactIndex(vectors, 20).recommend(queries, nothing_excluded(queries))
    assert share_found(positions.numpy(), exact.numpy()) > 0.9
    assert index.probes * index.rows < 0.2 * len(vectors)
    # What is found has its true score, best first.
    true = np.take_along_axis(queries @ vectors.T, positions.numpy(), axis=1)
    np.testing.assert_allclose(scores, true, rtol=1e-4, atol=1e-4)
    assert (np.diff(scores.numpy(), axis=1) <= 0).all()


class OneMask:
    """The same items are allowed to every query."""

    def __init__(self, mask):
        self.mask = tf.constant(mask)

    def part(self, rows):
        return self

    def at(self, items):
        return tf.gather(self.mask, items)

    def everywhere(self):
        return self.mask[tf.newaxis]


@pytest.mark.parametrize("share", [0.5, 0.2, 0.1, 0.05, 0.02, 0.005])
@pytest.mark.parametrize("alike", [False, True])
def test_filters_that_leave_little_miss_as_few_of_the_best_as_none(world, share, alike):
    """The best that pass lie deeper in the order of all: the blocks that suffice without a filter would not do."""
    vectors, queries = world
    index = partitioned(vectors, directions=16, rows=16, probes=60, k=20)
    random = np.random.default_rng(5)
    worth = vectors @ random.normal(size=16) if alike else random.random(len(vectors))
    allowed = OneMask(worth >= np.quantile(worth, 1 - share))
    found, _ = index.recommend(queries, nothing_excluded(queries), allowed)
    exact, _ = ExactIndex(vectors, 20).recommend(queries, nothing_excluded(queries), allowed)
    assert (found.numpy() >= 0).all() and allowed.at(found).numpy().all()
    assert share_found(found.numpy(), exact.numpy()) > 0.9
    # What is asked beside a query does not change its answer.
    alone = [index.recommend(queries[row : row + 1], NOTHING, allowed)[0].numpy()[0] for row in range(5)]
    np.testing.assert_array_equal(found.numpy()[:5], alone)


def test_long_vectors_are_found_whatever_their_direction():
    # Of random directions no k-means makes use; cutting by length does.
    random = np.random.default_rng(3)
    vectors = random.normal(size=(4000, 32)) * np.exp(random.normal(size=(4000, 1)))
    queries = random.normal(size=(30, 32)).astype(np.float32)
    index = partitioned(vectors.astype(np.float32), directions=4, rows=16, probes=25, k=10)
    positions, _ = index.recommend(queries, nothing_excluded(queries))
    exact, _ = ExactIndex(vectors.astype(np.float32), 10).recommend(queries, nothing_excluded(queries))
    assert share_found(positions.numpy(), exact.numpy()) > 0.9


@settings(max_examples=30, deadline=None)
@given(
    items=st.integers(1, 40),
    k=st.integers(1, 15),
    batch=st.integers(1, 20),
    probes=st.integers(1, 6),
    width=st.integers(0, 12),
    seed=st.integers(0, 1000),
)
def test_exclusions_leave_k_full_and_are_never_found(items, k, batch, probes, width, seed):
    random = np.random.default_rng(seed)
    vectors, queries = made_up(items, 4, batch, seed)
    index = partitioned(vectors, directions=2, rows=4, probes=probes, k=k)
    # The best items are excluded, so that the probed blocks may hold none that is allowed.
    order = np.argsort(-queries @ vectors.T, axis=1)
    excluded = np.where(random.random((batch, width)) < 0.8, order[:, np.arange(width) % items], -1).astype(np.int32)
    positions, scores = (
        value.numpy() for value in index.recommend(queries, tf.constant(excluded, shape=(batch, width)))
    )
    assert positions.shape == scores.shape == (batch, k)
    for row in range(batch):
        allowed = set(range(items)) - set(excluded[row])
        found = positions[row][positions[row] >= 0]
        assert len(set(found)) == len(found) == min(k, len(allowed))
        assert set(found) <= allowed
        assert (positions[row][len(found) :] == -1).all()
        assert (scores[row][len(found) :] == 0).all()


@settings(max_examples=20, deadline=None)
@given(items=st.integers(1, 30), k=st.integers(1, 40), batch=st.integers(0, 20), seed=st.integers(0, 99))
def test_with_all_blocks_probed_it_is_exact_also_for_more_places_than_items(items, k, batch, seed):
    vectors, queries = made_up(items, 3, batch, seed)
    excluded = np.random.default_rng(seed).integers(-1, items, (batch, 3)).astype(np.int32)
    index = partitioned(vectors, directions=3, rows=5, probes=99, k=k)
    found = index.recommend(queries, excluded)
    exact = ExactIndex(vectors, k).recommend(queries, excluded)
    np.testing.assert_array_equal(found[0], exact[0])
    np.testing.assert_allclose(found[1], exact[1], rtol=1e-4, atol=1e-5)


def test_items_of_equal_score_are_all_found():
    vectors = np.ones((12, 4), np.float32)
    positions, scores = partitioned(vectors, 2, 4, 9, 12).recommend(
        np.ones((2, 4), np.float32), np.repeat(NOTHING, 2, 0)
    )
    np.testing.assert_array_equal(np.sort(positions, axis=1), [np.arange(12)] * 2)
    np.testing.assert_allclose(scores, 4)


def test_what_needs_all_items_answers_as_the_exact_index(world):
    vectors, queries = world
    index, exact = partitioned(vectors, 8, 16, 5, 7), ExactIndex(vectors, 7)
    np.testing.assert_allclose(index.cosines(queries), exact.cosines(queries), atol=1e-5)
    positions = tf.constant([[3, 4999], [0, 3]])
    np.testing.assert_array_equal(index.vectors_of(positions), exact.vectors_of(positions))
    excluded = np.array([[0, 1]] * len(queries), np.int32)
    scores = exact.cosines(queries)
    np.testing.assert_array_equal(index.top_k(scores, excluded)[0], exact.top_k(scores, excluded)[0])
