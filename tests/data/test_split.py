import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tfrec.config import Split
from tfrec.data.split import COLD, TEST, TRAIN, VALIDATION, held_out_items, hidden_users, parts_of_events

NONE = np.empty(0, np.int32)
EVENTS = st.lists(st.tuples(st.integers(0, 4), st.integers(0, 6), st.integers(0, 20)), min_size=1, max_size=60)
FRACTIONS = st.sampled_from([0.0, 0.1, 0.25, 0.4])


def arrays(events):
    return tuple(np.array(events, np.int64).reshape(-1, 3).T)


def parts(events, held_out=NONE, **settings):
    return parts_of_events(*arrays(events), Split(**settings), held_out)


def test_by_time_the_latest_events_are_the_test_part_and_those_before_them_validation():
    events = [(0, 0, 50), (0, 1, 10), (0, 2, 40), (0, 3, 20), (0, 4, 30)]
    assert parts(events, by="time", validation=0.2, test=0.2).tolist() == [TEST, TRAIN, VALIDATION, TRAIN, TRAIN]


def test_by_time_events_of_one_moment_stay_together():
    events = [(0, 0, 1)] * 4 + [(0, 0, 2)] * 5 + [(0, 0, 3)]
    assert parts(events, by="time", validation=0, test=0.2).tolist() == [TRAIN] * 9 + [TEST]
    assert parts(events, by="time", validation=0, test=0.5).tolist() == [TRAIN] * 4 + [TEST] * 6
    assert (parts([(0, 0, 7)] * 10, by="time") == TRAIN).all()


def test_last_out_tests_on_the_last_event_of_each_user_and_keeps_one_for_training():
    events = [(0, 0, 3), (0, 1, 1), (0, 2, 2), (1, 0, 5), (1, 1, 4), (2, 0, 9)]
    assert parts(events, by="last-out").tolist() == [TEST, TRAIN, VALIDATION, TEST, TRAIN, TRAIN]
    assert parts(events, by="last-out", validation=0).tolist() == [TEST, TRAIN, TRAIN, TEST, TRAIN, TRAIN]
    assert parts(events, by="last-out", test=0).tolist() == [VALIDATION, TRAIN, TRAIN, VALIDATION, TRAIN, TRAIN]


def test_last_out_breaks_ties_by_the_order_of_the_file():
    assert parts([(0, item, 1) for item in range(3)], by="last-out").tolist() == [TRAIN, VALIDATION, TEST]


def test_within_item_follows_the_public_rule():
    rng = np.random.RandomState(3)
    frame = pd.DataFrame({"item": rng.randint(0, 9, 200)})
    expected = frame.assign(number=np.random.RandomState(42).uniform(size=200))
    expected["rank"] = expected.groupby("item")["number"].rank(method="first")
    counts = expected.groupby("item")["item"].transform("count")
    events = [(0, item, 0) for item in frame["item"]]
    test = parts(events, by="within-item", validation=0, test=0.25) == TEST
    np.testing.assert_array_equal(test, expected["rank"] > (0.75 * counts).round())


def test_within_item_gives_the_published_sizes_on_movielens_100k(shared_data):
    names = ["user", "item", "rating", "time"]
    ratings = pd.read_csv(shared_data / "ml-100k" / "u.data", sep="\t", header=None, names=names)
    events = ratings[["user", "item", "time"]].to_numpy()
    sizes = np.bincount(parts(events, by="within-item", validation=0.0, test=0.25, seed=42), minlength=4)
    assert sizes.tolist() == [75_066, 0, 24_934, 0]


@given(EVENTS, FRACTIONS, st.integers(0, 3))
def test_validation_is_cut_from_training_and_leaves_the_test_part_as_it_is(events, validation, seed):
    for by in ("random", "within-user", "within-item"):
        without = parts(events, by=by, validation=0, test=0.25, seed=seed)
        divided = parts(events, by=by, validation=validation, test=0.25, seed=seed)
        np.testing.assert_array_equal(without == TEST, divided == TEST)


@given(EVENTS, st.sampled_from([0.1, 0.3, 0.5]), st.sampled_from([0.1, 0.4]))
def test_within_a_user_the_fractions_hold_to_the_nearest_event(events, test, validation):
    user = arrays(events)[0]
    divided = parts(events, by="within-user", test=test, validation=validation)
    for one in np.unique(user):
        mine = divided[user == one]
        assert abs((mine == TEST).sum() - test * len(mine)) <= 0.5 + 1e-9
        assert abs((mine == TRAIN).sum() - (1 - test - validation) * len(mine)) <= 0.5 + 1e-9


@given(EVENTS, FRACTIONS, FRACTIONS)
def test_by_time_no_part_overlaps_the_next_and_something_is_left_to_train_on(events, test, validation):
    time = arrays(events)[2]
    divided = parts(events, by="time", test=test, validation=validation)
    assert (divided == TRAIN).any()
    for earlier, later in ((TRAIN, VALIDATION), (TRAIN, TEST), (VALIDATION, TEST)):
        if (divided == earlier).any() and (divided == later).any():
            assert time[divided == earlier].max() < time[divided == later].min()


@pytest.mark.parametrize("by", ["time", "last-out", "random", "within-user", "within-item"])
@given(events=EVENTS, fraction=st.sampled_from([0.2, 0.5]), seed=st.integers(0, 3))
def test_all_events_of_held_out_items_are_cold_and_no_others(by, events, fraction, seed):
    item = arrays(events)[1]
    held_out = held_out_items(item, fraction, seed)
    assert len(held_out) == np.round(fraction * len(np.unique(item)))
    divided = parts(events, held_out, by=by, seed=seed)
    np.testing.assert_array_equal(divided == COLD, np.isin(item, held_out))
    np.testing.assert_array_equal(divided, parts(events, held_out, by=by, seed=seed))


def test_new_users_are_hidden_with_all_their_events_and_validation_is_cut_within_the_others():
    events = [(user, item, item) for user in range(20) for item in range(10 if user < 4 else 12)]
    found = parts(events, by="new-users", validation=0.25, test=0.25, seed=3)
    user, item, _ = arrays(events)
    hidden = hidden_users(user, item, 0.25, 3)
    assert len(hidden) == 4 and hidden.min() >= 4  # a quarter of those with more than ten items
    np.testing.assert_array_equal(found == TEST, np.isin(user, hidden))
    for kept in np.setdiff1d(user, hidden):
        assert np.sum(found[user == kept] == VALIDATION) in (2, 3)
    assert (
        parts(events, by="new-users", validation=0, test=0.25, seed=3).tolist()
        == np.where(np.isin(user, hidden), TEST, TRAIN).tolist()
    )


def test_ten_events_with_one_item_do_not_make_a_user_worth_hiding():
    assert not len(hidden_users(np.zeros(50, int), np.arange(50) % 10, 0.9, 0))
    assert hidden_users(np.zeros(50, int), np.arange(50) % 11, 0.9, 0).tolist() == [0]


def test_items_held_out_stay_cold_beside_new_users():
    events = [(user, item, 0) for user in range(10) for item in range(14)]
    found = parts(events, held_out=np.array([2]), by="new-users", validation=0, test=0.5)
    assert (found[np.array(events)[:, 1] == 2] == COLD).all() and (found == TEST).sum() == 5 * 13
