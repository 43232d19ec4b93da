"""Recommendations for many users, computed with the model itself and written to a CSV file."""

from __future__ import annotations

import csv
import os
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from tfrec.cli.asking import require_local
from tfrec.cli.workspace import servable_folder
from tfrec.errors import DataError
from tfrec.schema import Feature, Users

if TYPE_CHECKING:
    import numpy as np

    from tfrec.data.quarantine import Problem
    from tfrec.data.read import Table
    from tfrec.data.tables import Users as UsersTable
    from tfrec.export.loaded import LoadedServable

COLUMNS = ("user_id", "rank", "item_id", "score")
CHUNK = 2048


class Outcome(NamedTuple):
    """What was written: users, rows, users the model does not know, some of them, and what was left out."""

    users: int
    rows: int
    unknown: int
    examples: str
    problems: list[Problem]


def recommend_to_file(
    model: str, users_file: str, k: int, destination: str, progress: Callable[[str, int, int], None]
) -> Outcome:
    """Write the `k` best items of every user in `users_file` to the CSV file `destination`, whole or not at all.

    Args:
        model: a servable, or the folder above its versions.
        users_file: a table with the users' ids and any of their features, or a .txt file with one id per line.

    Raises:
        DataError: if the users cannot be read or the file cannot be written.
        ServableError: if there is no model, or `k` is more than it returns.
    """
    folder = servable_folder(require_local(model))
    from tfrec.data.files import writing
    from tfrec.export.loaded import LoadedServable

    if not os.path.isfile(users_file):
        raise DataError(f"the users file {users_file} does not exist; check --users")
    servable = LoadedServable(folder)
    users, problems = read_users(users_file, servable.manifest["schema"])
    known = _known(servable, users.ids)
    rows, partial = 0, f"{destination}.partial"
    with writing(destination):
        os.makedirs(os.path.dirname(os.path.abspath(destination)), exist_ok=True)
        with open(partial, "w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file, lineterminator="\n")
            writer.writerow(COLUMNS)
            for start in range(0, len(users), CHUNK):
                part = slice(start, start + CHUNK)
                given = {name: column[part] for name, column in users.columns.items()}
                items, scores = servable.recommend(users.ids[part], k, given)
                for user, found, values in zip(users.ids[part], items, scores.tolist()):
                    ranked = [pair for pair in zip(found, values) if pair[0]]
                    writer.writerows(
                        (user, rank, item, f"{score:.6f}") for rank, (item, score) in enumerate(ranked, start=1)
                    )
                    rows += len(ranked)
                progress("users", min(start + CHUNK, len(users)), len(users))
            file.flush()
            os.fsync(file.fileno())
        os.replace(partial, destination)
    strangers = users.ids[~known]
    return Outcome(len(users), rows, len(strangers), ", ".join(strangers[:3]), problems)


def read_users(path: str, schema: Mapping[str, Any]) -> tuple[UsersTable, list[Problem]]:
    """The users in a file, with those of the model's features that it has, and what is wrong with its rows.

    Args:
        path: a CSV, JSON Lines or Parquet file, or a .txt file with one id per line.
        schema: of a servable's manifest.
    """
    from tfrec.data.quarantine import Quarantine
    from tfrec.data.users import build_users

    table, id_column = _read_table(path, schema["users"]["id"])
    features = [Feature(**{**feature, "columns": tuple(feature["columns"])}) for feature in schema["users"]["features"]]
    present = tuple(feature for feature in features if feature.columns[0] in table.frame.columns)
    quarantine = Quarantine()
    users = build_users(table, Users(id_column, present), quarantine)
    if not len(users):
        raise DataError(f"{path} names no user; expected an id in the column {id_column!r}")
    return users, list(quarantine.problems)


def _read_table(path: str, id_column: str) -> tuple[Table, str]:
    """The rows of the file, and the name of the column with the ids."""
    from tfrec.data.read import read_table

    if path.lower().endswith(".txt"):
        return _read_lines(path), COLUMNS[0]
    table = read_table(path, "users")
    for name in (id_column, COLUMNS[0]):
        if name in table.frame.columns:
            return table, name
    raise DataError(
        f"{path} has no column {id_column or COLUMNS[0]!r} with the users' ids (its columns are "
        f"{', '.join(table.frame.columns)}); name it so, or give a .txt file with one id per line"
    )


def _read_lines(path: str) -> Table:
    """A table of the ids in a text file, one per line."""
    import pandas as pd

    from tfrec.data.files import read_bytes
    from tfrec.data.read import Table

    lines = read_bytes(path, "--users").decode("utf-8-sig", "replace").splitlines()
    ids = {number: line.strip() for number, line in enumerate(lines, start=1) if line.strip()}
    return Table("users", path, pd.DataFrame({COLUMNS[0]: list(ids.values())}, index=list(ids), dtype=object), [])


def _known(servable: LoadedServable, ids: np.ndarray) -> np.ndarray:
    """Which users the model knows, bool [U]."""
    import numpy as np

    from tfrec.export.known_users import known_user_arrays

    return np.isin(ids.astype(str), known_user_arrays(servable.module.users)["ids"].astype(str))
