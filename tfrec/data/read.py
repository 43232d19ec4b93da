"""Reads a CSV, JSON Lines or Parquet file into a table of strings that remembers the row numbers of the file."""

from __future__ import annotations

import dataclasses
import difflib
import os
from collections.abc import Iterable

import pandas as pd

from tfrec.data.files import read_bytes
from tfrec.data.formats import Malformed, parse_csv, parse_json_lines, parse_parquet
from tfrec.errors import ConfigError, DataError

_PARSERS = {
    ".csv": parse_csv,
    ".tsv": parse_csv,
    ".jsonl": parse_json_lines,
    ".ndjson": parse_json_lines,
    ".json": parse_json_lines,
    ".parquet": parse_parquet,
    ".pq": parse_parquet,
}


@dataclasses.dataclass(frozen=True)
class Table:
    """The rows of one file.

    Attributes:
        name: items, users or events.
        path: where the file lies.
        frame: object columns of str, "" where absent; bytes and tuples of str where JSON Lines or Parquet has them.
            Its index is the row number as a person counts in the file: the line for CSV (the header is line 1) and
            JSON Lines, the row from 1 for Parquet.
        malformed: the rows that could not be read.
    """

    name: str
    path: str
    frame: pd.DataFrame
    malformed: list[Malformed]

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
    ending = os.path.splitext(path)[1].lower()
    if ending not in _PARSERS:
        raise ConfigError(f"data.{name} is {path}; expected a file that ends in {', '.join(_PARSERS)}")
    content = read_bytes(path, f"data.{name}")
    if not content.strip():
        raise DataError(f"{path} is empty; data.{name} must have at least one row")
    try:
        frame, malformed = _PARSERS[ending](content)
    except DataError as error:
        raise DataError(f"{path} {error}") from error
    return Table(name, path, frame, malformed)


def require_columns(table: Table, columns: Iterable[tuple[str, str]]) -> None:
    """Check that the table has each column of (column, configuration key that names it).

    Raises:
        ConfigError: naming the key, the column, the closest column there is, and all of them.
    """
    present = list(table.frame.columns)
    for column, key in columns:
        if column in table.frame.columns:
            continue
        close = difflib.get_close_matches(column, present, n=1)
        lower = {str(name).lower(): name for name in present}
        suggestion = lower.get(column.lower()) or (close[0] if close else "")
        hint = f"did you mean {suggestion!r}? " if suggestion else ""
        raise ConfigError(
            f"{key} names the column {column!r}, which {table.path} does not have; {hint}"
            f"its columns are {', '.join(map(str, present))}"
        )
