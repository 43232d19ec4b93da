import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.index.made_up import made_up
from tfrec.index.kmeans import nearest_centres, spherical_centres
from tfrec.index.partition import cut, cut_by, summaries


def test_centres_lie_where_directions_gather_whatever_the_lengths():
    random = np.random.default_rng(0)
    directions = np.eye(3)[random.integers(3, size=600)]
    vectors = (directions + 0.05 * random.normal(size=(600, 3))) * random.uniform(0.1, 50, (600, 1))
    centres = spherical_centres(vectors.astype(np.float32), 12, seed=1)
    np.testing.assert_allclose(np.linalg.norm(centres, axis=1), 1, rtol=1e-5)
    np.testing.assert_allclose(centres.max(axis=1), 1, atol=0.02)  # Each lies at one of the three,
    np.testing.assert_allclose(centres.max(axis=0), 1, atol=0.02)  # and each of the three has one.
    assert len(set(nearest_centres(np.eye(3, dtype=np.float32), centres))) == 3


def test_more_centres_than_vectors_leave_some_without_any():
    vectors = np.eye(2, dtype=np.float32)
    centres = spherical_centres(vectors, 5, seed=0)
    assert centres.shape == (5, 2)
    assert np.isfinite(centres).all()
    partition = cut(vectors, centres, 4)
    assert (partition.items >= 0).any(axis=1).all()  # No block is empty.
    assert sorted(partition.items[partition.items >= 0]) == [0, 1]


def test_vectors_of_nothing_have_a_place_too():
    vectors = np.zeros((5, 3), np.float32)
    partition = cut(vectors, spherical_centres(vectors, 2, seed=0), 2)
    assert sorted(partition.items[partition.items >= 0]) == [0, 1, 2, 3, 4]
    assert np.isfinite(np.concatenate([part.ravel() for part in summaries(vectors, partition)])).all()


@settings(max_examples=30, deadline=None)
@given(items=st.integers(1, 60), directions=st.integers(1, 6), rows=st.integers(1, 9), seed=st.integers(0, 99))
def test_every_item_is_once_in_a_block_of_its_direction_and_the_longest_come_first(items, directions, rows, seed):
    vectors, _ = made_up(items, 4, 1, seed)
    direction_of = np.random.default_rng(seed).integers(directions, size=items).astype(np.int32)
    partition = cut_by(vectors, np.eye(directions, 4, dtype=np.float32), direction_of, rows)
    np.testing.assert_array_equal(partition.items.ravel()[partition.slots()], np.arange(items))
    np.testing.assert_array_equal(partition.direction_of(), direction_of)
    lengths = np.linalg.norm(vectors, axis=1)
    for direction in range(directions):
        blocks = partition.items[partition.directions == direction].ravel()
        held = blocks[blocks >= 0]
        assert (np.diff(lengths[held]) <= 0).all()
        assert len(blocks) - len(held) < rows  # Only the last block of a direction has free places.


def test_a_block_is_summarised_by_its_mean_and_the_spread_around_it():
    vectors = np.array([[1, 0], [3, 0], [0, 5], [0, 5]], np.float32)
    partition = cut_by(vectors, np.eye(2, dtype=np.float32), np.array([0, 0, 1, 1], np.int32), 3)
    means, spreads = summaries(vectors, partition)
    np.testing.assert_allclose(means, [[2, 0], [0, 5]])
    np.testing.assert_allclose(spreads, [0.5**0.5, 0])
