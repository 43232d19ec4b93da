"""Times as people write them -> seconds since 1970-01-01T00:00:00Z."""

from __future__ import annotations

import numpy as np
import pandas as pd

from tfrec.data.columns import full_match, string_column

_ISO_8601 = (
    r"(?P<year>[0-9]{4})-(?P<month>[0-9]{2})-(?P<day>[0-9]{2})"
    r"(?:[T ](?P<hour>[0-9]{2}):(?P<minute>[0-9]{2})(?::(?P<second>[0-9]{2})(?:[.,][0-9]+)?)?"
    r"\s?(?:[Zz]|(?P<sign>[+-])(?P<zone_hour>[0-9]{2}):?(?P<zone_minute>[0-9]{2})?)?)?"
)
_NUMBER = r"[+-]?[0-9]+(?:\.[0-9]*)?(?:[eE][+-]?[0-9]+)?"
# A number of seconds that lies beyond the year 5138 is in a smaller unit: milli-, micro- or nanoseconds.
_LARGEST = 1e11
_UNITS = (1e3, 1e6, 1e9)


def time_column(cells: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Times as int64 seconds since 1970 (fractions cut off, 0 where bad), and where a cell is absent or no time, bool.

    A cell is a number of seconds (or milli-, micro- or nanoseconds, told apart by size), or ISO 8601: a date, or a date
    and a time with or without a zone; without one it is UTC.
    """
    codes, uniques = pd.factorize(string_column(cells))
    numeric = full_match(uniques, _NUMBER)
    seconds, good = np.zeros(len(uniques), np.int64), np.zeros(len(uniques), bool)
    seconds[numeric], good[numeric] = _scaled(uniques[numeric].astype(np.float64))
    seconds[~numeric], good[~numeric] = _iso_seconds(pd.Series(uniques[~numeric], dtype=object))
    return seconds[codes], ~good[codes]


def _scaled(numbers: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    seconds = numbers.copy()
    for factor in _UNITS:
        seconds = np.where(np.abs(seconds) >= _LARGEST, numbers / factor, seconds)
    in_range = np.isfinite(seconds) & (np.abs(seconds) < _LARGEST)
    return np.floor(np.where(in_range, seconds, 0)).astype(np.int64), in_range


def _iso_seconds(strings: pd.Series) -> tuple[np.ndarray, np.ndarray]:
    parts = strings.str.extract(f"^{_ISO_8601}$")
    good = parts["year"].notna().to_numpy()
    sign = np.where(parts.pop("sign") == "-", -1, 1)
    numbers = {name: pd.to_numeric(column.fillna("0")).to_numpy(np.int64) for name, column in parts.items()}
    months = (numbers["year"] - 1970) * 12 + numbers["month"] - 1
    month = months.astype("datetime64[M]")
    length = ((month + 1).astype("datetime64[D]") - month.astype("datetime64[D]")).astype(np.int64)
    good &= (numbers["month"] >= 1) & (numbers["month"] <= 12) & (numbers["day"] >= 1) & (numbers["day"] <= length)
    good &= (numbers["hour"] < 24) & (numbers["minute"] < 60) & (numbers["second"] < 60) & (numbers["year"] > 0)
    good &= (numbers["zone_hour"] < 24) & (numbers["zone_minute"] < 60)
    days = month.astype("datetime64[D]").astype(np.int64) + numbers["day"] - 1
    zone = sign * (numbers["zone_hour"] * 3600 + numbers["zone_minute"] * 60)
    seconds = days * 86400 + numbers["hour"] * 3600 + numbers["minute"] * 60 + numbers["second"] - zone
    return np.where(good, seconds, 0), good
