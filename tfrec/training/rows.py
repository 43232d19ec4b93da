"""Samples training rows: what of a user's history is the input and what is the target, one sampler per objective."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence

import numpy as np

from tfrec.training.interactions import Interactions

LONGEST = 1024  # Entries of one user that a step looks at; of longer histories the latest.
SMALLEST_EPOCH = 1024  # Rows of an epoch over fewer users, each of them several times.
STRANGERS = 0.03  # Share of rows whose whole history is hidden.


@dataclasses.dataclass(frozen=True)
class Rows:
    """A batch of rows; every array holds entries of `Interactions`, -1 for none.

    Attributes:
        user: int64 [B], -1 for a row that only fills up the last batch.
        history: int64 [B, H]; `targets`: int64 [B, T].
    """

    user: np.ndarray
    history: np.ndarray
    targets: np.ndarray


class RowSampler:
    """Gives the batches of an epoch, different in each epoch, the same for the same seed.

    Args:
        interactions: the training interactions.
        objective: `masked`, `next` or `retrieval`, see `tfrec.config.Training`.
        batch_size, history, targets: B, H and T.
        history_dropout: chance that a history entry is hidden.
        epoch_rows: most rows of an epoch, drawn anew for each; 0 for all there are.
    """

    def __init__(
        self,
        interactions: Interactions,
        objective: str,
        batch_size: int,
        history: int,
        targets: int,
        history_dropout: float,
        epoch_rows: int = 0,
    ):
        self.interactions = interactions
        self.objective = objective
        self.batch_size = batch_size
        self.history = history
        self.targets = 1 if objective == "retrieval" else targets
        self.history_dropout = history_dropout
        self._users = interactions.users()
        self._owner = np.repeat(np.arange(len(interactions.indptr) - 1), np.diff(interactions.indptr))
        self._rows = len(self._owner) if objective == "retrieval" else max(len(self._users), SMALLEST_EPOCH)
        if epoch_rows:
            self._rows = min(self._rows, epoch_rows)

    @property
    def steps(self) -> int:
        """Batches in an epoch."""
        return -(-self._rows // self.batch_size)

    def shown_share(self) -> np.ndarray:
        """The expected share of a user's entries that a row of theirs shows, as history or target; float64 [U]."""
        counts = np.minimum(np.diff(self.interactions.indptr), LONGEST).astype(np.float64)
        if self.objective == "masked":
            targets = np.minimum((counts + 1) // 2, self.targets)
            history = np.minimum(counts - targets, self.history)
        else:
            # The mean over all cuts, each as likely as any other.
            targets = _sum_up_to(counts, self.targets) / np.maximum(counts, 1)
            history = _sum_up_to(counts - 1, self.history) / np.maximum(counts, 1)
        shown = targets + history * (1 - self.history_dropout) * (1 - STRANGERS)
        return shown / np.maximum(np.diff(self.interactions.indptr), 1)

    def epoch(self, generator: np.random.Generator) -> Iterator[Rows]:
        """The batches of one epoch, all of the same shape."""
        if self.objective == "retrieval":
            order = generator.permutation(len(self._owner))[: self._rows]
            shuffled, place = self._shuffled(generator)
        else:
            passes = -(-self._rows // max(len(self._users), 1))
            order = np.concatenate([generator.permutation(len(self._users)) for _ in range(passes)])[: self._rows]
        for start in range(0, self._rows, self.batch_size):
            chosen = order[start : start + self.batch_size]
            missing = self.batch_size - len(chosen)
            if self.objective == "retrieval":
                rows = self._event_rows(chosen, shuffled, place)
            else:
                sample = self._masked_rows if self.objective == "masked" else self._next_rows
                rows = sample(self._users[chosen], generator)
            yield _filled(self._with_dropout(rows, generator), missing)

    def _with_dropout(self, rows: Rows, generator: np.random.Generator) -> Rows:
        hidden = generator.random(rows.history.shape) < self.history_dropout
        # Some rows lose their whole history, so that the query tower learns what to offer a stranger.
        hidden |= generator.random((len(rows.history), 1)) < STRANGERS
        return dataclasses.replace(rows, history=np.where(hidden, -1, rows.history))

    def _entries(self, users: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Entries of each user, int64 [B, L], oldest first, -1 behind the last, and how many there are, int64 [B]."""
        ends = self.interactions.indptr[users + 1]
        starts = np.maximum(self.interactions.indptr[users], ends - LONGEST)
        counts = ends - starts
        index = starts[:, np.newaxis] + np.arange(counts.max(initial=1))
        return np.where(index < ends[:, np.newaxis], index, -1), counts

    def _masked_rows(self, users: np.ndarray, generator: np.random.Generator) -> Rows:
        entries, counts = self._entries(users)
        keys = np.where(entries >= 0, generator.random(entries.shape), np.inf)
        shuffled = np.take_along_axis(entries, np.argsort(keys, axis=1), axis=1)
        targets = np.minimum((counts + 1) // 2, self.targets)
        return Rows(
            users, _window(shuffled, targets, counts, self.history), _window(shuffled, 0, targets, self.targets)
        )

    def _next_rows(self, users: np.ndarray, generator: np.random.Generator) -> Rows:
        entries, counts = self._entries(users)
        cut = (generator.random(len(users)) * counts).astype(np.int64)
        return Rows(
            users,
            _window(entries, np.maximum(cut - self.history, 0), cut, self.history),
            _window(entries, cut, np.minimum(cut + self.targets, counts), self.targets),
        )

    def _event_rows(self, targets: np.ndarray, shuffled: np.ndarray, place: np.ndarray) -> Rows:
        """A row of each target; its history is what comes behind it, round and round, in its user's shuffled entries.

        What follows a place of a random order is a random sample of all else, so that a row costs its width however
        long the history is.

        Args:
            targets: int64 [B], entries.
            shuffled: int64 [P], each user's entries in random order.
            place: int64 [P], where each entry is in `shuffled`.
        """
        users = self._owner[targets]
        starts = self.interactions.indptr[users][:, np.newaxis]
        counts = self.interactions.indptr[users + 1][:, np.newaxis] - starts
        behind = np.arange(1, self.history + 1)
        index = starts + (place[targets][:, np.newaxis] - starts + behind) % counts
        return Rows(users, np.where(behind < counts, shuffled[index], -1), targets[:, np.newaxis])

    def _shuffled(self, generator: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        """Each user's entries in random order, int64 [P], and where each entry is among them, int64 [P]."""
        order = generator.permutation(len(self._owner))
        shuffled = order[np.argsort(self._owner[order], kind="stable")]
        place = np.empty_like(shuffled)
        place[shuffled] = np.arange(len(shuffled))
        return shuffled, place


def joined_rows(parts: Sequence[Rows]) -> Rows:
    """The rows of `parts` below each other."""
    return Rows(*(np.concatenate([getattr(part, field.name) for part in parts]) for field in dataclasses.fields(Rows)))


def _sum_up_to(counts: np.ndarray, most: int) -> np.ndarray:
    """min(1, most) + min(2, most) + ... + min(count, most) for each count."""
    rising = np.clip(counts, 0, most)
    return rising * (rising + 1) / 2 + np.maximum(counts - most, 0) * most


def _window(entries: np.ndarray, start: np.ndarray | int, stop: np.ndarray, width: int) -> np.ndarray:
    """Columns start to stop of each row, at most `width` of them, padded with -1 to [B, width]."""
    start = np.broadcast_to(start, stop.shape)
    index = start[:, np.newaxis] + np.arange(width)
    inside = index < np.minimum(stop, entries.shape[1])[:, np.newaxis]
    return np.where(inside, np.take_along_axis(entries, np.minimum(index, entries.shape[1] - 1), axis=1), -1)


def _filled(rows: Rows, missing: int) -> Rows:
    if not missing:
        return rows
    return Rows(
        *(
            np.pad(a, [(0, missing)] + [(0, 0)] * (a.ndim - 1), constant_values=-1)
            for a in (rows.user, rows.history, rows.targets)
        )
    )
