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


class UserNumbers:
    """Numbers users as their ids come, those of the users file first, so that a log can be read piece by piece."""

    def __init__(self, users: Users):
        self._known = users
        self._number: dict[str, int] = dict(zip(users.ids, range(len(users))))

    def numbers(self, ids: np.ndarray) -> np.ndarray:
        """The number of each of `ids` (object array of str [E]), int32 [E]."""
        codes, names = pd.factorize(ids)
        number = self._number
        found = np.fromiter((number.setdefault(name, len(number)) for name in names), np.int32, len(names))
        return found[codes]

    def table(self, numbers: np.ndarray, schema: UsersSchema) -> tuple[Users, np.ndarray]:
        """The users of the file and, after them, those new ones that `numbers` names, in the order they first occur.

        Args:
            numbers: int32 [E], as `numbers` gave them, of the events that are kept.

        Returns:
            The users, and the row in them of every one of `numbers`, int32 [E].
        """
        known = self._known
        met = pd.unique(numbers)
        new = met[met >= len(known)]
        rows = np.arange(len(self._number), dtype=np.int32)
        rows[new] = len(known) + np.arange(len(new), dtype=np.int32)
        names = np.fromiter(self._number, dtype=object, count=len(self._number))[new]
        columns = {
            feature.name: np.concatenate([known.columns[feature.name], absent_column(feature, len(new))])
            if known.columns
            else absent_column(feature, len(new))
            for feature in schema.features
        }
        return Users(np.concatenate([known.ids, names]), columns), rows[numbers]
