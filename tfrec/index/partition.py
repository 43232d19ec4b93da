"""A catalogue cut into blocks of items of like direction and like length.

A dot product is large where the direction fits and where the vector is long, and vectors of popular items are many
times as long as others. So each item goes to its nearest direction of a spherical k-means, and the items of a
direction, the longest first, are cut into blocks. A few directions cut finely by length serve vectors of very different
lengths, many directions those of equal length; `tfrec.index.choice` measures which.
"""

from __future__ import annotations

import dataclasses

import numpy as np

from tfrec.index.kmeans import nearest_centres

BLOCKS = 1024  # Blocks whose vectors are summarised at once.


@dataclasses.dataclass(frozen=True)
class Partition:
    """Which items are in which block.

    Attributes:
        centres: directions of unit length, float32 [C, D].
        items: positions of the items in each block, int32 [P, L], -1 at free places, which are the last of a block.
        directions: the direction of each block, int32 [P].
    """

    centres: np.ndarray
    items: np.ndarray
    directions: np.ndarray

    def slots(self) -> np.ndarray:
        """Where each item is, int32 [N]: the number of its block times L, and its place in it."""
        flat = self.items.ravel()
        taken = np.flatnonzero(flat >= 0)
        slots = np.empty(len(taken), np.int32)
        slots[flat[taken]] = taken
        return slots

    def direction_of(self) -> np.ndarray:
        """The direction of each item, int32 [N]."""
        return self.directions[self.slots() // self.items.shape[1]]


def cut(vectors: np.ndarray, centres: np.ndarray, rows: int) -> Partition:
    """Partition vectors float32 [N, D] by their nearest centres into blocks of at most `rows` items."""
    return cut_by(vectors, centres, nearest_centres(vectors, centres), rows)


def cut_by(vectors: np.ndarray, centres: np.ndarray, direction_of: np.ndarray, rows: int) -> Partition:
    """As `cut`, with the direction of each item given, int32 [N]."""
    lengths = np.linalg.norm(vectors, axis=1)
    order = np.lexsort((-lengths, direction_of))
    counts = np.bincount(direction_of, minlength=len(centres))
    blocks = -(-counts // rows)
    within = np.arange(len(vectors)) - np.repeat(np.cumsum(counts) - counts, counts)
    block = np.repeat(np.cumsum(blocks) - blocks, counts) + within // rows
    items = np.full((int(blocks.sum()), rows), -1, np.int32)
    items[block, within % rows] = order
    return Partition(centres, items, np.repeat(np.arange(len(centres), dtype=np.int32), blocks))


def summaries(
    vectors: np.ndarray, partition: Partition, blocks: np.ndarray | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """What a block's scores are like: its mean vector, float32 [P, D], and the spread of its vectors, float32 [P].

    The spread is the root of the mean variance over dimensions: the standard deviation of the block's scores for a
    query of length 1, were the block as wide in every direction. The best score of a block is likely some spreads above
    the score of its mean. With `blocks` int [P] it is that of these alone. One without an item has zeros.
    """
    chosen = partition.items if blocks is None else partition.items[blocks]
    means = np.empty((len(chosen), vectors.shape[1]), np.float32)
    spreads = np.empty(len(chosen), np.float32)
    for start in range(0, len(chosen), BLOCKS):
        part = slice(start, start + BLOCKS)
        items = chosen[part]
        there = (items >= 0)[:, :, np.newaxis]
        held = np.where(there, vectors[np.maximum(items, 0)], 0)
        counts = np.maximum(there.sum(axis=1), 1)
        means[part] = held.sum(axis=1) / counts
        apart = np.where(there, held - means[part][:, np.newaxis], 0)
        spreads[part] = np.sqrt(np.square(apart).sum(axis=(1, 2)) / counts[:, 0] / vectors.shape[1])
    return means, spreads
