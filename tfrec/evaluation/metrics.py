"""Ranking metrics of recommendation lists with binary relevance, per user and averaged.

With R the number of the user's relevant items, hit(r) = 1 if the item at rank r (from 1) is relevant, else 0:
    precision@k  hits among the first k / k
    recall@k     hits among the first k / R
    f1@k         harmonic mean of the two, 0 where both are 0
    ndcg@k       sum of hit(r) / log2(r + 1) over r <= k, divided by its largest possible value (Järvelin and
                 Kekäläinen 2002)
    map@k        sum of hit(r) x precision@r over r <= k, divided by R
    mrr@k        1 / rank of the first hit, 0 if none is among the first k
    hit_rate@k   1 if there is a hit among the first k
A list shorter than k is not excused: precision divides by k all the same.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

import numpy as np
from scipy import sparse

from tfrec.errors import DataError

METRICS = ("ndcg", "recall", "precision", "f1", "map", "mrr", "hit_rate")
MAP_DIVISORS = ("relevant", "reachable")

Truth: TypeAlias = sparse.csr_matrix | tuple[np.ndarray, np.ndarray]


def ranking_metrics(positions: np.ndarray, truth: Truth, ks: Sequence[int]) -> dict[str, float]:
    """Average every metric at every k over the users who have a relevant item; light enough for a training callback.

    Args:
        positions: int [U, K] item positions, best first, -1 where there is none.
        truth: relevant items of each user, as CSR [U, N] or as (indptr [U + 1], indices).
        ks: cut-offs, none greater than K.

    Returns:
        Averages by name, such as `ndcg@10`; NaN if no user has a relevant item.
    """
    return {name: mean(values) for name, values in user_metrics(positions, truth, ks).items()}


def user_metrics(
    positions: np.ndarray, truth: Truth, ks: Sequence[int], map_divisor: str = "relevant"
) -> dict[str, np.ndarray]:
    """Compute every metric at every k for each user.

    Args:
        positions, truth, ks: as for `ranking_metrics`.
        map_divisor: `relevant` divides average precision by R; `reachable` by min(k, R), so that 1 can be reached.

    Returns:
        float64 [U] by name, such as `ndcg@10`; NaN for users without a relevant item.

    Raises:
        DataError: if the arrays do not fit together or a user is recommended an item twice.
    """
    if map_divisor not in MAP_DIVISORS:
        raise DataError(f"map_divisor is {map_divisor!r}; expected one of {', '.join(MAP_DIVISORS)}")
    _check_lists(positions, ks)
    found, relevant = hits(positions, truth)
    length = positions.shape[1]
    ranks = np.arange(1, length + 1)
    discounts = 1 / np.log2(ranks + 1)
    hit_counts = np.cumsum(found, axis=1)
    gains = np.cumsum(found * discounts, axis=1)
    ideal_gains = np.concatenate([[0.0], np.cumsum(discounts)])
    precision_sums = np.cumsum(found * hit_counts / ranks, axis=1)
    first_hit = np.where(found.any(axis=1), found.argmax(axis=1) + 1, np.inf)
    known = np.where(relevant > 0, relevant, np.nan)

    values = {}
    for k in ks:
        reachable = np.minimum(relevant, k)
        precision = hit_counts[:, k - 1] / k
        recall = hit_counts[:, k - 1] / known
        both = precision + recall
        at_k = {
            "ndcg": gains[:, k - 1] / np.where(relevant > 0, ideal_gains[reachable], np.nan),
            "recall": recall,
            "precision": precision,
            "f1": 2 * precision * recall / np.where(both > 0, both, 1),
            "map": precision_sums[:, k - 1] / (known if map_divisor == "relevant" else np.minimum(known, k)),
            "mrr": np.where(first_hit <= k, 1 / first_hit, 0),
            "hit_rate": (first_hit <= k).astype(float),
        }
        values.update({f"{name}@{k}": np.where(relevant > 0, at_k[name], np.nan) for name in METRICS})
    return values


def hits(positions: np.ndarray, truth: Truth) -> tuple[np.ndarray, np.ndarray]:
    """Mark which recommended items are relevant: bool [U, K], and count each user's relevant items: int64 [U]."""
    users, items = _relevant_pairs(truth, len(positions))
    width = 1 + max(int(positions.max(initial=0)), int(items.max(initial=0)))
    relevant = np.unique(users * width + items)
    keys = np.arange(len(positions))[:, None] * width + positions
    places = np.minimum(np.searchsorted(relevant, keys), max(len(relevant) - 1, 0))
    found = (relevant[places] == keys) & (positions >= 0) if len(relevant) else np.zeros(positions.shape, bool)
    return found, np.bincount(relevant // width, minlength=len(positions))


def mean(values: np.ndarray) -> float:
    """The mean over users with a value; NaN if there is none."""
    known = values[~np.isnan(values)]
    return float(known.mean()) if len(known) else float("nan")


def _relevant_pairs(truth: Truth, users: int) -> tuple[np.ndarray, np.ndarray]:
    """Rows and positions of the relevant items, int64, after checking that there is a row for each user."""
    if isinstance(truth, tuple):
        indptr, indices = (np.asarray(part) for part in truth)
        stored = np.ones(len(indices), bool)
    else:
        matrix = truth.tocsr()
        indptr, indices, stored = matrix.indptr, matrix.indices, matrix.data != 0
    if len(indptr) != users + 1:
        raise DataError(f"recommendations are for {users} users but the relevant items for {len(indptr) - 1}")
    rows = np.repeat(np.arange(users), np.diff(indptr))
    return rows[stored], indices[stored].astype(np.int64)


def _check_lists(positions: np.ndarray, ks: Sequence[int]) -> None:
    if positions.ndim != 2 or not np.issubdtype(positions.dtype, np.integer):
        raise DataError(
            f"recommendations must be whole numbers of shape [users, k], got {positions.dtype} {list(positions.shape)}"
        )
    if not ks or min(ks) < 1 or max(ks) > positions.shape[1]:
        raise DataError(
            f"metrics are asked at k = {', '.join(map(str, ks)) or 'nothing'}; "
            f"give cut-offs from 1 to the {positions.shape[1]} items recommended to each user"
        )
    ordered = np.sort(positions, axis=1)
    twice = ((ordered[:, 1:] == ordered[:, :-1]) & (ordered[:, 1:] >= 0)).any(axis=1)
    if twice.any():
        raise DataError(
            f"the list of user row {int(twice.argmax())} holds an item twice; recommend each item at most once"
        )
