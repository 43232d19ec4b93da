"""Collapse: the same items for everyone, or item vectors that hardly differ."""

from __future__ import annotations

import numpy as np
from scipy import sparse

from tfrec.alarms.alarm import COLLAPSE, Alarm

SAME_SHARE = 0.9  # Share of users with one and the same list from which on a model takes no notice of who asks.
NEARLY = 0.9  # Share of a list's places that must agree for it to count as the same list.
MORE_ITEMS = 1.5  # A model that shows this many times the items MostPop shows is not the same for everyone.
FEWEST_CANDIDATES = 8  # Below, everybody's list is nearly the whole catalogue.
LOWEST_RANK = 2.0
LOWEST_SHARE_OF_DIMENSIONS = 0.02
SAMPLED_ITEMS = 20_000


def effective_rank(vectors: np.ndarray) -> float:
    """In how many dimensions vectors [N, D] spread: exp of the entropy of their normalised singular values.

    Between 1, all on one line, and min(N, D); 0 where all are zero. Roy and Vetterli, The effective rank: a measure of
    effective dimensionality (EUSIPCO 2007). Above 20,000 items every n-th is looked at.
    """
    rows = vectors[:: max(1, len(vectors) // SAMPLED_ITEMS)].astype(np.float64)
    values = np.linalg.svd(rows, compute_uv=False)
    if not values.sum() > 0:
        return 0.0
    shares = values[values > 0] / values.sum()
    return float(np.exp(-(shares * np.log(shares)).sum()))


def low_rank(vectors: np.ndarray) -> Alarm | None:
    """The alarm that item vectors [N, D] hardly differ but in length: an effective rank below 2, or below 2 % of D."""
    rank, dimensions = effective_rank(vectors), min(vectors.shape)
    floor = min(max(LOWEST_RANK, LOWEST_SHARE_OF_DIMENSIONS * vectors.shape[1]), dimensions / 2)
    if rank >= floor:
        return None
    return Alarm(
        COLLAPSE,
        f"the vectors of the items spread in {rank:.1f} of their {vectors.shape[1]} dimensions (effective rank)",
        f"vectors that tell items apart spread in at least {floor:.1f}",
        "lower training.learning_rate or training.weight_decay, and see whether the item features differ at all",
        {"effective_rank": rank, "dimensions": float(vectors.shape[1]), "floor": floor},
    )


def same_for_everyone(
    lists: np.ndarray, popular: np.ndarray, known: sparse.csr_matrix, candidates: np.ndarray
) -> Alarm | None:
    """The alarm that users get one list, less what each of them knows already.

    That list is the model's own: items ranked by the share of the users who could be shown an item and were. A user
    counts as getting it where at least nine in ten places agree. Lists are cut to a quarter of the candidates, for in
    a small catalogue all lists are alike, and users of whom nothing is known, who rightly get the same, are left out.
    It is no alarm where the model shows half as many items again as MostPop does under the same rules.

    Args:
        lists, popular: the model's and MostPop's positions int [V, k], -1 for none.
        known: CSR [V, N], what each of these users knows already and must not be shown.
        candidates: positions of the items that may be shown.
    """
    k = min(lists.shape[1], len(candidates) // 4)
    rows = np.flatnonzero(np.diff(known.indptr))
    if len(candidates) < FEWEST_CANDIDATES or len(rows) < 2:
        return None
    given, known = lists[rows, :k], known[rows]
    one = _one_list(given, known, candidates, k)
    alike = (given[:, :, np.newaxis] == one[:, np.newaxis, :]) & (given >= 0)[:, :, np.newaxis]
    share = float((alike.any(axis=2).sum(axis=1) >= np.ceil(NEARLY * k)).mean())
    shown, shown_by_popularity = _different(given), _different(popular[rows, :k])
    if share < SAME_SHARE or shown >= MORE_ITEMS * shown_by_popularity:
        return None
    return Alarm(
        COLLAPSE,
        f"{share:.0%} of the users get one and the same list of {k}, less what each knows already, "
        f"and all lists together show {shown} items (those of MostPop {shown_by_popularity})",
        "a model that takes notice of who asks gives different users different items",
        "lower training.learning_rate, and see whether histories and user features reach the model",
        {"same_share": share, "items_shown": float(shown), "items_shown_by_most_pop": float(shown_by_popularity)},
    )


def _one_list(lists: np.ndarray, known: sparse.csr_matrix, candidates: np.ndarray, k: int) -> np.ndarray:
    """The first k of the lists' common ranking that each user does not know, int64 [V, k], -1 where fewer remain."""
    items = known.shape[1]
    shown = np.bincount(lists[lists >= 0], minlength=items)
    free = len(lists) - np.bincount(known.indices, minlength=items)
    rate = np.where(free > 0, shown / np.maximum(free, 1), 0.0)
    ranking = candidates[np.argsort(-rate[candidates], kind="stable")]
    rows = []
    for row in range(len(lists)):
        taken = known.indices[known.indptr[row] : known.indptr[row + 1]]
        # Nobody needs to look further down than what they know and k more.
        head = ranking[: k + len(taken)]
        left = head[~np.isin(head, taken)][:k]
        rows.append(np.pad(left, (0, k - len(left)), constant_values=-1))
    return np.stack(rows)


def _different(lists: np.ndarray) -> int:
    return len(np.unique(lists[lists >= 0]))
