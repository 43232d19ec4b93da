"""A Parquet file -> frames of strings, some rows at a time; see `tfrec.data.formats` for what every parser gives."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, BinaryIO

import numpy as np
import pandas as pd

from tfrec.data.formats import Malformed, Parsed, json_cell, objects
from tfrec.errors import DataError


def parquet_pieces(file: BinaryIO, rows: int, groups: Sequence[int] | None = None, first: int = 1) -> Iterator[Parsed]:
    """Parse Parquet; binary columns stay bytes, lists become tuples, times become ISO 8601, row numbers start at 1.

    A struct with a field `bytes`, as image data sets have it, gives these bytes. Of some row `groups` only, `first` is
    the number of their first row.

    Raises:
        DataError: if the file is damaged.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        parquet = pq.ParquetFile(file)
        row = first
        for batch in parquet.iter_batches(rows, row_groups=groups):
            yield _piece(batch, row)
            row += batch.num_rows
        if row == first:
            yield pd.DataFrame(columns=parquet.schema_arrow.names, dtype=object), []
    except (pa.ArrowException, OSError) as error:
        raise _damaged(error) from error


def row_groups(file: BinaryIO) -> list[int]:
    """The number of the first row of each row group, counted from 1.

    Raises:
        DataError: if the file is damaged.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        metadata = pq.ParquetFile(file).metadata
    except (pa.ArrowException, OSError) as error:
        raise _damaged(error) from error
    rows = [metadata.row_group(number).num_rows for number in range(metadata.num_row_groups)]
    return [1 + sum(rows[:number]) for number in range(len(rows))]


def _damaged(error: Exception) -> DataError:
    return DataError(f"is no readable Parquet file: {' '.join(str(error).split())}")


def _piece(batch: Any, first: int) -> Parsed:
    names = batch.schema.names
    columns = {name: _cells(batch.column(number)) for number, name in enumerate(names)}
    frame = pd.DataFrame(columns, index=np.arange(first, first + batch.num_rows), columns=names, dtype=object)
    damaged = np.zeros(len(frame), bool)
    for number, name in enumerate(names):
        damaged |= _has_nul(batch.column(number), columns[name])
    malformed = [Malformed(int(row), "", "it has a NUL character") for row in frame.index[damaged]]
    return (frame[~damaged] if malformed else frame), malformed


def _cells(column: Any) -> np.ndarray:
    import pyarrow as pa
    import pyarrow.types as types

    kind = column.type
    if types.is_dictionary(kind):
        # Each value once, however many rows have it.
        values = np.concatenate([_cells(column.dictionary), objects([""])])
        return values[column.indices.fill_null(len(values) - 1).to_numpy(zero_copy_only=False)]
    if types.is_temporal(kind) or types.is_integer(kind) or types.is_string(kind) or types.is_large_string(kind):
        return column.cast(pa.string()).fill_null("").to_numpy(zero_copy_only=False)
    values = column.to_pylist()
    if types.is_struct(kind) and kind.get_field_index("bytes") >= 0:
        return objects([(cell or {}).get("bytes") or "" for cell in values])
    if types.is_binary(kind) or types.is_large_binary(kind) or types.is_fixed_size_binary(kind):
        return objects([value or "" for value in values])
    if types.is_decimal(kind):
        return objects(["" if value is None else str(value) for value in values])
    return objects([json_cell(value) for value in values])


def _has_nul(column: Any, cells: np.ndarray) -> np.ndarray:
    """Where a cell is text with a NUL character, bool."""
    import pyarrow.compute as pc
    import pyarrow.types as types

    kind = column.type
    if types.is_string(kind) or types.is_large_string(kind):
        return pc.match_substring(column, "\0").fill_null(False).to_numpy(zero_copy_only=False)
    if types.is_integer(kind) or types.is_floating(kind) or types.is_temporal(kind):
        return np.zeros(len(cells), bool)
    return np.fromiter((isinstance(cell, str) and "\0" in cell for cell in cells), bool, len(cells))
