"""Rows of the events file -> events; a row that names no known item, type or time is quarantined."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator
from typing import NamedTuple

import numpy as np
import pandas as pd

from tfrec.data.columns import feature_columns, number_column, string_column
from tfrec.data.formats import NO_OBJECT
from tfrec.data.quarantine import Quarantine
from tfrec.data.read import Table, require_columns
from tfrec.data.repeated_rows import repeated, row_digests
from tfrec.data.tables import Catalogue, Events, Users
from tfrec.data.times import time_column
from tfrec.data.users import UserNumbers
from tfrec.errors import DataError
from tfrec.schema import Events as EventsSchema
from tfrec.schema import Schema


class EventRows(NamedTuple):
    """Events in the order of the file, the users with those met only here, how many rows there were, how many of them
    were left out, and how many more were passed over because they are older than what is asked for."""

    events: Events
    users: Users
    read: int
    left_out: int
    passed: int


class CheckedPiece(NamedTuple):
    """The usable rows of a piece of the events file, all that is asked of it; made without the other pieces.

    Attributes:
        path: where the file lies; `names`: the columns that the piece has.
        columns: of the rows without a fault that can be told without the other pieces: "row", "user" (int32, a number
            into `users`), and the columns of `Events`; "digest" where there is a time, "enough" whether the value
            is large enough.
        users: object array of str, the ids in the order in which they first occur.
        found: rejected rows; `noted`: what was noted of rows that may turn out to be repeated or left out.
        read: how many rows the piece has, without the `passed` ones, which are older than what is asked for.
    """

    path: str
    names: list[str]
    columns: dict[str, np.ndarray]
    users: np.ndarray
    found: Quarantine
    noted: Quarantine
    read: int
    passed: int


def checked_pieces(
    pieces: Iterable[Table], wanted: EventsSchema, catalogue: Catalogue, since: int | None = None
) -> Iterator[CheckedPiece]:
    """Check one piece of the file after the other; `since` as in `check_piece`.

    Raises:
        ConfigError: as `check_piece`.
    """
    items = pd.Index(catalogue.ids, dtype=object)
    return (check_piece(piece, wanted, items, since) for piece in pieces)


def merged(pieces: Iterable[CheckedPiece], schema: Schema, users: Users, quarantine: Quarantine) -> EventRows:
    """The usable events of the pieces of a file, at least one, in its order; and the users.

    A row has the first fault that applies, in this order: no user, no item, unknown item, unknown type, bad time, bad
    value, and, where there is a time, equality with an earlier row in every column of the file (a message delivered
    twice). Without times equal rows are events that happened repeatedly and are kept. Events below
    schema.events.minimum_value are left out: they are no fault but no positive signal.

    Raises:
        ConfigError: if the schema names a column that the file does not have.
        DataError: if it has none.
    """
    wanted = schema.events
    numbers = UserNumbers(users)
    parts, noted, names, read, passed = [], Quarantine(), dict[str, None](), 0, 0
    for piece in pieces:
        user = numbers.numbers(piece.users)[piece.columns["user"]]
        parts.append(piece.columns | {"user": user})
        quarantine.add(piece.found)
        noted.add(piece.noted)
        names.update(dict.fromkeys(piece.names))
        read += piece.read
        passed += piece.passed
    if not names:  # pieces of JSON Lines, none of which could know that no other has an object
        raise DataError(f"{piece.path} {NO_OBJECT}")
    table = Table("events", piece.path, pd.DataFrame(columns=list(names)), [])
    require_columns(table, _columns_named(wanted))
    columns = _joined(parts)
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
    all_users, rows = numbers.table(columns.pop("user"), schema.users)
    context = {feature.name: columns.pop(f"context {feature.name}") for feature in wanted.context}
    return EventRows(Events(user=rows, context=context, **columns), all_users, read, left_out, passed)


def check_piece(table: Table, wanted: EventsSchema, items: pd.Index, since: int | None = None) -> CheckedPiece:
    """Check the rows of a piece of the file.

    Args:
        items: ids of the catalogue.
        since: rows of an earlier time, seconds since 1970, are passed over; None for none. One whose time is no time
            is refused with all other faults.

    Raises:
        ConfigError: if the piece has all columns of the file, and the schema names another.
    """
    found, noted = Quarantine(), Quarantine()
    names = list(table.frame.columns)
    table = _completed(table, wanted)
    table, passed = (table, 0) if since is None else _newer(table, wanted.time, since)
    rows = len(table.frame)
    found.add_malformed(table)

    def cells(column: str) -> np.ndarray:
        return table.frame[column].to_numpy()

    user, item = string_column(cells(wanted.user)), string_column(cells(wanted.item))
    position = items.get_indexer(item)
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
        found.reject(table, bad & keep, column, code)
        keep &= ~bad
    kept = dataclasses.replace(table, frame=table.frame[keep])
    context = feature_columns(kept, wanted.context, noted)
    columns |= {"item": position.astype(np.int32), "type": kind, "weight": weight, "value": value, "enough": enough}
    columns = {name: column[keep] for name, column in columns.items()}
    codes, ids = pd.factorize(user[keep])
    columns |= {"row": kept.frame.index.to_numpy(np.int64), "user": codes.astype(np.int32)}
    columns |= {"digest": row_digests(kept.frame)} if wanted.time else {}
    columns |= {f"context {name}": column for name, column in context.items()}
    return CheckedPiece(table.path, names, columns, ids, found, noted, table.rows_read, passed)


def _newer(table: Table, column: str, since: int) -> tuple[Table, int]:
    """The rows whose time in `column` is `since` or later or no time, and how many the others are."""
    time, bad = time_column(table.frame[column].to_numpy())
    keep = bad | (time >= since)
    return dataclasses.replace(table, frame=table.frame[keep]), int((~keep).sum())


def _completed(table: Table, wanted: EventsSchema) -> Table:
    """The piece with all columns that the schema names; in JSON Lines another piece may be the first to have one."""
    columns = _columns_named(wanted)
    if table.all_columns:
        require_columns(table, columns)
    missing = {column: "" for column, _ in columns if column not in table.frame.columns}
    return dataclasses.replace(table, frame=table.frame.assign(**missing)) if missing else table


def _columns_named(wanted: EventsSchema) -> list[tuple[str, str]]:
    """The columns that the schema names, each with its key in the configuration."""
    named = {"user": wanted.user, "item": wanted.item, "time": wanted.time, "type": wanted.type, "value": wanted.value}
    columns = [(column, f"schema.events.{key}") for key, column in named.items() if column]
    for feature in wanted.context:
        columns += [(column, f"schema.events.context.{feature.name}") for column in feature.columns]
    return columns


def _joined(pieces: list[dict[str, np.ndarray]]) -> dict[str, np.ndarray]:
    """The columns of all pieces, which are emptied on the way."""
    joined = {}
    for name in list(pieces[0]):
        joined[name] = np.concatenate([piece.pop(name) for piece in pieces])
    return joined
