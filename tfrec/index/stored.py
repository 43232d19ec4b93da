"""Reads an index again that was loaded with its SavedModel: its vectors, and how they are partitioned."""

from __future__ import annotations

import numpy as np

from tfrec.index.partition import Partition


def stored_vectors(index) -> np.ndarray:
    """The vectors of a loaded index, exact or partitioned, float32 [N, D] in the order of the catalogue."""
    if stored_partition(index) is None:
        return np.ascontiguousarray(index.vectors.numpy().T)
    return index.held.numpy()[index.slots.numpy()]


def stored_partition(index) -> Partition | None:
    """The partition of a loaded index, None of an exact one."""
    if not hasattr(index, "directions"):
        return None
    return Partition(index.centres.numpy(), index.items.numpy(), index.directions.numpy())
