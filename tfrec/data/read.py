"""Reads a CSV, JSON Lines or Parquet file into tables of strings that remember the row numbers of the file."""

from __future__ import annotations

import dataclasses
import difflib
import os
from collections.abc import Callable, Iterable, Iterator
from typing import BinaryIO

import pandas as pd

from tfrec.data.files import opened
from tfrec.data.formats import Malformed, Parsed, csv_pieces, json_lines_pieces
from tfrec.data.parquet import parquet_pieces
from tfrec.errors import ConfigError, DataError

PIECE = 250_000  # Rows that are in memory at once where a table is read piece by piece.

_PARSERS: dict[str, Callable[..., Iterator[Parsed]]] = {
    ".csv": csv_pieces,
    ".tsv": csv_pieces,
    ".jsonl": json_lines_pieces,
    ".ndjson": json_lines_pieces,
    ".json": json_lines_pieces,
    ".parquet": parquet_pieces,
    ".pq": parquet_pieces,
}


@dataclasses.dataclass(frozen=True)
class Table:
    """The rows of one file, or some of them that follow each other.

    Attributes:
        name: items, users or events.
        path: where the file lies.
        frame: object columns of str, "" where absent; bytes and tuples of str where JSON Lines or Parquet has them.
            Its index is the row number as a person counts in the file: the line for CSV (the header is line 1) and
            JSON Lines, the row from 1 for Parquet.
        malformed: the rows that could not be read.
        all_columns: whether no other piece of the file has columns that are not in `frame`.
    """

    name: str
    path: str
    frame: pd.DataFrame
    malformed: list[Malformed]
    all_columns: bool = True

    @property
    def file(self) -> str:
        """The name of the file without its folder."""
        return os.path.basename(self.path)

    @property
    def rows_read(self) -> int:
        """Rows of the file, malformed ones included, header and blank lines left out."""
        return len(self.frame) + len(self.malformed)


def read_table(path: str, name: str) -> Table:
    """Read the file that the configuration names as data.`name`; its ending decides the format.

    Raises:
        ConfigError: if the ending is none of .csv, .tsv, .jsonl, .ndjson, .json, .parquet and .pq.
        DataError: if the file is missing, empty or wholly unreadable.
    """
    return Table(name, path, *joined((piece.frame, piece.malformed) for piece in read_pieces(path, name)))


def read_pieces(path: str, name: str, rows: int = PIECE) -> Iterator[Table]:
    """Read the same, but at most `rows` rows at a time: at least one table, in the order of the file.

    Raises:
        ConfigError, DataError: as `read_table`, at the first piece; DataError also later, where a file is damaged.
    """
    parse = parser_of(path, name)
    with opened(path, f"data.{name}") as file:
        if is_blank(file):
            raise DataError(f"{path} is empty; data.{name} must have at least one row")
        try:
            for frame, malformed in parse(file, rows):
                yield Table(name, path, frame, malformed, all_columns=parse is not json_lines_pieces)
        except DataError as error:
            raise DataError(f"{path} {error}") from error


def parser_of(path: str, name: str) -> Callable[..., Iterator[Parsed]]:
    """What parses files that end as `path` does; `name` as of `read_table`.

    Raises:
        ConfigError: as `read_table`.
    """
    ending = os.path.splitext(path)[1].lower()
    if ending not in _PARSERS:
        raise ConfigError(f"data.{name} is {path}; expected a file that ends in {', '.join(_PARSERS)}")
    return _PARSERS[ending]


def renumbered(part: Parsed, shift: int) -> Parsed:
    """Rows of which each is `shift` rows further down in the file than it was counted."""
    frame, malformed = part
    return frame.set_axis(frame.index + shift), [row._replace(row=row.row + shift) for row in malformed]


def joined(pieces: Iterable[Parsed]) -> Parsed:
    """The pieces of a file as one; a cell of a column that a piece does not have is absent."""
    frames, malformed = [], []
    for frame, of_piece in pieces:
        frames.append(frame)
        malformed += of_piece
    return (pd.concat(frames).fillna("") if len(frames) > 1 else frames[0]), malformed


def require_columns(table: Table, columns: Iterable[tuple[str, str]], present: Iterable[str] | None = None) -> None:
    """Check that the table has each column of (column, configuration key that names it).

    Args:
        present: the columns of the whole file, where the table is a piece that may lack some.

    Raises:
        ConfigError: naming the key, the column, the closest column there is, and all of them.
    """
    present = list(table.frame.columns if present is None else present)
    for column, key in columns:
        if column in present:
            continue
        close = difflib.get_close_matches(column, present, n=1)
        lower = {str(name).lower(): name for name in present}
        suggestion = lower.get(column.lower()) or (close[0] if close else "")
        hint = f"did you mean {suggestion!r}? " if suggestion else ""
        raise ConfigError(
            f"{key} names the column {column!r}, which {table.path} does not have; {hint}"
            f"its columns are {', '.join(map(str, present))}"
        )


def is_blank(file: BinaryIO) -> bool:
    """Whether there is nothing but white space in the file, which is set back to its beginning."""
    blank = not any(block.strip() for block in iter(lambda: file.read(2**16), b""))
    file.seek(0)
    return blank
