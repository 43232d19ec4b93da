"""Items join a partition: in the block of their direction and length, at a cost that grows with what is new."""

import itertools

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse

from tests.index.made_up import made_up
from tfrec.index.growth import grown
from tfrec.index.kmeans import nearest_centres, spherical_centres
from tfrec.index.making import Asked, with_partition
from tfrec.index.partition import cut
from tfrec.index.partitioned import promises, renewed


def bounds(partition, vectors, direction):
    """The longest and the shortest item of each block of a direction, the longest blocks first."""
    lengths = np.linalg.norm(vectors, axis=1)
    blocks = [block[block >= 0] for block in partition.items[partition.directions == direction]]
    return sorted(((lengths[block].max(), lengths[block].min()) for block in blocks if len(block)), reverse=True)


@settings(max_examples=60, deadline=None)
@given(
    items=st.integers(1, 60),
    more=st.integers(0, 40),
    moved=st.integers(0, 10),
    directions=st.integers(1, 6),
    rows=st.integers(1, 9),
    seed=st.integers(0, 99),
)
def test_every_item_has_one_place_in_a_block_of_its_direction_and_length(items, more, moved, directions, rows, seed):
    random = np.random.default_rng(seed)
    vectors, _ = made_up(items + more, 4, 1, seed)
    centres = spherical_centres(vectors, directions, seed)
    partition = cut(vectors[:items], centres, rows)
    again = random.choice(items, min(moved, items), replace=False)
    vectors[again] = random.normal(size=(len(again), 4))
    new = random.permutation(np.concatenate([again, np.arange(items, items + more)]))
    after, changed = grown(vectors, partition, new)
    np.testing.assert_array_equal(after.items.ravel()[after.slots()], np.arange(items + more))
    chosen = after.direction_of()
    np.testing.assert_array_equal(chosen[new], nearest_centres(vectors[new], centres))
    kept = np.setdiff1d(np.arange(items), again)
    np.testing.assert_array_equal(chosen[kept], partition.direction_of()[kept])
    for direction in range(directions):
        found = bounds(after, vectors, direction)
        assert all(shortest >= longest for (_, shortest), (longest, _) in itertools.pairwise(found))
    same = np.setdiff1d(np.arange(len(after.items)), changed)
    np.testing.assert_array_equal(after.items[same], partition.items[same])
    promise = promises(vectors[:items], partition, 2.0)
    np.testing.assert_allclose(renewed(promise, vectors, after, 2.0, changed), promises(vectors, after, 2.0), atol=1e-6)


def test_blocks_are_touched_as_items_join_not_as_the_catalogue_is_large():
    vectors, _ = made_up(4100, 8, 1)
    partition = cut(vectors[:4000], spherical_centres(vectors, 10, seed=0), 16)
    after, changed = grown(vectors, partition, np.arange(4000, 4010))
    assert len(changed) <= 20 < len(partition.items) / 10
    assert len(after.items) <= len(partition.items) + 10


def test_an_item_added_to_a_direction_without_any_is_found():
    centres = np.eye(2, dtype=np.float32)
    vectors = np.array([[1, 0], [2, 0], [0, 3]], np.float32)
    after, changed = grown(vectors, cut(vectors[:2], centres, 4), np.array([2]))
    np.testing.assert_array_equal(after.directions, [0, 1])
    np.testing.assert_array_equal(changed, [1])
    np.testing.assert_array_equal(after.items[1], [2, -1, -1, -1])


def test_a_catalogue_doubled_by_and_by_keeps_its_recall():
    vectors, queries = made_up(4000, 8, 200)
    partition = cut(vectors[:2000], spherical_centres(vectors[:2000], 60, seed=0), 8)
    for start in range(2000, 4000, 250):
        partition, _ = grown(vectors[: start + 250], partition, np.arange(start, start + 250))
    nothing = sparse.csr_matrix((len(queries), len(vectors)), dtype=bool)
    _, record = with_partition(vectors, partition, 5, 2.0, Asked(queries, nothing, 10, 0.9))
    assert record["recall"] >= 0.9 and record["scanned"] < 0.5
