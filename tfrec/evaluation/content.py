"""The content of items as one matrix, for baselines that are linear in it."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from tfrec.errors import DataError

BINS = 32
"""Most bins of a number."""


def content_vectors(codes: Mapping[str, np.ndarray], vectors: Mapping[str, np.ndarray]) -> np.ndarray:
    """Attributes and content vectors side by side, float64 [N, F], every feature with an equal say.

    Each feature is centred and divided by the root of its mean squared length. What an item lacks is put in the middle.
    A number becomes indicators of its quantile bins, since a line through a number misses most of what it says.

    Args:
        codes: coded attributes by name: int [N] or [N, M] (0 absent), or float [N, 2] (scaled value, whether present).
        vectors: encoded content by name, float [N, D], a row of zeros where it is absent.

    Raises:
        DataError: if there is neither.
    """
    blocks = [_indicators(array) if array.dtype.kind == "i" else _binned(array) for array in codes.values()]
    blocks += list(vectors.values())
    if not blocks:
        raise DataError("the items have no attributes and no encoded content, so nothing can be told of new ones")
    return np.concatenate([_levelled(np.asarray(block, np.float64)) for block in blocks], axis=1)


def _indicators(codes: np.ndarray) -> np.ndarray:
    """A column of 0 and 1 for every code above 0 that occurs."""
    codes = codes.reshape(len(codes), -1)
    rows = np.repeat(np.arange(len(codes)), codes.shape[1])
    found = np.zeros((len(codes), int(codes.max(initial=0)) + 1))
    found[rows, codes.ravel()] = 1
    return found[:, 1:][:, found[:, 1:].any(axis=0)]


def _binned(numbers: np.ndarray) -> np.ndarray:
    """A column of 0 and 1 for every quantile bin of the present values of float [N, 2] (value, whether present)."""
    values, present = numbers[:, 0], numbers[:, 1] > 0
    if not present.any():
        return np.zeros((len(values), 1))
    inner = np.unique(np.quantile(values[present], np.linspace(0, 1, BINS + 1)[1:-1]))
    found = np.zeros((len(values), len(inner) + 1))
    found[np.arange(len(values)), np.searchsorted(inner, values, side="right")] = 1
    found[~present] = 0
    return found[:, found.any(axis=0)]


def _levelled(block: np.ndarray) -> np.ndarray:
    absent = ~block.any(axis=1)
    centre = block[~absent].mean(axis=0) if not absent.all() else np.zeros(block.shape[1])
    centred = np.where(absent[:, np.newaxis], 0, block - centre)
    return centred / max(np.sqrt(np.mean(np.sum(centred**2, axis=1))), 1e-12)
