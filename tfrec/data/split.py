"""Divides events into train, validation and test, and keeps some items or some users out of training.

How the parts relate to repeated events: the protocols divide events, not pairs, so an item that a user touches again
may be in train and in test. Evaluation removes a user's training items from the recommendations, so such a repetition
counts for neither side.
"""

from __future__ import annotations

import dataclasses

import numpy as np

from tfrec.config import Split

TRAIN, VALIDATION, TEST, COLD = range(4)
PARTS = ("train", "validation", "test", "cold")

MOST_GIVEN = 10
"""How many different items of a hidden user are set aside to be given as history; more must be left to ask for."""


def held_out_items(item: np.ndarray, fraction: float, seed: int) -> np.ndarray:
    """A random `fraction` of the different positions in `item` (int [E]); int32, sorted."""
    items = np.unique(item)
    count = int(np.round(fraction * len(items)))
    return np.sort(np.random.RandomState(seed).permutation(items)[:count]).astype(np.int32)


def hidden_users(user: np.ndarray, item: np.ndarray, fraction: float, seed: int) -> np.ndarray:
    """A random `fraction` of the users who touched more than `MOST_GIVEN` different items.

    Args:
        user, item: int [E], the events.

    Returns:
        int32, sorted.
    """
    pairs = np.unique(np.stack([user, item]), axis=1)
    users, counts = np.unique(pairs[0], return_counts=True)
    enough = users[counts > MOST_GIVEN]
    count = int(np.round(fraction * len(enough)))
    return np.sort(np.random.RandomState(seed).permutation(enough)[:count]).astype(np.int32)


def parts_of_events(
    user: np.ndarray, item: np.ndarray, time: np.ndarray, split: Split, held_out: np.ndarray
) -> np.ndarray:
    """The part of each event: int8 [E] of TRAIN, VALIDATION, TEST or COLD.

    Args:
        user, item, time: int [E], in the order of the file.
        split: the protocol and its fractions:
            time: the latest events are the test part, those before them validation; events of one moment stay together.
            last-out: each user's last event is test, the one before validation; a user keeps one event to train on.
            random, within-user, within-item: `split.seed` gives one uniform number per row in the order of the file;
                sorted by it in the whole file, in each user's or in each item's rows, the first
                round((1 - test) x count) rows are train, of which the last ones are cut off as validation so that
                round((1 - test - validation) x count) remain. The rule of the recommenders team's public benchmark.
            new-users: the test part is all events of the `hidden_users`; of the others, validation is cut within users.
        held_out: positions of the items whose events are all COLD.
    """
    parts = np.full(len(item), COLD, np.int8)
    warm = np.flatnonzero(~np.isin(item, held_out))
    if split.by == "time":
        parts[warm] = _by_time(time[warm], split)
    elif split.by == "last-out":
        parts[warm] = _last_out(user[warm], time[warm], split)
    elif split.by == "new-users":
        known = dataclasses.replace(split, by="within-user", test=0.0)
        parts = parts_of_events(user, item, time, known, held_out)
        hidden = hidden_users(user[warm], item[warm], split.test, split.seed)
        parts[warm[np.isin(user[warm], hidden)]] = TEST
    else:
        numbers = np.random.RandomState(split.seed).uniform(size=len(item))[warm]
        groups = {"within-user": user, "within-item": item}.get(split.by, np.zeros_like(item))[warm]
        parts[warm] = _by_rank(groups, numbers, split)
    return parts


def _by_rank(group: np.ndarray, numbers: np.ndarray, split: Split) -> np.ndarray:
    order = np.lexsort((numbers, group))
    _, index, counts = np.unique(group, return_inverse=True, return_counts=True)
    rank = np.empty(len(group), np.int64)
    starts = np.cumsum(counts) - counts
    rank[order] = np.arange(len(group)) - starts[index[order]] + 1
    fitted = np.round((1 - split.test) * counts)
    trained = np.round((1 - split.test - split.validation) * counts)
    return np.where(rank > fitted[index], TEST, np.where(rank > trained[index], VALIDATION, TRAIN))


def _by_time(time: np.ndarray, split: Split) -> np.ndarray:
    ordered = np.sort(time)
    test_from = _cut(ordered, split.test)
    early = ordered[ordered < test_from]
    share = split.validation / (1 - split.test)
    validation_from = min(_cut(early, share), test_from)
    return np.where(time >= test_from, TEST, np.where(time >= validation_from, VALIDATION, TRAIN))


def _cut(ordered: np.ndarray, fraction: float) -> float:
    """The time from which on nearest to `fraction` of the sorted times lie, all equal times on one side; inf for none.

    The earliest time is never beyond the cut, so that something remains before it.
    """
    wanted = len(ordered) - int(np.round((1 - fraction) * len(ordered)))
    if wanted == 0:
        return np.inf
    moment = ordered[len(ordered) - wanted]
    first, after = np.searchsorted(ordered, moment, "left"), np.searchsorted(ordered, moment, "right")
    with_moment, without_moment = len(ordered) - first, len(ordered) - after
    if first > 0 and abs(with_moment - wanted) <= abs(without_moment - wanted):
        return float(moment)
    return float(ordered[after]) if after < len(ordered) else np.inf


def _last_out(user: np.ndarray, time: np.ndarray, split: Split) -> np.ndarray:
    order = np.lexsort((time, user))
    _, index, counts = np.unique(user, return_inverse=True, return_counts=True)
    from_end = np.empty(len(user), np.int64)
    ends = np.cumsum(counts)
    from_end[order] = ends[index[order]] - np.arange(len(user)) - 1
    tested = (counts > 1) & (split.test > 0)
    validated = (counts > 1 + tested) & (split.validation > 0)
    test = (from_end == 0) & tested[index]
    validation = (from_end == tested[index]) & validated[index]
    return np.where(test, TEST, np.where(validation, VALIDATION, TRAIN))
