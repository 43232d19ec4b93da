"""Rows of the users file -> the users; users met only in events are added with absent features."""

from __future__ import annotations

import numpy as np
import pandas as pd

from tfrec.data.catalogue import unique_ids
from tfrec.data.columns import absent_column, feature_columns
from tfrec.data.quarantine import Quarantine
from tfrec.data.read import Table, require_columns
from tfrec.data.tables import Users
from tfrec.errors import ConfigError
from tfrec.schema import Users as UsersSchema


def build_users(table: Table | None, schema: UsersSchema, quarantine: Quarantine) -> Users:
    """The users of the file in its order, or no users where there is no file.

    Raises:
        ConfigError: if the schema names a column that the file does not have, or features without a file.
    """
    if table is None:
        if schema.features:
            raise ConfigError(
                f"schema.users.features names {schema.features[0].name!r} but data.users is missing; "
                "give the users file or remove the features"
            )
        return Users(ids=np.empty(0, dtype=object), columns={})
    wanted = [(schema.id, "schema.users.id")]
    for feature in schema.features:
        wanted += [(column, f"schema.users.features.{feature.name}") for column in feature.columns]
    require_columns(table, wanted)
    quarantine.add_malformed(table)
    ids, table = unique_ids(table, schema.id, "missing_user", quarantine)
    return Users(ids=ids, columns=feature_columns(table, schema.features, quarantine))


def with_users_of_events(users: Users, schema: UsersSchema, ids: np.ndarray) -> tuple[Users, np.ndarray]:
    """The users and, after them, those of `ids` (object array of str [E]) who are new, in the order they first occur.

    Returns:
        The users, and the row in them of every one of `ids`, int32 [E].
    """
    codes, names = pd.factorize(ids)
    rows = pd.Index(users.ids, dtype=object).get_indexer(names)
    new = rows < 0
    rows[new] = len(users) + np.arange(new.sum())
    columns = {
        feature.name: np.concatenate([users.columns[feature.name], absent_column(feature, int(new.sum()))])
        if users.columns
        else absent_column(feature, int(new.sum()))
        for feature in schema.features
    }
    return Users(np.concatenate([users.ids, names[new]]), columns), rows[codes].astype(np.int32)
