"""Finds out which columns of the events name the user, the item, the time, the kind of event and the rating."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

import numpy as np
import pandas as pd

from tfrec.data.columns import number_column, string_column
from tfrec.data.guesses import SAMPLE, guess_column, is_named_id, is_time, overlap, words_of
from tfrec.data.read import Table
from tfrec.errors import DataError

_USER_WORDS = (
    *("user", "uid", "customer", "member", "account", "client", "person", "shopper", "buyer"),
    *("reader", "listener", "viewer", "player", "visitor", "session"),
)
"""In the order in which they are looked for: a session stands for a person only where nothing else does."""
_ITEM_WORDS = (
    *("item", "product", "sku", "asin", "article", "movie", "film", "show", "episode", "video", "track", "song"),
    *("book", "tale", "story", "news", "game", "recipe"),
)
_TYPE_WORDS = frozenset(["event", "type", "action", "kind", "behavior", "behaviour", "interaction", "activity"])
_VALUE_WORDS = frozenset(["rating", "stars", "score", "value", "rate", "grade"])
_WEIGHTS: Mapping[str, float] = {
    **dict.fromkeys(("impression", "seen", "skip", "dislike", "remove", "removed", "hide", "unlike", "return"), 0.0),
    **dict.fromkeys(("view", "pageview", "detail", "open", "visit", "read", "preview"), 1.0),
    **dict.fromkeys(("click", "play", "listen", "watch", "download", "stream", "rating", "rate", "search"), 2.0),
    **dict.fromkeys(("like", "favorite", "favourite", "save", "bookmark", "wishlist", "share", "cart"), 3.0),
    **dict.fromkeys(("purchase", "buy", "order", "transaction", "checkout", "subscribe"), 4.0),
}


@dataclasses.dataclass(frozen=True)
class EventColumns:
    """The columns of the events; "" where there is none.

    Attributes:
        item_key: the column of the items file that `item` refers to.
        user_key: the column of the users file that `user` refers to, or "".
        weights: of each event type; `guessed` are the types whose names say nothing and count as 1.
        context: columns with few different values; `left_out`: (column, reason).
    """

    item: str
    item_key: str
    user: str
    user_key: str
    time: str
    type: str
    value: str
    weights: dict[str, float]
    guessed: tuple[str, ...]
    context: tuple[str, ...]
    left_out: tuple[tuple[str, str], ...]


def find_event_columns(items: Table, events: Table, users: Table | None) -> EventColumns:
    """Match the events with the items and the users.

    Raises:
        DataError: if no item id is shared by both files, no user column is found, or users and events share no id.
    """
    item, item_key = _item_columns(items, events)
    user, user_key = _user_columns(events, users, item)
    rest = [column for column in events.frame.columns if column not in (item, user)]
    time = _time(events.frame, rest)
    rest = [column for column in rest if column != time]
    kind, value = _type(events.frame, rest), _value(events.frame, rest)
    weights, guessed = _weights(events.frame[kind].to_numpy()) if kind else ({}, ())
    context, left_out = [], []
    for column in rest:
        if column in (kind, value):
            continue
        guess = guess_column(column, events.frame[column].to_numpy())
        if is_named_id(column):
            left_out.append((column, "an id says nothing about a request that is yet to come"))
        elif guess.modality != "category" or 20 * events.frame[column].nunique() > max(100, len(events.frame)):
            left_out.append((column, f"{guess.reason}; only columns with few values are taken as context"))
        else:
            context.append(column)
    return EventColumns(
        item, item_key, user, user_key, time, kind, value, weights, guessed, tuple(context), tuple(left_out)
    )


def _keys(table: Table) -> dict[str, set[str]]:
    """The columns whose values tell rows apart, with their values."""
    keys = {}
    for column in table.frame.columns:
        cells = table.frame[column].to_numpy()
        if any(not isinstance(cell, str) for cell in cells[:SAMPLE]):
            continue
        strings = string_column(cells)
        values = set(strings) - {""}
        if len(values) >= 0.9 * max(1, (strings != "").sum()) and len(values) >= 0.5 * len(strings):
            keys[column] = values
    return keys


def _item_columns(items: Table, events: Table) -> tuple[str, str]:
    best, choice = 0.0, ("", "")
    for place, (key, values) in enumerate(_keys(items).items()):
        for column in events.frame.columns:
            cells = events.frame[column].to_numpy()
            if any(not isinstance(cell, str) for cell in cells[:SAMPLE]):
                continue
            shared = overlap(values, cells[:SAMPLE])
            if shared < 0.5:
                continue
            score = shared + _likeness(key, column, _ITEM_WORDS) - 0.01 * place
            if set(words_of(column)) & set(_USER_WORDS) or is_time(column, cells) or _is_rating(column, cells):
                score -= 1.0
            if score > best:
                best, choice = score, (column, key)
    if not choice[0]:
        raise DataError(
            f"{items.path} and {events.path} share no item id: no column of the events "
            f"({', '.join(events.frame.columns)}) holds mostly values of a column that tells the items apart "
            f"({', '.join(_keys(items)) or 'there is none'}); give both files the same id, for instance as item_id"
        )
    return choice


def _user_columns(events: Table, users: Table | None, item: str) -> tuple[str, str]:
    columns = [column for column in events.frame.columns if column != item]
    if users is None:
        for word in _USER_WORDS:
            for column in columns:
                if word in words_of(column):
                    return column, ""
        raise DataError(
            f"cannot tell which column of {events.path} says who did it; "
            f"its columns are {', '.join(events.frame.columns)}; call the one with the user's id user_id"
        )
    best, choice = 0.0, ("", "")
    for key, values in _keys(users).items():
        for column in columns:
            cells = events.frame[column].to_numpy()[:SAMPLE]
            if any(not isinstance(cell, str) for cell in cells) or (shared := overlap(values, cells)) < 0.3:
                continue
            score = shared + _likeness(key, column, _USER_WORDS)
            if is_time(column, cells) or _is_rating(column, cells):
                score -= 1.0
            if score > best:
                best, choice = score, (column, key)
    if not choice[0]:
        raise DataError(
            f"{users.path} and {events.path} share no user id: no column of the events holds values of a column that "
            "tells the users apart; give both files the same id, for instance as user_id"
        )
    return choice


def _likeness(key: str, column: str, hints: tuple[str, ...]) -> float:
    """A bonus for two columns with names that fit each other and the thing they should identify."""
    ours, theirs = words_of(key), words_of(column)
    bonus = 0.5 if ours == theirs else 0.2 * bool(set(ours) & set(theirs) - {"id"})
    return bonus + 0.3 * bool(set(theirs) & set(hints)) + 0.2 * ("id" in ours[-1:])


def _time(frame: pd.DataFrame, columns: list[str]) -> str:
    found = [column for column in columns if is_time(column, frame[column].to_numpy())]
    named = [column for column in found if {"time", "timestamp", "ts"} & set(words_of(column))]
    return (named or found or [""])[0]


def _is_rating(column: str, cells: np.ndarray) -> bool:
    numbers, bad = number_column(string_column(cells[:SAMPLE]))
    few = len(set(numbers[np.isfinite(numbers)])) <= 101
    return bool(set(words_of(column)) & _VALUE_WORDS) and few and bool(np.mean(~bad & np.isfinite(numbers)) > 0.5)


def _value(frame: pd.DataFrame, columns: list[str]) -> str:
    return next((column for column in columns if _is_rating(column, frame[column].to_numpy())), "")


def _type(frame: pd.DataFrame, columns: list[str]) -> str:
    best, choice = 0.0, ""
    for column in columns:
        kinds = set(string_column(frame[column].to_numpy()[:SAMPLE])) - {""}
        if not 1 <= len(kinds) <= 30:
            continue
        known = float(np.mean([_known_weight(kind) is not None for kind in kinds]))
        named = bool(set(words_of(column)) & _TYPE_WORDS) and not any(kind.isdigit() for kind in kinds)
        score = known + 0.4 * named
        if score > best:
            best, choice = score, column
    return choice


def _known_weight(kind: str) -> float | None:
    """The weight that the name of an event type suggests: its weightiest word counts, but "remove" undoes it."""
    words = words_of(kind)
    known = [_WEIGHTS[word] for word in [*words, "".join(words)] if word in _WEIGHTS]
    if not known:
        return None
    return 0.0 if {"remove", "removed", "cancel"} & set(words) else max(known)


def _weights(cells: np.ndarray) -> tuple[dict[str, float], tuple[str, ...]]:
    """A weight for each type that at least one of a thousand events has: rarer ones are likely typing errors."""
    strings = pd.Series(string_column(cells))
    counts = strings[strings != ""].value_counts()
    common = [str(kind) for kind in counts.index[counts >= 0.001 * counts.sum()]]
    known = {kind: _known_weight(kind) for kind in common}
    weights = {kind: 1.0 if weight is None else weight for kind, weight in known.items()}
    return weights, tuple(kind for kind, weight in known.items() if weight is None)
