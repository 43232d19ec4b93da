"""Rows of the events file -> events; a row that names no known item, type or time is quarantined."""

from __future__ import annotations

import dataclasses
from typing import NamedTuple

import numpy as np
import pandas as pd

from tfrec.data.columns import feature_columns, number_column, string_column
from tfrec.data.quarantine import Quarantine
from tfrec.data.read import Table, require_columns
from tfrec.data.tables import Catalogue, Events, Users
from tfrec.data.times import time_column
from tfrec.data.users import with_users_of_events
from tfrec.schema import Schema


class EventRows(NamedTuple):
    """Events in the order of the file, the users with those met only here, and how many rows were left out."""

    events: Events
    users: Users
    left_out: int


def build_events(table: Table, schema: Schema, catalogue: Catalogue, users: Users, quarantine: Quarantine) -> EventRows:
    """The usable events in the order of the file.

    A row has the first fault that applies, in this order: no user, no item, unknown item, unknown type, bad time, bad
    value, and, where there is a time, equality with an earlier row in every column of the file (a message delivered
    twice). Without times equal rows are events that happened repeatedly and are kept. Events below
    schema.events.minimum_value are left out: they are no fault but no positive signal.

    Raises:
        ConfigError: if the schema names a column that the file does not have.
    """
    wanted = schema.events
    named = {"user": wanted.user, "item": wanted.item, "time": wanted.time, "type": wanted.type, "value": wanted.value}
    columns = [(column, f"schema.events.{key}") for key, column in named.items() if column]
    for feature in wanted.context:
        columns += [(column, f"schema.events.context.{feature.name}") for column in feature.columns]
    require_columns(table, columns)
    quarantine.add_malformed(table)

    def cells(column: str) -> np.ndarray:
        return table.frame[column].to_numpy()

    rows = len(table.frame)
    user, item = string_column(cells(wanted.user)), string_column(cells(wanted.item))
    position = pd.Index(catalogue.ids, dtype=object).get_indexer(item)
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
    time = table.frame.index.to_numpy(np.int64)
    if wanted.time:
        time, bad = time_column(cells(wanted.time))
        faults.append((bad, wanted.time, "bad_time"))
    value = np.full(rows, np.nan, np.float32)
    if wanted.value:
        value, bad = number_column(cells(wanted.value))
        faults.append((bad, wanted.value, "bad_number"))
        if wanted.minimum_value is not None:
            faults.append((np.isnan(value), wanted.value, "missing_value"))
    if wanted.time:
        faults.append((_repeated(table.frame), "", "duplicate_event"))
    keep = np.ones(rows, bool)
    for bad, column, code in faults:
        quarantine.reject(table, bad & keep, column, code)
        keep &= ~bad
    enough = np.ones(rows, bool)
    if wanted.value and wanted.minimum_value is not None:
        enough = ~(value < np.float32(wanted.minimum_value))
    left_out = int((keep & ~enough).sum())
    keep &= enough
    kept = dataclasses.replace(table, frame=table.frame[keep])
    users, user_rows = with_users_of_events(users, schema.users, user[keep])
    events = Events(
        user=user_rows,
        item=position[keep].astype(np.int32),
        time=time[keep],
        type=kind[keep],
        weight=weight[keep],
        value=value[keep],
        context=feature_columns(kept, wanted.context, quarantine),
    )
    return EventRows(events, users, left_out)


def _repeated(frame: pd.DataFrame) -> np.ndarray:
    """Whether a row equals an earlier one in every column, bool [rows]."""
    codes = {name: pd.factorize(frame[name].to_numpy())[0] for name in frame.columns}
    return pd.DataFrame(codes).duplicated().to_numpy()
