"""Adds the events that came since an earlier ingestion to those it kept, without reading the others again."""

from __future__ import annotations

import dataclasses
import datetime

import numpy as np
import pandas as pd

from tfrec.data.events import EventRows
from tfrec.data.tables import Catalogue, Events, Users, joined
from tfrec.errors import DataError


@dataclasses.dataclass(frozen=True)
class Earlier:
    """What an earlier ingestion kept.

    Attributes:
        items: ids of its catalogue, object array of str [N]; `events.item` are places in it.
        users: its users.
        events: all its events, at least one.
    """

    items: np.ndarray
    users: Users
    events: Events

    @property
    def until(self) -> int:
        """The time of the newest event, seconds since 1970."""
        return int(self.events.time.max())


def with_earlier_users(users: Users, earlier: Users) -> Users:
    """The users of the file, then those known earlier that it does not name."""
    only_earlier = pd.Index(users.ids, dtype=object).get_indexer(earlier.ids) < 0
    columns = {
        name: np.concatenate([users.columns[name], earlier.columns[name][only_earlier]]) for name in users.columns
    }
    return Users(np.concatenate([users.ids, earlier.ids[only_earlier]]), columns)


def added(earlier: Earlier, rows: EventRows, catalogue: Catalogue, path: str) -> tuple[Events, int, int]:
    """Earlier and new events together, in the order of time.

    Args:
        rows: of the file, those since `earlier.until`; its users have those of `earlier` among them.
        path: of the file, for the error.

    Returns:
        The events, how many are new, and how many earlier ones are of items that the catalogue no longer has.

    Raises:
        DataError: if no event is new.
    """
    place = pd.Index(catalogue.ids, dtype=object).get_indexer(earlier.items)
    row = pd.Index(rows.users.ids, dtype=object).get_indexer(earlier.users.ids)
    old = earlier.events.take(place[earlier.events.item] >= 0)
    old = dataclasses.replace(old, item=place[old.item].astype(np.int32), user=row[old.user].astype(np.int32))
    new = rows.events.take(~_among(rows.events, old))
    if not len(new):
        raise DataError(
            f"{path} has no event after {moment(earlier.until)}, the newest one of the last run; there is nothing to "
            "add, run again when there is, or without --since where something else has changed"
        )
    return joined(old, new), len(new), len(earlier.events) - len(old)


def moment(seconds: int) -> str:
    """Seconds since 1970 as a date and a time of day in UTC."""
    return (datetime.datetime(1970, 1, 1) + datetime.timedelta(seconds=seconds)).isoformat(" ") + " UTC"


def _among(events: Events, others: Events) -> np.ndarray:
    """Which of the events are the same as one of the others by user, item, time and type, bool [E]."""
    keys = [pd.MultiIndex.from_arrays([part.user, part.item, part.time, part.type]) for part in (events, others)]
    return keys[0].isin(keys[1])
