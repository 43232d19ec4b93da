"""Adds plot overviews and posters that the user has for the films, keyed by the ids of the release."""

from __future__ import annotations

import os

import pandas as pd

from tfrec.data.files import writing
from tfrec.errors import DataError

_FILES = ("items.csv", "overviews.csv")
_IDS = ("item_id", "movieId")


def with_extras(items: pd.DataFrame, folder: str, destination: str) -> pd.DataFrame:
    """The items with the columns `overview` and `poster` that the folder has, "" where it lacks one.

    The folder holds items.csv or overviews.csv with the column item_id or movieId, and overview or poster or both; in
    its place such a table may be given, whatever it is called. A poster is a path from the folder. Posters are copied
    to `destination`/posters; one whose file is missing keeps its path, so that ingestion reports it.

    Raises:
        DataError: if the folder, the file or the columns are missing, or a poster leads out of the folder.
    """
    table = _table(folder)
    if os.path.isfile(folder):
        folder = os.path.dirname(folder)
    key = next((name for name in _IDS if name in table), None)
    columns = [column for column in ("overview", "poster") if column in table]
    if key is None or not columns:
        raise DataError(
            f"the table in {folder} has the columns {', '.join(table.columns)}; expected item_id or movieId, "
            "and overview or poster"
        )
    table = table.drop_duplicates(key).set_index(key)
    items = items.copy()
    for column in columns:
        items[column] = items["item_id"].map(table[column]).fillna("")
    if "poster" in columns:
        items["poster"] = [
            _copied(path, key, folder, destination) for path, key in zip(items["poster"], items["item_id"])
        ]
    return items


def _table(folder: str) -> pd.DataFrame:
    paths = [folder] if os.path.isfile(folder) else [os.path.join(folder, name) for name in _FILES]
    for path in paths:
        if os.path.isfile(path):
            try:
                return pd.read_csv(path, dtype=str, keep_default_na=False)
            except (OSError, ValueError) as error:
                raise DataError(f"{path} is no readable CSV: {' '.join(str(error).split())}") from error
    raise DataError(f"{folder} has neither {' nor '.join(_FILES)}; give the folder of posters and overviews")


def _copied(path: str, item: str, folder: str, destination: str) -> str:
    if not path:
        return ""
    source = os.path.normpath(os.path.join(folder, path))
    if os.path.relpath(source, folder).startswith(".."):
        raise DataError(f"the poster {path!r} of item {item} leads out of {folder}; give a path below it")
    target = os.path.join("posters", f"{item}{os.path.splitext(path)[1].lower()}")
    if os.path.isfile(source):
        with open(source, "rb") as file:
            content = file.read()
        full = os.path.join(destination, target)
        with writing(full):
            os.makedirs(os.path.dirname(full), exist_ok=True)
            with open(full, "wb") as file:
                file.write(content)
    return target
