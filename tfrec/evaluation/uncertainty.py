"""Confidence intervals and paired comparisons over users."""

from __future__ import annotations

import numpy as np
from scipy import stats

_DRAWS_PER_BLOCK = 4_000_000


def bootstrap_means(values: np.ndarray, resamples: int, seed: int) -> np.ndarray:
    """Return the column means of `values` [V, M] in `resamples` draws of V users with replacement: float64 [B, M].

    All columns share the draws, so the difference of two columns of the result is a paired bootstrap. NaN means that
    the user has no value in that column; a draw without any value gives NaN.
    """
    users = len(values)
    known = ~np.isnan(values)
    complete = bool(known.all())
    filled = values if complete else np.where(known, values, 0)
    generator = np.random.default_rng(seed)
    means = np.empty((resamples, values.shape[1]))
    block = max(1, _DRAWS_PER_BLOCK // max(users, 1))
    for start in range(0, resamples, block):
        rows = min(block, resamples - start)
        drawn = generator.integers(0, users, (rows, users)) + np.arange(rows)[:, None] * users
        times = np.bincount(drawn.ravel(), minlength=rows * users).reshape(rows, users).astype(float)
        with np.errstate(invalid="ignore"):
            means[start : start + rows] = (times @ filled) / (users if complete else times @ known.astype(float))
    return means


def interval(draws: np.ndarray, confidence: float) -> tuple[np.ndarray, np.ndarray]:
    """Lower and upper percentile bounds of bootstrap draws [B, M]: float64 [M] each; NaN where there are no draws."""
    tail = (1 - confidence) / 2
    if not len(draws):
        return np.full(draws.shape[1], np.nan), np.full(draws.shape[1], np.nan)
    low, high = np.quantile(draws, [tail, 1 - tail], axis=0)
    return low, high


def paired_p_values(differences: np.ndarray) -> np.ndarray:
    """Two-sided paired t-test of each column of `differences` [V, M] against zero: float64 [M].

    A column that is zero for every user gives 1; NaN where fewer than two users have a value.
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        known = ~np.isnan(differences)
        count = known.sum(axis=0)
        mean = np.nansum(differences, axis=0) / count
        variance = np.nansum((differences - mean) ** 2, axis=0) / (count - 1)
        statistic = mean / np.sqrt(variance / count)
    p_values = 2 * stats.t.sf(np.abs(statistic), np.maximum(count - 1, 1))
    return np.where(count < 2, np.nan, np.where(mean == 0, 1.0, p_values))
