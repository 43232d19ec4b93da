"""Rows that equal an earlier one, found by two numbers per row, so that the rows themselves need not be in memory."""

from __future__ import annotations

import hashlib

import numpy as np
import pandas as pd


def row_digests(frame: pd.DataFrame) -> np.ndarray:
    """Two numbers that stand for the cells of each row, uint64 [n, 2].

    Rows that differ have the same numbers by chance once in 2^64 pairs that differ in one cell, in 2^128 pairs of
    others. An absent cell counts as one of a column that is not there, as JSON Lines may have it.
    """
    digests = np.zeros((len(frame), 2), np.uint64)
    for name in frame.columns:
        cells = frame[name].to_numpy()
        hashed = pd.util.hash_array(cells, categorize=False)
        hashed[cells == ""] = 0
        factors = np.frombuffer(hashlib.blake2b(str(name).encode(), digest_size=16).digest(), np.uint64) | np.uint64(1)
        digests += hashed[:, np.newaxis] * factors
    return digests


def repeated(digests: np.ndarray) -> np.ndarray:
    """Which rows of `digests` uint64 [n, 2] equal an earlier one, bool [n]."""
    first = np.sort(digests[:, 0])
    twice = np.unique(first[1:][first[1:] == first[:-1]])
    # Few rows are left to be compared as a whole.
    rows = np.flatnonzero(np.isin(digests[:, 0], twice))
    order = rows[np.lexsort((rows, *digests[rows].T))]
    later = np.zeros(len(digests), bool)
    later[order[1:]] = (digests[order[1:]] == digests[order[:-1]]).all(axis=1)
    return later
