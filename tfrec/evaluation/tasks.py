"""What an evaluation asks: which users, which items compete, which are relevant, which were seen.

Two tasks are made from a data set. *Warm*: the items known from training compete, what a user already touched is left
out, and the later events are relevant. *Cold*: only items held out of training compete. Both count how many relevant
pairs they leave out and why, since those can never be recommended under the task's own rules.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

import numpy as np
from scipy import sparse

from tfrec.data.tables import Dataset, Events
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
        history: CSR float32 [U, N], weights of all that may be known of every user.
        train: CSR float32 [U, N], weights of the training events, for baselines and popularity.
        left_out: relevant pairs left out, counted by reason.
    """

    name: str
    users: np.ndarray
    truth: sparse.csr_matrix
    exclude: sparse.csr_matrix
    candidates: np.ndarray
    history: sparse.csr_matrix
    train: sparse.csr_matrix
    left_out: Mapping[str, int]


def warm_task(dataset: Dataset, part: str = "test") -> Task:
    """Ask for the items of `part` ("validation" or "test") among those with a training event.

    Known of a user is every part before: for the test part that is training and validation.
    """
    if part not in ("validation", "test"):
        raise DataError(f"part is {part!r}; expected validation or test")
    before = [dataset.train] if part == "validation" else [dataset.train, dataset.validation]
    candidates = np.unique(dataset.train.item)
    return _task(f"warm items, {part} part", dataset, getattr(dataset, part), before, candidates)


def cold_task(dataset: Dataset) -> Task:
    """Ask for the held-out items among the held-out items only; known of a user are the training events.

    Raises:
        DataError: if no item was held out.
    """
    if not len(dataset.held_out):
        raise DataError("no items were held out, so cold items cannot be evaluated; set split.held_out_items above 0")
    return _task("cold items", dataset, dataset.cold, [dataset.train], dataset.held_out)


def _task(name: str, dataset: Dataset, asked: Events, before: list[Events], candidates: np.ndarray) -> Task:
    shape = (len(dataset.users), len(dataset.catalogue))
    relevant = touched_matrix([asked], *shape)
    seen = touched_matrix(before, *shape)
    reachable = only_columns(relevant, candidates)
    truth = without(reachable, seen)
    users = np.flatnonzero(np.diff(truth.indptr)).astype(np.int32)
    if not len(users):
        raise DataError(
            f"{name}: none of the {len(asked)} events can be asked for, since their items are unknown to training or "
            "already touched; check the split"
        )
    return Task(
        name=name,
        users=users,
        truth=truth[users],
        exclude=seen[users],
        candidates=candidates.astype(np.int32),
        history=_known(before, *shape),
        train=interaction_matrix(dataset.train, *shape),
        left_out={
            "item is no candidate": int(relevant.nnz - reachable.nnz),
            "item already touched by the user": int(reachable.nnz - truth.nnz),
        },
    )


def _known(parts: list[Events], users: int, items: int) -> sparse.csr_matrix:
    """The largest weight of each pair over several parts, CSR float32."""
    matrix = interaction_matrix(parts[0], users, items)
    for part in parts[1:]:
        matrix = matrix.maximum(interaction_matrix(part, users, items))
    return matrix.tocsr()
