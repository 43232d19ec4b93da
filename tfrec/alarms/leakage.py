"""Leakage: what is asked for is known already, so that a measurement flatters the model."""

from __future__ import annotations

import numpy as np
import pandas as pd
from scipy import sparse

from tfrec.alarms.alarm import LEAKAGE, Alarm
from tfrec.data.tables import Dataset, Events, joined

_ADVICE = "look at what divided the events, and ingest the data again"


def dataset_leakage(dataset: Dataset, by: str) -> list[Alarm]:
    """What the parts of a data set know of each other and must not.

    Events of one user with one item at several times may be in several parts; evaluation leaves such pairs out. An
    event that is in two parts, the same user, item, time and type, is a leak.

    Args:
        by: how the events were divided, see `tfrec.config.Split`; with `time` nothing known may be as late as what is
            asked for, with `last-out` nothing known of a user may be later.
    """
    alarms = [_events_in_two_parts(dataset), _held_out_items_in_training(dataset)]
    for name, known, asked in _questions(dataset):
        if by == "time" and len(known) and len(asked):
            alarms.append(_later(name, int((known.time >= asked.time.min()).sum()), len(known)))
        if by == "last-out":
            last = np.full(len(dataset.users), np.iinfo(np.int64).max)
            np.minimum.at(last, asked.user, asked.time)
            alarms.append(_later(name, int((known.time > last[known.user]).sum()), len(known)))
    return [alarm for alarm in alarms if alarm]


def _questions(dataset: Dataset) -> list[tuple[str, Events, Events]]:
    """The parts that are asked for, each with what is known when it is."""
    questions = [("validation", dataset.train, dataset.validation)]
    # A part that takes the place of both, to be measured on as it was trained by, is asked for once.
    if dataset.validation is not dataset.test:
        questions.append(("test", joined(dataset.train, dataset.validation), dataset.test))
    return questions


def _events_in_two_parts(dataset: Dataset) -> Alarm | None:
    parts = {"train": dataset.train, "validation": dataset.validation, "test": dataset.test, "cold": dataset.cold}
    if dataset.validation is dataset.test:
        parts.pop("validation")
    names = list(parts)
    user, item, time, kind = (
        np.concatenate([getattr(part, column) for part in parts.values()])
        for column in ("user", "item", "time", "type")
    )
    part = np.repeat(np.arange(len(parts)), [len(events) for events in parts.values()])
    keys = (pd.factorize(kind)[0], item, user, time)
    order = np.lexsort((part, *keys))
    new = np.ones(len(order), bool)
    new[1:] = np.any([key[order][1:] != key[order][:-1] for key in keys], axis=0)
    # Sorted by part within equal events, the first of each group is in the earliest part that has it.
    first = part[order][new][np.cumsum(new) - 1]
    repeated = np.bincount(part[order][part[order] > first], minlength=len(parts))
    if not repeated.sum():
        return None
    counts = {name: float(count) for name, count in zip(names, repeated) if count}
    told = " and ".join(f"{int(count):,} of the {name} part" for name, count in counts.items())
    return Alarm(
        LEAKAGE,
        f"{told} are in an earlier part as well: the same user, item, time and type",
        "an event belongs to one part",
        _ADVICE + ", without the rows that the file repeats",
        counts,
    )


def _held_out_items_in_training(dataset: Dataset) -> Alarm | None:
    found = np.isin(dataset.train.item, dataset.held_out)
    if not found.any():
        return None
    items = len(np.unique(dataset.train.item[found]))
    return Alarm(
        LEAKAGE,
        f"{items:,} of the {len(dataset.held_out):,} held-out items have events in the training part",
        "an item is new only if training never saw it",
        _ADVICE,
        {"items": float(items), "events": float(found.sum())},
    )


def _later(part: str, count: int, known: int) -> Alarm | None:
    if not count:
        return None
    return Alarm(
        LEAKAGE,
        f"{count:,} of the {known:,} events known when the {part} part is asked for are no earlier than it",
        "with this split all that is known lies before what is asked for",
        _ADVICE,
        {"events": float(count), "known": float(known)},
    )


def asked_and_known(truth: sparse.csr_matrix, known: sparse.csr_matrix, part: str) -> Alarm | None:
    """The alarm that pairs asked for are known already, so that they are excluded and can never be found.

    Args:
        truth, known: CSR [V, N], what is asked for and what is known of the same users.
        part: `validation`, `test` or `cold`.
    """
    count = int((truth.astype(bool).multiply(known.astype(bool))).nnz)
    if not count:
        return None
    return Alarm(
        LEAKAGE,
        f"{count:,} of the {truth.nnz:,} pairs of user and item asked for in the {part} part are in the user's history",
        "what is known is left out of the lists, so it must not be asked for",
        "leave these pairs out of what is asked for",
        {"pairs": float(count), "asked": float(truth.nnz)},
    )


def row_leakage(
    history: np.ndarray,
    targets: np.ndarray,
    history_time: np.ndarray,
    target_time: np.ndarray,
    held_out: np.ndarray,
    in_order: bool,
    before: float,
) -> list[Alarm]:
    """What training rows show the model and must not.

    Args:
        history: int [B, H], positions of the items the model is told; -1 for none.
        targets: int [B, T], positions of the items it shall find; -1 for none.
        history_time, target_time: int64 of the same shapes, the times of their events; ignored where there is no item.
        held_out: positions that no row may hold.
        in_order: whether no target may be earlier than the row's history, as with the objective `next`.
        before: all events must be earlier; inf where events were not divided by time.
    """
    told, asked = history >= 0, targets >= 0
    both = (history[:, :, np.newaxis] == targets[:, np.newaxis, :]) & told[:, :, np.newaxis]
    latest = np.where(told, history_time, np.iinfo(np.int64).min).max(axis=1, initial=np.iinfo(np.int64).min)
    earliest = np.where(asked, target_time, np.iinfo(np.int64).max).min(axis=1, initial=np.iinfo(np.int64).max)
    hidden = np.isin(history, held_out) & told, np.isin(targets, held_out) & asked
    future = (told & (history_time >= before)).any(axis=1) | (asked & (target_time >= before)).any(axis=1)
    findings = [
        (both.any(axis=(1, 2)), "ask for an item that their own history holds", "a target is hidden from its row"),
        (
            in_order & (latest > earliest),
            "hold later events in the history than in the targets",
            "with the objective next a history ends before its targets",
        ),
        (future, "hold events of the time that is asked for", "training lies before validation and test"),
        (
            hidden[0].any(axis=1) | hidden[1].any(axis=1),
            "hold items that were held out",
            "an item is new only if training never saw it",
        ),
    ]
    rows = int((told.any(axis=1) | asked.any(axis=1)).sum())
    return [
        Alarm(
            LEAKAGE,
            f"{int(found.sum()):,} of {rows:,} training rows {seen}",
            expected,
            "see whether the events are in the order of time and their parts as ingestion left them",
            {"rows": float(found.sum()), "looked_at": float(rows)},
        )
        for found, seen, expected in findings
        if found.any()
    ]
