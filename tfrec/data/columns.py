"""Cells of a file -> the typed column of a modality; see `tfrec.data.tables` for the types.

Cells are object arrays of str ("" where absent), bytes or tuples of str, as `tfrec.data.read` gives them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from tfrec.data.quarantine import Quarantine
from tfrec.data.read import Table
from tfrec.schema import Feature

ABSENT_WORDS = frozenset(["", "nan", "NaN", "NaT", "null", "NULL", "None", "<NA>", "N/A", "\\N"])
"""What tools write where there is no value. "NA" is not among them: it is also Namibia's country code."""
_ABSENT = pa.array(sorted(ABSENT_WORDS), pa.string())

# What begins and ends with a visible character of ASCII has no white space around it.
_CLEAN = r"(?s)[!-~](?:.*[!-~])?"
_DECIMAL = r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?"


def string_column(cells: np.ndarray) -> np.ndarray:
    """Ids and categories: object array of str without white space around them, "" where absent."""
    codes, uniques = pd.factorize(cells)
    try:
        strings = pa.array(uniques, pa.string())
    except (pa.ArrowException, UnicodeEncodeError):  # Bytes and lists are among them.
        changed = np.arange(len(uniques))
    else:
        clean = pc.and_not(pc.match_substring_regex(strings, rf"\A(?:{_CLEAN})\z"), pc.is_in(strings, _ABSENT))
        changed = np.flatnonzero(~clean.to_numpy(zero_copy_only=False))
    # A log has millions of ids, and next to none of them has to be looked at by itself.
    uniques[changed] = np.fromiter(map(_string, uniques[changed]), dtype=object, count=len(changed))
    return uniques[codes]


def full_match(strings: np.ndarray, pattern: str) -> np.ndarray:
    """Where the whole of a string (object array of str) matches a regular expression of RE2, bool."""
    matched = pc.match_substring_regex(pa.array(strings, pa.string()), rf"\A(?:{pattern})\z")
    return matched.to_numpy(zero_copy_only=False)


def categories_column(cells: np.ndarray, separator: str) -> np.ndarray:
    """Object array of tuples of different str, in the order of the cell, () where absent."""

    def values(cell: Any) -> tuple[str, ...]:
        parts = cell if isinstance(cell, tuple) else _string(cell).split(separator)
        return tuple(dict.fromkeys(part for part in map(_string, parts) if part))

    return _by_unique(cells, values)


def number_column(cells: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Numbers, float32, NaN where absent or bad; and where the cell is not absent and no finite float32, bool."""
    strings = string_column(cells)
    numbers = _floats(strings)
    with np.errstate(over="ignore"):
        numbers = numbers.astype(np.float32)
    bad = (strings != "") & ~np.isfinite(numbers)
    numbers[bad] = np.nan
    return numbers, bad


def text_column(columns: Sequence[np.ndarray]) -> np.ndarray:
    """The words of several columns joined by ". ", leaving out absent ones; object array of str."""
    parts = [string_column(cells) for cells in columns]
    joined = parts[0]
    for part in parts[1:]:
        gap = np.where((joined != "") & (part != ""), ". ", "").astype(object)
        joined = joined + gap + part
    return joined


def feature_columns(table: Table, features: Sequence[Feature], quarantine: Quarantine) -> dict[str, np.ndarray]:
    """The attribute and text columns of a table by feature name; bad numbers are noted and count as absent.

    Text without a word is noted too, so that it is seen which items go without.
    """
    columns = {}
    for feature in features:
        cells = [table.frame[column].to_numpy() for column in feature.columns]
        if feature.modality == "categories":
            columns[feature.name] = categories_column(cells[0], feature.separator)
        elif feature.modality == "number":
            columns[feature.name], bad = number_column(cells[0])
            quarantine.note(table, bad, feature.columns[0], "bad_number")
        elif feature.modality == "text":
            columns[feature.name] = text_column(cells)
            quarantine.note(table, columns[feature.name] == "", feature.columns[0], "empty_text")
        elif feature.modality in ("id", "category"):
            columns[feature.name] = string_column(cells[0])
    return columns


def absent_column(feature: Feature, rows: int) -> np.ndarray:
    """A column of an attribute that no row has."""
    if feature.modality == "number":
        return np.full(rows, np.nan, np.float32)
    column = np.empty(rows, dtype=object)
    for row in range(rows):
        column[row] = () if feature.modality == "categories" else ""
    return column


def _string(cell: Any) -> str:
    if isinstance(cell, tuple):
        cell = " ".join(cell)
    elif isinstance(cell, bytes):
        cell = cell.decode("utf-8", "replace")
    cell = cell.strip()
    return "" if cell in ABSENT_WORDS else cell


def _by_unique(cells: np.ndarray, function: Callable[[Any], Any]) -> np.ndarray:
    """`function` of every cell, called once per different cell."""
    codes, uniques = pd.factorize(cells)
    return np.fromiter(map(function, uniques), dtype=object, count=len(uniques))[codes]


def _floats(strings: np.ndarray) -> np.ndarray:
    """float64, NaN where a string is no decimal number."""
    decimal = full_match(strings, _DECIMAL)
    numbers = np.full(len(strings), np.nan)
    numbers[decimal] = strings[decimal].astype(np.float64)
    return numbers
