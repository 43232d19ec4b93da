"""What an evaluation asks: which users, which items compete, which are relevant, which were seen.

Three kinds of tasks are made from a data set. *Warm*: the items known from training compete, what a user already
touched is left out, and the later events are relevant. *Cold*: only items held out of training compete. *New users*: as
warm, but of users who were not in training, and of whose events only a few are given. Each counts how many relevant
pairs it leaves out and why, since those can never be recommended under the task's own rules.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence

import numpy as np
from scipy import sparse

from tfrec.data.split import MOST_GIVEN
from tfrec.data.tables import Dataset, Events, joined
from tfrec.errors import DataError
from tfrec.evaluation.interactions import interaction_matrix, only_columns, touched_matrix, without


@dataclasses.dataclass(frozen=True)
class Task:
    """One question to put to recommenders.

    Attributes:
        name: what it is called in reports.
        users: int32 [V], rows of the users who have a relevant item.
        truth: CSR bool [V, N], their relevant items.
        exclude: CSR bool [V, N], items they touched before, which must not be recommended.
        candidates: int32 [C], sorted positions of the items that may be recommended.
        known: all events that may be known of the users when they are asked.
        history: CSR float32 [U, N], the weights of `known`.
        train: CSR float32 [U, N], weights of the training events, for baselines and popularity.
        left_out: relevant pairs left out, counted by reason.
    """

    name: str
    users: np.ndarray
    truth: sparse.csr_matrix
    exclude: sparse.csr_matrix
    candidates: np.ndarray
    known: Events
    history: sparse.csr_matrix
    train: sparse.csr_matrix
    left_out: Mapping[str, int]


def warm_task(dataset: Dataset, part: str = "test") -> Task:
    """Ask for the items of `part` ("validation" or "test") among those with a training event.

    Known of a user is every part before: for the test part that is training and validation.
    """
    if part not in ("validation", "test"):
        raise DataError(f"part is {part!r}; expected validation or test")
    known = dataset.train if part == "validation" else joined(dataset.train, dataset.validation)
    candidates = np.unique(dataset.train.item)
    return _task(f"warm items, {part} part", dataset, getattr(dataset, part), known, known, candidates)


def new_user_tasks(
    dataset: Dataset, given: Sequence[int] = (1, 3, 5, MOST_GIVEN), drawn: int | None = None
) -> tuple[Task, ...]:
    """Ask for the items of users who have no event but in the test part, after 1, 3, 5, 10 events: fold-in.

    The first ten different items of each are set aside, in the order of time, since that is what a service knows of
    somebody who is new, or in an order drawn at random, which says how much of someone's taste n events tell. The first
    n of them are given; the items the user touched after the ten are asked for. What is
    set aside but not given may not be recommended either, so that the tasks ask the same questions of the same users
    and differ only in how much is known.

    Args:
        given: numbers of events, each at most `MOST_GIVEN`, a task each.
        drawn: seed of the drawn order; None for the order of time.

    Raises:
        DataError: if there is no such user, or a number is out of range.
    """
    if not given or min(given) < 1 or max(given) > MOST_GIVEN:
        raise DataError(f"given is {list(given)}; expected numbers of events from 1 to {MOST_GIVEN}")
    trained_on = np.union1d(dataset.train.user, dataset.validation.user)
    events = dataset.test.take(~np.isin(dataset.test.user, trained_on))
    if drawn is not None:
        events = events.take(np.random.default_rng(drawn).permutation(len(events)))
    rank = _rank_of_first_events(events)
    aside = events.take((rank >= 0) & (rank < MOST_GIVEN))
    candidates = np.unique(dataset.train.item)
    return tuple(
        _task(
            f"new users, {count} {'event' if count == 1 else 'events'} {'given' if drawn is None else 'drawn'}",
            dataset,
            events,
            events.take((rank >= 0) & (rank < count)),
            aside,
            candidates,
        )
        for count in given
    )


def cold_task(dataset: Dataset) -> Task:
    """Ask for the held-out items among the held-out items only; known of a user are the training events.

    Raises:
        DataError: if no item was held out.
    """
    if not len(dataset.held_out):
        raise DataError("no items were held out, so cold items cannot be evaluated; set split.held_out_items above 0")
    return _task("cold items", dataset, dataset.cold, dataset.train, dataset.train, dataset.held_out)


def sampled(task: Task, users: int, seed: int) -> Task:
    """The same asked of so many of its users, drawn evenly; of all where there are no more."""
    if len(task.users) <= users:
        return task
    rows = np.sort(np.random.default_rng(seed).choice(len(task.users), users, replace=False))
    return dataclasses.replace(task, users=task.users[rows], truth=task.truth[rows], exclude=task.exclude[rows])


def _rank_of_first_events(events: Events) -> np.ndarray:
    """Which of its user's different items an event is the first of, counted from 0; -1 for one met again; int64 [E]."""
    pair = events.user.astype(np.int64) * (int(events.item.max(initial=0)) + 1) + events.item
    first = np.sort(np.unique(pair, return_index=True)[1])
    order = first[np.argsort(events.user[first], kind="stable")]
    _, starts, counts = np.unique(events.user[order], return_index=True, return_counts=True)
    rank = np.full(len(events), -1)
    rank[order] = np.arange(len(order)) - np.repeat(starts, counts)
    return rank


def _task(name: str, dataset: Dataset, asked: Events, known: Events, set_aside: Events, candidates: np.ndarray) -> Task:
    """The task that asks for the candidates in `asked` but for those in `set_aside`, given the events `known`."""
    shape = (len(dataset.users), len(dataset.catalogue))
    relevant = touched_matrix([asked], *shape)
    seen = touched_matrix([set_aside], *shape)
    reachable = only_columns(relevant, candidates)
    truth = without(reachable, seen)
    users = np.flatnonzero(np.diff(truth.indptr)).astype(np.int32)
    if not len(users):
        raise DataError(
            f"{name}: none of the {len(asked)} events can be asked for, since their items are unknown to training or "
            "already touched; check the split"
        )
    train = interaction_matrix(dataset.train, *shape)
    return Task(
        name=name,
        users=users,
        truth=truth[users],
        exclude=seen[users],
        candidates=candidates.astype(np.int32),
        known=known,
        history=train if known is dataset.train else interaction_matrix(known, *shape),
        train=train,
        left_out={
            "item is no candidate": int(relevant.nnz - reachable.nnz),
            "item already touched by the user": int(reachable.nnz - truth.nnz),
        },
    )
