"""Bytes of a CSV, JSON Lines or Parquet file -> a frame of strings, and the rows that could not be read.

Every parser returns (frame, malformed); the frame's index holds row numbers, see `tfrec.data.read.Table`.
"""

from __future__ import annotations

import csv
import io
import json
import re
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from tfrec.errors import DataError

_LONGEST_CELL = 64 * 2**20
_DAMAGE = re.compile("[\0\ud800-\udfff]")


class Malformed(NamedTuple):
    """A row that could not be read: its number, its beginning and why."""

    row: int
    value: str
    reason: str


Parsed = tuple[pd.DataFrame, list[Malformed]]


class _Lines:
    """An iterator over lines that can be set back, so that one unclosed quote does not swallow the rows after it."""

    def __init__(self, lines: list[str]):
        self.lines = lines
        self.at = 0

    def __iter__(self) -> _Lines:
        return self

    def __next__(self) -> str:
        if self.at == len(self.lines):
            raise StopIteration
        self.at += 1
        return self.lines[self.at - 1]


def parse_csv(content: bytes) -> Parsed:
    """Parse CSV with a header (RFC 4180; comma, semicolon or tab, whichever the header has most of).

    A row is malformed if its quotes do not close, it has more or fewer cells than the header, a NUL, or bytes that are
    no UTF-8. After quotes that do not close, reading goes on with the next line.

    Raises:
        DataError: if the header is missing, unreadable or names a column twice.
    """
    text = _decoded(content)
    lines = _Lines(list(io.StringIO(text, newline="")))
    limit = csv.field_size_limit(_LONGEST_CELL)
    try:
        return _parse_lines(lines, damaged=_DAMAGE.search(text) is not None)
    finally:
        csv.field_size_limit(limit)


def _parse_lines(lines: _Lines, damaged: bool) -> Parsed:
    while lines.at < len(lines.lines) and not lines.lines[lines.at].strip():
        lines.at += 1
    if lines.at == len(lines.lines):
        raise DataError("has no header; its first line must name the columns")
    first = lines.lines[lines.at]
    reader = csv.reader(lines, delimiter=max(",;\t", key=first.count), strict=True)
    header = _header(reader)
    cells: list[list[str]] = []
    numbers: list[int] = []
    malformed: list[Malformed] = []
    doubtful = 0
    while True:
        start = lines.at
        try:
            row = next(reader)
        except StopIteration:
            break
        except csv.Error as error:
            malformed.append(Malformed(start + 1, lines.lines[start], f"{error}"))
            doubtful = max(doubtful, lines.at)
            lines.at = start + 1
            continue
        if not row:
            continue
        if len(row) != len(header):
            problem = f"it has {len(row)} cells, the header has {len(header)}"
        elif damaged and _DAMAGE.search("".join(row)):
            problem = "it has bytes that are no UTF-8 text"
        elif start < doubtful and any('"' in cell for cell in row):
            # A line inside a stretch whose quotes did not close is taken as a row only if it looks like one.
            problem = "it may be the rest of a row whose quotes do not close"
        else:
            cells.append(row)
            numbers.append(start + 1)
            continue
        malformed.append(Malformed(start + 1, lines.lines[start], problem))
    columns = {name: _objects(values) for name, values in zip(header, zip(*cells))} if cells else {}
    return pd.DataFrame(columns, columns=header, index=np.array(numbers, np.int64), dtype=object), malformed


def _header(reader: Any) -> list[str]:
    try:
        header = [name.strip() for name in next(reader)]
    except csv.Error as error:
        raise DataError(f"has a header that cannot be read: {error}; its first line must name the columns") from error
    for name in header:
        if header.count(name) > 1:
            raise DataError(f"names the column {name!r} twice in its header; rename one")
        if _DAMAGE.search(name):
            raise DataError("has a header that is no UTF-8 text; save the file as UTF-8")
    return header


def parse_json_lines(content: bytes) -> Parsed:
    """Parse one JSON object per line; null is absent, a list becomes a tuple of strings.

    Raises:
        DataError: if no line holds an object.
    """
    rows: list[dict[str, Any]] = []
    numbers: list[int] = []
    malformed: list[Malformed] = []
    names: dict[str, None] = {}
    for number, line in enumerate(io.StringIO(_decoded(content), newline=""), start=1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
            if not isinstance(row, dict):
                raise ValueError(f"expected an object in braces, got {type(row).__name__}")
            if _DAMAGE.search(line) or ("\\u" in line and _DAMAGE.search(json.dumps(row, ensure_ascii=False))):
                raise ValueError("it has bytes that are no UTF-8 text")
            if "\\u0000" in line:
                raise ValueError("it has a NUL character")
        except (ValueError, RecursionError) as error:
            malformed.append(Malformed(number, line.rstrip("\n"), str(error)))
            continue
        rows.append(row)
        numbers.append(number)
        names.update(dict.fromkeys(row))
    if not rows:
        raise DataError("has no line with a JSON object; expected one object in braces per line")
    columns = {name: _objects([_json_cell(row.get(name)) for row in rows]) for name in names}
    return pd.DataFrame(columns, index=np.array(numbers, np.int64), dtype=object), malformed


def _json_cell(value: Any) -> str | tuple[str, ...]:
    if isinstance(value, str):
        return value
    if value is None or value != value:
        return ""
    if isinstance(value, list):
        return tuple(str(_json_cell(element)) for element in value)
    if isinstance(value, float) and value.is_integer():
        # A column of whole numbers with gaps is written as floats by many tools; ids must not become "7.0".
        return str(int(value))
    return json.dumps(value, ensure_ascii=False)


def parse_parquet(content: bytes) -> Parsed:
    """Parse Parquet; binary columns stay bytes, lists become tuples, times become ISO 8601, row numbers start at 1.

    A struct with a field `bytes`, as image data sets have it, gives these bytes.

    Raises:
        DataError: if the file is damaged.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        table = pq.read_table(pa.BufferReader(content))
    except (pa.ArrowException, OSError) as error:
        raise DataError(f"is no readable Parquet file: {' '.join(str(error).split())}") from error
    columns = {name: _objects(_parquet_cells(table.column(name))) for name in table.column_names}
    frame = pd.DataFrame(columns, index=np.arange(1, table.num_rows + 1), dtype=object)
    damaged = np.zeros(len(frame), bool)
    for name in frame.columns:
        damaged |= np.fromiter((isinstance(cell, str) and "\0" in cell for cell in frame[name]), bool, len(frame))
    malformed = [Malformed(int(row), "", "it has a NUL character") for row in frame.index[damaged]]
    return frame[~damaged], malformed


def _parquet_cells(column: Any) -> list[Any]:
    import pyarrow as pa
    import pyarrow.types as types

    kind = column.type
    if types.is_dictionary(kind):
        column, kind = column.cast(kind.value_type), kind.value_type
    if types.is_struct(kind) and kind.get_field_index("bytes") >= 0:
        return [(cell or {}).get("bytes") or "" for cell in column.to_pylist()]
    if types.is_temporal(kind):
        return column.cast(pa.string()).fill_null("").to_pylist()
    values = column.to_pylist()
    if types.is_binary(kind) or types.is_large_binary(kind) or types.is_fixed_size_binary(kind):
        return [value or "" for value in values]
    if types.is_string(kind) or types.is_large_string(kind):
        return [value or "" for value in values]
    if types.is_decimal(kind):
        return ["" if value is None else str(value) for value in values]
    return [_json_cell(value) for value in values]


def _decoded(content: bytes) -> str:
    """Text of UTF-8 with or without a mark, or of UTF-16 with one; other bytes become lone surrogates."""
    if content.startswith((b"\xff\xfe", b"\xfe\xff")):
        return content.decode("utf-16", errors="replace")
    return content.decode("utf-8-sig", errors="surrogateescape")


def _objects(values: Any) -> np.ndarray:
    """A one-dimensional object array, also where the values are tuples of one length."""
    return np.fromiter(values, dtype=object, count=len(values))
