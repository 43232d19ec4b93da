import numpy as np

from tfrec.data.tables import Events
from tfrec.training.interactions import interactions


def events(*rows):
    """Events from (user, item, weight) in the order of time."""
    user, item, weight = (np.array(column) for column in zip(*rows))
    count = len(rows)
    return Events(
        user.astype(np.int32),
        item.astype(np.int32),
        np.arange(count),
        np.full(count, "", object),
        weight.astype(np.float32),
        np.full(count, np.nan, np.float32),
    )


def test_a_pair_is_one_entry_with_its_largest_weight_at_its_latest_event():
    pairs = interactions(events((0, 5, 1), (0, 3, 1), (1, 5, 2), (0, 5, 4), (0, 5, 2)), users=3)
    np.testing.assert_array_equal(pairs.indptr, [0, 2, 3, 3])
    np.testing.assert_array_equal(pairs.item, [3, 5, 5])
    np.testing.assert_array_equal(pairs.weight, [1, 4, 2])
    np.testing.assert_array_equal(pairs.event, [1, 4, 2])
    np.testing.assert_array_equal(pairs.users(), [0, 1])


def test_the_latest_items_come_oldest_first_behind_the_padding():
    pairs = interactions(events((0, 7, 1), (0, 8, 1), (0, 9, 1), (2, 4, 1)), users=3)
    np.testing.assert_array_equal(pairs.latest(np.array([0, 1, 2]), 2), [[8, 9], [-1, -1], [-1, 4]])
    np.testing.assert_array_equal(pairs.latest(np.array([0]), 5), [[-1, -1, 7, 8, 9]])


def test_without_events_nobody_has_a_history():
    nothing = events((0, 0, 1)).take(np.zeros(0, int))
    pairs = interactions(nothing, users=2)
    np.testing.assert_array_equal(pairs.latest(np.array([0, 1]), 3), np.full([2, 3], -1))


def test_the_matrix_holds_the_weights():
    dense = interactions(events((0, 1, 2), (1, 0, 3)), users=2).matrix(items=3).toarray()
    np.testing.assert_array_equal(dense, [[0, 2, 0], [3, 0, 0]])
