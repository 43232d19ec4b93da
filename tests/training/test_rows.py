from unittest import mock

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tfrec.training.interactions import Interactions
from tfrec.training.rows import SMALLEST_EPOCH, RowSampler

OBJECTIVES = ("masked", "next", "retrieval")


def pairs_of(lengths):
    """Interactions of users with so many entries; entry number and item number are the same."""
    total = sum(lengths)
    indptr = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
    return Interactions(indptr, np.arange(total, dtype=np.int32), np.ones(total, np.float32), np.arange(total))


@settings(max_examples=60, deadline=None)
@given(
    lengths=st.lists(st.integers(0, 9), min_size=1, max_size=12).filter(any),
    objective=st.sampled_from(OBJECTIVES),
    history=st.integers(1, 6),
    targets=st.integers(1, 6),
    batch_size=st.integers(1, 5),
    smallest=st.integers(1, 30),
)
def test_rows_are_of_one_user_with_targets_outside_the_history(
    lengths, objective, history, targets, batch_size, smallest
):
    pairs = pairs_of(lengths)
    with mock.patch("tfrec.training.rows.SMALLEST_EPOCH", smallest):
        sampler = RowSampler(pairs, objective, batch_size, history, targets, history_dropout=0.1)
    owner = np.repeat(np.arange(len(lengths)), lengths)
    batches = list(sampler.epoch(np.random.default_rng(0)))
    assert len(batches) == sampler.steps
    seen = []
    for rows in batches:
        assert rows.user.shape == (batch_size,)
        assert rows.history.shape == (batch_size, history)
        assert rows.targets.shape == (batch_size, 1 if objective == "retrieval" else targets)
        for user, past, wanted in zip(rows.user, rows.history, rows.targets):
            past, wanted = past[past >= 0], wanted[wanted >= 0]
            assert set(owner[past]) | set(owner[wanted]) <= {user}
            assert not set(past) & set(wanted)
            assert len(set(past)) == len(past) and len(set(wanted)) == len(wanted)
            assert (len(wanted) > 0) == (user >= 0)
            if objective == "next" and len(past) and len(wanted):
                assert past.max() < wanted.min() and list(wanted) == sorted(wanted)
            seen.append(wanted[0] if objective == "retrieval" and len(wanted) else user)
    seen = np.array([number for number in seen if number >= 0])
    if objective == "retrieval":
        assert sorted(seen) == list(range(sum(lengths)))
        return
    # Few users come around again, each as often as any other or once more.
    users = np.flatnonzero(lengths)
    assert len(seen) == max(len(users), smallest)
    counts = np.bincount(seen, minlength=len(lengths))
    assert not counts[np.setdiff1d(np.arange(len(lengths)), users)].any() and np.ptp(counts[users]) <= 1


@pytest.mark.parametrize("objective", ["masked", "next"])
def test_an_epoch_over_few_users_repeats_them_with_other_targets(objective):
    sampler = RowSampler(pairs_of([8] * 32), objective, 64, 6, 4, 0.0)
    assert sampler.steps * 64 == SMALLEST_EPOCH
    drawn = {user: set() for user in range(32)}
    for rows in sampler.epoch(np.random.default_rng(0)):
        for user, targets in zip(rows.user, rows.targets):
            drawn[user].add(tuple(sorted(targets)))
    # A user of 8 items has 70 halves, or 8 cuts; 32 draws that were all the same would not be worth the time.
    assert min(len(targets) for targets in drawn.values()) >= 5


def test_an_epoch_over_many_users_has_each_of_them_once():
    sampler = RowSampler(pairs_of([2] * (SMALLEST_EPOCH + 5)), "masked", 100, 2, 2, 0.0)
    users = np.concatenate([rows.user for rows in sampler.epoch(np.random.default_rng(0))])
    np.testing.assert_array_equal(np.sort(users[users >= 0]), np.arange(SMALLEST_EPOCH + 5))


@pytest.mark.parametrize("objective", OBJECTIVES)
def test_the_same_seed_gives_the_same_rows(pairs, objective):
    sampler = RowSampler(pairs, objective, 8, 6, 5, 0.2)
    one, same, other = (list(sampler.epoch(np.random.default_rng(seed))) for seed in (1, 1, 2))
    assert all(np.array_equal(a.targets, b.targets) and np.array_equal(a.history, b.history) for a, b in zip(one, same))
    assert any(not np.array_equal(a.targets, b.targets) for a, b in zip(one, other))


def test_about_as_many_history_entries_are_hidden_as_asked_for():
    pairs = pairs_of([20] * SMALLEST_EPOCH)
    shown = {}
    for dropout in (0.0, 0.5):
        sampler = RowSampler(pairs, "masked", SMALLEST_EPOCH, 10, 10, dropout)
        (rows,) = sampler.epoch(np.random.default_rng(0))
        shown[dropout] = (rows.history >= 0).mean()
    assert shown[0.0] == pytest.approx(0.97, abs=0.03)
    assert shown[0.5] == pytest.approx(0.485, abs=0.03)


def test_the_history_of_an_event_is_an_even_sample_of_the_others():
    sampler = RowSampler(pairs_of([3, 12, 1]), "retrieval", 16, 4, 1, 0.0)
    shown = np.zeros((16, 16))
    random = np.random.default_rng(0)
    with mock.patch("tfrec.training.rows.STRANGERS", 0.0):
        for _ in range(2000):
            (rows,) = sampler.epoch(random)
            for past, target in zip(rows.history, rows.targets[:, 0]):
                shown[target, past[past >= 0]] += 1
    shown /= 2000
    # The user of three has both others each time, the user of twelve four of eleven, the user of one nothing.
    np.testing.assert_array_equal(shown[:3, :3], 1 - np.eye(3))
    np.testing.assert_allclose(shown[3:15, 3:15], np.where(np.eye(12), 0, 4 / 11), atol=0.05)
    assert shown.sum() == pytest.approx(3 * 2 + 12 * 4)


def test_a_very_long_history_is_cut_to_its_latest_entries():
    pairs = pairs_of([3000])
    rows = next(RowSampler(pairs, "masked", 1, 50, 2000, 0.0).epoch(np.random.default_rng(0)))
    assert rows.targets[rows.targets >= 0].min() >= 3000 - 1024
