"""The three tables a recommender learns from, as arrays: catalogue, users and events.

Column arrays by modality (N rows):
    id, category   object array of str, "" where absent
    categories     object array of tuples of str, () where absent
    number         float32, NaN where absent
    text           object array of str, "" where absent
Pictures and sound are not held in memory; see `tfrec.data.media`.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from tfrec.data.media import Media


@dataclasses.dataclass(frozen=True)
class Catalogue:
    """The items, in a fixed order; an item's *position* is its row here.

    Attributes:
        ids: object array of str [N], unique.
        titles: object array of str [N], "" where there is none.
        columns: attribute and text columns by feature name.
        media: pictures and clips by feature name, in catalogue order.
    """

    ids: np.ndarray
    titles: np.ndarray
    columns: Mapping[str, np.ndarray]
    media: Mapping[str, Media] = dataclasses.field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.ids)


@dataclasses.dataclass(frozen=True)
class Users:
    """The users that occur in the users file or in an event; `ids` object array of str [U], unique."""

    ids: np.ndarray
    columns: Mapping[str, np.ndarray]

    def __len__(self) -> int:
        return len(self.ids)

    def anonymous(self, rows: np.ndarray) -> Users:
        """The same users, with every feature of those at `rows` (bool [U]) absent."""
        columns = {}
        for name, column in self.columns.items():
            columns[name] = column.copy()
            for row in np.flatnonzero(rows):
                columns[name][row] = type(column[row])() if column.dtype == object else np.nan
        return Users(self.ids, columns)


@dataclasses.dataclass(frozen=True)
class Events:
    """Who did what with which item, when; rows in the order of time, ties in the order of the file.

    Attributes:
        user: int32 [E], row in `Users`.
        item: int32 [E], position in `Catalogue`.
        time: int64 [E], seconds since 1970, or the row number where the data has no time.
        type: object array of str [E], "" where the data has no types.
        weight: float32 [E], the weight of the type.
        value: float32 [E], NaN where absent.
        context: context columns by feature name.
    """

    user: np.ndarray
    item: np.ndarray
    time: np.ndarray
    type: np.ndarray
    weight: np.ndarray
    value: np.ndarray
    context: Mapping[str, np.ndarray] = dataclasses.field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.item)

    def take(self, rows: np.ndarray) -> Events:
        """The events at `rows` (indices or a boolean mask), in that order."""
        return Events(
            **{
                field.name: getattr(self, field.name)[rows]
                for field in dataclasses.fields(self)
                if field.name != "context"
            },
            context={name: column[rows] for name, column in self.context.items()},
        )


def joined(*parts: Events) -> Events:
    """The events of several parts as one, in the order of time."""
    names = [field.name for field in dataclasses.fields(Events) if field.name != "context"]
    merged = Events(
        **{name: np.concatenate([getattr(part, name) for part in parts]) for name in names},
        context={name: np.concatenate([part.context[name] for part in parts]) for name in parts[0].context},
    )
    return merged.take(np.argsort(merged.time, kind="stable"))


@dataclasses.dataclass(frozen=True)
class Dataset:
    """Everything training and evaluation need: the tables, and the events divided into parts.

    `held_out` holds the positions of items kept out of training with all their events (`cold`), int32, sorted.
    """

    catalogue: Catalogue
    users: Users
    train: Events
    validation: Events
    test: Events
    cold: Events
    held_out: np.ndarray
