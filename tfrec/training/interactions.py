"""Events as rows per user, the form training samples from and histories are read from."""

from __future__ import annotations

import dataclasses

import numpy as np
import scipy.sparse

from tfrec.data.tables import Events


@dataclasses.dataclass(frozen=True)
class Interactions:
    """Each user's items, one entry per pair, oldest first.

    Attributes:
        indptr: int64 [U + 1], where each user's entries start and end.
        item: int32 [P], positions in the catalogue.
        weight: float32 [P], the largest weight of the pair's events.
        event: int64 [P], row of the pair's latest event.
    """

    indptr: np.ndarray
    item: np.ndarray
    weight: np.ndarray
    event: np.ndarray

    def users(self) -> np.ndarray:
        """The users who have at least one entry, ascending."""
        return np.flatnonzero(np.diff(self.indptr))

    def matrix(self, items: int) -> scipy.sparse.csr_matrix:
        """Weights as a sparse matrix [U, items]."""
        return scipy.sparse.csr_matrix((self.weight, self.item, self.indptr), shape=(len(self.indptr) - 1, items))

    def latest(self, users: np.ndarray, width: int) -> np.ndarray:
        """The last `width` items of each user, oldest first, padded with -1 on the left; int32 [len(users), width]."""
        ends = self.indptr[users + 1]
        index = ends[:, np.newaxis] - width + np.arange(width)
        inside = index >= self.indptr[users][:, np.newaxis]
        return np.where(inside, self.item[np.maximum(index, 0)] if len(self.item) else -1, -1).astype(np.int32)


def interactions(events: Events, users: int) -> Interactions:
    """Group events by user: one entry per user and item, in the order of the pair's latest event.

    Args:
        events: in the order of time.
        users: how many users there are.
    """
    pair = events.user.astype(np.int64) * (int(events.item.max(initial=0)) + 1) + events.item
    # The sort is stable, so the last event of equal pairs is the latest.
    order = np.argsort(pair, kind="stable")
    pair = pair[order]
    ends = np.flatnonzero(np.append(pair[1:] != pair[:-1], True)[: len(pair)])
    del pair
    latest = order[ends]
    starts = np.append(0, ends + 1)[: len(ends)]
    weight = np.maximum(np.maximum.reduceat(events.weight[order], starts), 0) if len(ends) else np.zeros(0)
    by_user = np.lexsort((latest, events.user[latest]))
    latest = latest[by_user]
    counts = np.bincount(events.user[latest], minlength=users)
    return Interactions(
        indptr=np.concatenate([[0], np.cumsum(counts)]).astype(np.int64),
        item=events.item[latest].astype(np.int32),
        weight=weight[by_user].astype(np.float32),
        event=latest.astype(np.int64),
    )
