"""A data set on disk as Parquet, to be trained on again without reading and checking the log once more."""

from __future__ import annotations

import os
from collections.abc import Mapping

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from tfrec.data.files import opened, writing
from tfrec.data.formats import objects
from tfrec.data.split import PARTS
from tfrec.data.tables import Catalogue, Dataset, Events, Users
from tfrec.errors import DataError

_CONTEXT, _FEATURE = "context.", "feature."
_PIECE = 1_000_000  # Rows that are turned into Arrow's form at once.


def store_dataset(directory: str, dataset: Dataset) -> None:
    """Write the tables below `directory`; pictures and clips stay where `tfrec.data.media` has them.

    Raises:
        DataError: if the catalogue has pictures or clips, or the disk is full.
    """
    if dataset.catalogue.media:
        raise DataError("a data set with pictures or clips is stored by ingestion, not here; leave these features out")
    os.makedirs(directory, exist_ok=True)
    features = {f"{_FEATURE}{name}": column for name, column in dataset.catalogue.columns.items()}
    _write(directory, "items", {"id": dataset.catalogue.ids, "title": dataset.catalogue.titles, **features})
    features = {f"{_FEATURE}{name}": column for name, column in dataset.users.columns.items()}
    _write(directory, "users", {"id": dataset.users.ids, **features})
    for name in PARTS:
        events = getattr(dataset, name)
        columns = {column: getattr(events, column) for column in ("user", "item", "time", "type", "weight", "value")}
        _write(directory, name, columns | {f"{_CONTEXT}{name}": column for name, column in events.context.items()})
    _write(directory, "held_out", {"item": dataset.held_out})


def stored_dataset(directory: str) -> Dataset:
    """Read what `store_dataset` wrote.

    Raises:
        DataError: if a file is missing or damaged.
    """
    items, users = _read(directory, "items"), _read(directory, "users")
    parts = {}
    for name in PARTS:
        columns = _read(directory, name)
        context = {key.removeprefix(_CONTEXT): columns.pop(key) for key in list(columns) if key.startswith(_CONTEXT)}
        parts[name] = Events(**columns, context=context)
    catalogue = Catalogue(items.pop("id"), items.pop("title"), _features(items))
    return Dataset(
        catalogue, Users(users.pop("id"), _features(users)), **parts, held_out=_read(directory, "held_out")["item"]
    )


def _features(columns: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    return {name.removeprefix(_FEATURE): column for name, column in columns.items()}


def _write(directory: str, name: str, columns: Mapping[str, np.ndarray]) -> None:
    path = os.path.join(directory, f"{name}.parquet")
    kinds = {key: _kind(column) for key, column in columns.items()}
    with writing(path), pq.ParquetWriter(path, pa.schema(list(kinds.items()))) as writer:
        for start in range(0, len(next(iter(columns.values()))), _PIECE):
            rows = slice(start, start + _PIECE)
            writer.write_table(pa.table({key: pa.array(column[rows], kinds[key]) for key, column in columns.items()}))


def _kind(column: np.ndarray) -> pa.DataType:
    if column.dtype != object:
        return pa.from_numpy_dtype(column.dtype)
    return pa.list_(pa.string()) if len(column) and isinstance(column[0], tuple) else pa.string()


def _read(directory: str, name: str) -> dict[str, np.ndarray]:
    with opened(os.path.join(directory, f"{name}.parquet"), "data.output") as file:
        table = pq.read_table(file)
    return {key: _array(table.column(key)) for key in table.column_names}


def _array(column: pa.ChunkedArray) -> np.ndarray:
    if pa.types.is_list(column.type):
        return objects([tuple(cell) for cell in column.to_pylist()])
    if pa.types.is_string(column.type):
        # A value that many rows have is one string in memory.
        coded = column.dictionary_encode().unify_dictionaries().combine_chunks()
        chunks = coded.chunks if isinstance(coded, pa.ChunkedArray) else [coded]
        parts = [
            chunk.dictionary.to_numpy(zero_copy_only=False)[chunk.indices.to_numpy(zero_copy_only=False)]
            for chunk in chunks
        ]
        return np.concatenate(parts) if parts else np.zeros(0, object)
    return column.to_numpy()
