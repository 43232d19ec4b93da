"""A CSV or JSON Lines file -> frames of strings, some rows at a time, and the rows that could not be read.

Every parser takes an open binary file and how many rows a piece has, and yields (frame, malformed) of each piece; the
frame's index holds row numbers, see `tfrec.data.read.Table`. What is in memory is one piece, and one cell.
"""

from __future__ import annotations

import codecs
import contextlib
import csv
import io
import json
import re
from collections.abc import Iterator
from typing import Any, BinaryIO, NamedTuple, TextIO

import numpy as np
import pandas as pd

from tfrec.errors import DataError

NO_OBJECT = "has no line with a JSON object; expected one object in braces per line"
_LONGEST_CELL = 64 * 2**20
_BLOCK = 2**22  # Bytes of text that are looked at together.
_DAMAGE = re.compile("[\0\ud800-\udfff]")


class Malformed(NamedTuple):
    """A row that could not be read: its number, its beginning and why."""

    row: int
    value: str
    reason: str


Parsed = tuple[pd.DataFrame, list[Malformed]]


class _Lines:
    """An iterator over lines that can be set back to the row that is read, so that one unclosed quote does not swallow
    the rows after it.

    Attributes:
        at: the number of the next line, from 0; setting it back goes no further than to `start`.
        start: the first line of the row that is read.
        damaged: whether any line so far holds what is no UTF-8 text.
    """

    def __init__(self, text: TextIO):
        self.at = 0
        self.start = 0
        self.damaged = False
        self._text = text
        self._held: list[str] = []
        self._first = 0  # The number of the first line held.

    def __iter__(self) -> _Lines:
        return self

    def __next__(self) -> str:
        if self.at - self._first == len(self._held) and not self._read_on():
            raise StopIteration
        self.at += 1
        return self._held[self.at - 1 - self._first]

    def line(self, number: int) -> str:
        """A line from `start` on that was read already."""
        return self._held[number - self._first]

    def _read_on(self) -> bool:
        block = self._text.readlines(_BLOCK)
        self.damaged = self.damaged or _DAMAGE.search("".join(block)) is not None
        self._held = self._held[self.start - self._first :] + block
        self._first = self.start
        return bool(block)


def csv_pieces(file: BinaryIO, rows: int) -> Iterator[Parsed]:
    """Parse CSV with a header (RFC 4180; comma, semicolon or tab, whichever the header has most of).

    A row is malformed if its quotes do not close, it has more or fewer cells than the header, a NUL, or bytes that are
    no UTF-8. After quotes that do not close, reading goes on with the next line.

    Raises:
        DataError: if the header is missing, unreadable or names a column twice.
    """
    lines = _Lines(_decoded(file))
    first = next((line for line in lines if line.strip()), None)
    if first is None:
        raise DataError("has no header; its first line must name the columns")
    lines.at -= 1
    lines.start = lines.at
    reader = csv.reader(lines, delimiter=max(",;\t", key=first.count), strict=True)
    with _long_cells():
        header = _header(reader)
    cells: list[list[str]] = []
    numbers: list[int] = []
    malformed: list[Malformed] = []
    doubtful = 0
    done = False
    while not done:
        with _long_cells():
            while len(cells) + len(malformed) < rows:
                start = lines.start = lines.at
                try:
                    row = next(reader)
                except StopIteration:
                    done = True
                    break
                except csv.Error as error:
                    malformed.append(Malformed(start + 1, lines.line(start), f"{error}"))
                    doubtful = max(doubtful, lines.at)
                    lines.at = start + 1
                    continue
                if not row:
                    continue
                if len(row) != len(header):
                    problem = f"it has {len(row)} cells, the header has {len(header)}"
                elif lines.damaged and _DAMAGE.search("".join(row)):
                    problem = "it has bytes that are no UTF-8 text"
                elif start < doubtful and any('"' in cell for cell in row):
                    # A line inside a stretch whose quotes did not close is taken as a row only if it looks like one.
                    problem = "it may be the rest of a row whose quotes do not close"
                else:
                    cells.append(row)
                    numbers.append(start + 1)
                    continue
                malformed.append(Malformed(start + 1, lines.line(start), problem))
        columns = {name: objects(values) for name, values in zip(header, zip(*cells))} if cells else {}
        yield pd.DataFrame(columns, columns=header, index=np.array(numbers, np.int64), dtype=object), malformed
        cells, numbers, malformed = [], [], []


@contextlib.contextmanager
def _long_cells() -> Iterator[None]:
    """Lets cells be as long as a picture while a piece is read; the limit is one for the whole process."""
    before = csv.field_size_limit(_LONGEST_CELL)
    try:
        yield
    finally:
        csv.field_size_limit(before)


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


def json_lines_pieces(file: BinaryIO, rows: int, whole: bool = True) -> Iterator[Parsed]:
    """Parse one JSON object per line; null is absent, a list becomes a tuple of strings.

    A piece has the columns that were met so far; a later one may have more. A file that is not `whole`, but a part of
    one, may be without an object.

    Raises:
        DataError: if no line holds an object.
    """
    names: dict[str, None] = {}
    found: list[dict[str, Any]] = []
    numbers: list[int] = []
    malformed: list[Malformed] = []
    for number, line in enumerate(_decoded(file), start=1):
        if not line.strip():
            continue
        try:
            found.append(_json_row(line))
            numbers.append(number)
            names.update(dict.fromkeys(found[-1]))
        except (ValueError, RecursionError) as error:
            malformed.append(Malformed(number, line.rstrip("\n"), str(error)))
        if len(found) + len(malformed) == rows:
            yield _json_frame(names, found, numbers), malformed
            found, numbers, malformed = [], [], []
    if whole and not names:
        raise DataError(NO_OBJECT)
    if found or malformed:
        yield _json_frame(names, found, numbers), malformed


def _json_row(line: str) -> dict[str, Any]:
    row = json.loads(line)
    if not isinstance(row, dict):
        raise ValueError(f"expected an object in braces, got {type(row).__name__}")
    if _DAMAGE.search(line) or ("\\u" in line and _DAMAGE.search(json.dumps(row, ensure_ascii=False))):
        raise ValueError("it has bytes that are no UTF-8 text")
    if "\\u0000" in line:
        raise ValueError("it has a NUL character")
    return row


def _json_frame(names: dict[str, None], rows: list[dict[str, Any]], numbers: list[int]) -> pd.DataFrame:
    columns = {name: objects([json_cell(row.get(name)) for row in rows]) for name in names}
    return pd.DataFrame(columns, index=np.array(numbers, np.int64), columns=list(names), dtype=object)


def json_cell(value: Any) -> str | tuple[str, ...]:
    """A value of JSON or the like as a cell: a string, "" where absent, or a tuple of strings."""
    if isinstance(value, str):
        return value
    if value is None or value != value:
        return ""
    if isinstance(value, list):
        return tuple(str(json_cell(element)) for element in value)
    if isinstance(value, float) and value.is_integer():
        # A column of whole numbers with gaps is written as floats by many tools; ids must not become "7.0".
        return str(int(value))
    return json.dumps(value, ensure_ascii=False)


def _decoded(file: BinaryIO) -> TextIO:
    """Text of UTF-8 with or without a mark, or of UTF-16 with one; other bytes become lone surrogates."""
    beginning = file.read(2)
    file.seek(0)
    if beginning in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE):
        return io.TextIOWrapper(file, "utf-16", errors="replace", newline="")
    return io.TextIOWrapper(file, "utf-8-sig", errors="surrogateescape", newline="")


def objects(values: Any) -> np.ndarray:
    """A one-dimensional object array, also where the values are tuples of one length."""
    return np.fromiter(values, dtype=object, count=len(values))
