"""Collapse is told apart from lists that lean to what is popular, and from small catalogues."""

import numpy as np
import pytest

from tfrec.alarms.collapse import effective_rank, low_rank, same_for_everyone


def test_the_effective_rank_of_equal_directions_is_their_number():
    assert effective_rank(np.eye(7)) == pytest.approx(7)
    assert effective_rank(np.ones([50, 8])) == pytest.approx(1)
    assert effective_rank(np.zeros([50, 8])) == 0
    # Singular values 3 and 1: exp of the entropy of (3/4, 1/4).
    expected = np.exp(-(0.75 * np.log(0.75) + 0.25 * np.log(0.25)))
    assert effective_rank(np.diag([3.0, 1.0])) == pytest.approx(expected)


def test_vectors_on_one_line_raise_an_alarm_and_vectors_of_a_few_tastes_do_not():
    random = np.random.default_rng(0)
    line = np.outer(random.normal(size=400), random.normal(size=32)) + random.normal(size=[400, 32]) * 0.001
    alarm = low_rank(line)
    assert alarm.name == "collapse" and "of their 32 dimensions (effective rank)" in alarm.seen
    assert alarm.numbers["effective_rank"] < 2
    tastes = random.normal(size=[4, 32])[np.arange(400) % 4] + random.normal(size=[400, 32]) * 0.05
    assert low_rank(tastes) is None


@pytest.mark.parametrize("shape", [(400, 1), (400, 2), (1, 16), (2, 16)])
def test_where_vectors_cannot_spread_there_is_no_alarm(shape):
    assert low_rank(np.random.default_rng(0).normal(size=shape)) is None


def test_one_ranking_for_all_is_seen_through_what_each_user_knows(shop_of):
    shop = shop_of()
    scores = np.broadcast_to(shop.random.normal(size=300), [200, 300])
    alarm = same_for_everyone(shop.top(scores), shop.popular(), shop.known, shop.candidates)
    assert alarm.name == "collapse" and "100% of the users get one and the same list of 10" in alarm.seen
    # A little noise that changes a place here and there does not hide it.
    noisy = scores + shop.random.normal(size=[200, 300]) * 0.01
    assert same_for_everyone(shop.top(noisy), shop.popular(), shop.known, shop.candidates)


def test_popularity_itself_is_the_same_for_everyone(shop_of):
    shop = shop_of()
    assert same_for_everyone(shop.popular(), shop.popular(), shop.known, shop.candidates)


def test_lists_that_lean_to_popularity_but_differ_raise_no_alarm(shop_of):
    shop = shop_of()
    popularity = np.asarray(shop.known.sum(axis=0)).ravel()
    leaning = popularity / popularity.max() + shop.random.normal(size=[200, 300]) * 0.1
    lists = shop.top(leaning)
    shared = np.mean([len(np.intersect1d(ours, theirs)) for ours, theirs in zip(lists, shop.popular())])
    assert shared > 4
    assert same_for_everyone(lists, shop.popular(), shop.known, shop.candidates) is None


@pytest.mark.parametrize("items", [6, 12, 16, 24])
def test_in_a_small_catalogue_lists_are_alike_without_collapse(shop_of, items):
    shop = shop_of(items=items, touched=3)
    lists = shop.top(shop.random.normal(size=[200, items]), k=min(10, items - 3))
    popular = shop.popular(k=min(10, items - 3))
    assert same_for_everyone(lists, popular, shop.known, shop.candidates) is None


def test_users_of_whom_nothing_is_known_rightly_get_the_same(shop_of):
    shop = shop_of(touched=0)
    lists = np.broadcast_to(np.arange(10), [200, 10])
    assert same_for_everyone(lists, lists, shop.known, shop.candidates) is None
