"""Rows of the events file -> events; a row that names no known item, type or time is quarantined."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from tfrec.data.columns import feature_columns, number_column, string_column
from tfrec.data.quarantine import Quarantine
from tfrec.data.read import Table, require_columns
from tfrec.data.repeated_rows import repeated, row_digests
from tfrec.data.tables import Catalogue, Events, Users
from tfrec.data.times import time_column
from tfrec.data.users import UserNumbers
from tfrec.schema import Events as EventsSchema
from tfrec.schema import Schema


class EventRows(NamedTuple):
    """Events in the order of the file, the users with those met only here, how many rows there were, and how many of
    them were left out."""

    events: Events
    users: Users
    read: int
    left_out: int


def build_events(
    pieces: Iterable[Table], schema: Schema, catalogue: Catalogue, users: Users, quarantine: Quarantine
) -> EventRows:
    """The usable events in the order of the file, which is read piece by piece and kept as numbers.

    A row has the first fault that applies, in this order: no user, no item, unknown item, unknown type, bad time, bad
    value, and, where there is a time, equality with an earlier row in every column of the file (a message delivered
    twice). Without times equal rows are events that happened repeatedly and are kept. Events below
    schema.events.minimum_value are left out: they are no fault but no positive signal.

    Raises:
        ConfigError: if the schema names a column that the file does not have.
    """
    wanted = schema.events
    reader = _Reader(wanted, catalogue, UserNumbers(users), quarantine)
    columns = _joined([reader.usable(piece) for piece in _checked(pieces, wanted)])
    table, noted = reader.last, reader.noted
    keep = np.ones(len(columns["row"]), bool)
    if wanted.time:
        keep = ~repeated(columns.pop("digest"))
        quarantine.reject_rows(table, columns["row"][~keep], "duplicate_event")
    left_out = int((keep & ~columns["enough"]).sum())
    keep &= columns.pop("enough")
    quarantine.add_but(noted, columns["row"][~keep])
    if not wanted.time:
        columns["time"] = columns["row"]
    del columns["row"]
    # One column after the other, so that no two versions of all of them are in memory.
    for name in list(columns):
        columns[name] = columns[name][keep]
    all_users, rows = reader.users.table(columns.pop("user"), schema.users)
    context = {feature.name: columns.pop(f"context {feature.name}") for feature in wanted.context}
    return EventRows(Events(user=rows, context=context, **columns), all_users, reader.read, left_out)


class _Reader:
    """Turns pieces of the file into numbers; `last` is the piece read last, `read` how many rows there were.

    Attributes:
        noted: what was noted of rows that may turn out to be repeated or left out.
    """

    def __init__(self, schema: EventsSchema, catalogue: Catalogue, users: UserNumbers, quarantine: Quarantine):
        self.schema, self.users, self.quarantine = schema, users, quarantine
        self.noted = Quarantine()
        self.read = 0
        self.last: Table
        self._items = pd.Index(catalogue.ids, dtype=object)

    def usable(self, table: Table) -> dict[str, np.ndarray]:
        """The columns of the rows without a fault that can be told without the other pieces."""
        wanted, rows = self.schema, len(table.frame)
        self.last, self.read = table, self.read + table.rows_read
        self.quarantine.add_malformed(table)

        def cells(column: str) -> np.ndarray:
            return table.frame[column].to_numpy()

        user, item = string_column(cells(wanted.user)), string_column(cells(wanted.item))
        position = self._items.get_indexer(item)
        faults = [
            (user == "", wanted.user, "missing_user"),
            (item == "", wanted.item, "missing_id"),
            (position < 0, wanted.item, "unknown_item"),
        ]
        kind = np.full(rows, "", object)
        weight = np.ones(rows, np.float32)
        if wanted.type:
            kind = string_column(cells(wanted.type))
            weight = pd.Series(kind).map(dict(wanted.weights)).to_numpy(np.float32)
            faults.append((np.isnan(weight), wanted.type, "unknown_type"))
        columns: dict[str, np.ndarray] = {}
        if wanted.time:
            columns["time"], bad = time_column(cells(wanted.time))
            faults.append((bad, wanted.time, "bad_time"))
        value = np.full(rows, np.nan, np.float32)
        enough = np.ones(rows, bool)
        if wanted.value:
            value, bad = number_column(cells(wanted.value))
            faults.append((bad, wanted.value, "bad_number"))
            if wanted.minimum_value is not None:
                faults.append((np.isnan(value), wanted.value, "missing_value"))
                enough = ~(value < np.float32(wanted.minimum_value))
        keep = np.ones(rows, bool)
        for bad, column, code in faults:
            self.quarantine.reject(table, bad & keep, column, code)
            keep &= ~bad
        kept = dataclasses.replace(table, frame=table.frame[keep])
        context = feature_columns(kept, wanted.context, self.noted)
        columns |= {"item": position.astype(np.int32), "type": kind, "weight": weight, "value": value, "enough": enough}
        columns = {name: column[keep] for name, column in columns.items()}
        columns |= {"row": kept.frame.index.to_numpy(np.int64), "user": self.users.numbers(user[keep])}
        columns |= {"digest": row_digests(kept.frame)} if wanted.time else {}
        return columns | {f"context {name}": column for name, column in context.items()}


def _checked(pieces: Iterable[Table], wanted: EventsSchema) -> Iterator[Table]:
    """The pieces, each with all columns that the schema names; a ConfigError where the file lacks one."""
    named = {"user": wanted.user, "item": wanted.item, "time": wanted.time, "type": wanted.type, "value": wanted.value}
    columns = [(column, f"schema.events.{key}") for key, column in named.items() if column]
    for feature in wanted.context:
        columns += [(column, f"schema.events.context.{feature.name}") for column in feature.columns]
    present: dict[Any, None] = {}
    for piece in pieces:
        if piece.all_columns:
            require_columns(piece, columns)
        present.update(dict.fromkeys(piece.frame.columns))
        missing = {column: "" for column, _ in columns if column not in piece.frame.columns}
        yield dataclasses.replace(piece, frame=piece.frame.assign(**missing)) if missing else piece
    require_columns(piece, columns, present)


def _joined(pieces: list[dict[str, np.ndarray]]) -> dict[str, np.ndarray]:
    """The columns of all pieces, which are emptied on the way."""
    joined = {}
    for name in list(pieces[0]):
        joined[name] = np.concatenate([piece.pop(name) for piece in pieces])
    return joined
