import numpy as np
import pytest
from scipy import stats

from tfrec.evaluation.uncertainty import bootstrap_means, interval, paired_p_values


def test_intervals_have_the_width_of_the_normal_approximation():
    values = np.random.default_rng(0).normal(3, 2, (400, 1))
    low, high = interval(bootstrap_means(values, 4000, seed=1), 0.95)
    error = values.std() / np.sqrt(400)
    assert low[0] == pytest.approx(values.mean() - 1.96 * error, abs=0.15 * error)
    assert high[0] == pytest.approx(values.mean() + 1.96 * error, abs=0.15 * error)


def test_the_same_seed_gives_the_same_draws_and_columns_share_them():
    values = np.random.default_rng(0).random((50, 1))
    draws = bootstrap_means(np.hstack([values, values + 1]), 100, seed=5)
    np.testing.assert_allclose(draws[:, 1] - draws[:, 0], 1)
    np.testing.assert_array_equal(draws, bootstrap_means(np.hstack([values, values + 1]), 100, seed=5))
    assert not np.array_equal(draws, bootstrap_means(np.hstack([values, values + 1]), 100, seed=6))


def test_users_without_a_value_are_left_out_of_every_draw():
    draws = bootstrap_means(np.array([[2.0], [np.nan], [2.0], [2.0]]), 50, seed=0)
    known = draws[~np.isnan(draws)]
    np.testing.assert_allclose(known, 2)
    assert len(known) >= 49


def test_no_resamples_give_no_interval():
    low, high = interval(bootstrap_means(np.ones((3, 2)), 0, seed=0), 0.95)
    assert np.isnan(low).all() and np.isnan(high).all() and len(low) == 2


def test_p_values_are_those_of_the_paired_t_test():
    first, second = np.random.default_rng(0).normal([[0.2], [0.0]], 1, (2, 80))
    found = paired_p_values((first - second)[:, None])
    assert found[0] == pytest.approx(stats.ttest_rel(first, second).pvalue, rel=1e-9)
    with_gap = np.append(first - second, np.nan)[:, None]
    assert paired_p_values(with_gap)[0] == pytest.approx(found[0])


def test_equal_recommenders_are_not_different():
    p_values = paired_p_values(np.stack([np.zeros(9), np.full(9, 0.5), [1.0] + [np.nan] * 8], axis=1))
    assert p_values[0] == 1
    assert p_values[1] == 0
    assert np.isnan(p_values[2])
