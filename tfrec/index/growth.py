"""A partition with more items in it: only blocks that take one are cut again, so the work grows with what is new.

A new item goes where its direction and its length put it, and a block that becomes too full is divided, as a leaf of a
B-tree is: its parts stay half empty until later items fill them.
"""

from __future__ import annotations

import dataclasses

import numpy as np

from tfrec.index.kmeans import nearest_centres
from tfrec.index.partition import Partition


def grown(vectors: np.ndarray, partition: Partition, new: np.ndarray) -> tuple[Partition, np.ndarray]:
    """The partition with items that are new in it, and with those whose vector is new where they belong now.

    Args:
        vectors: of all items, the new ones too, float32 [N, D].
        partition: of the first items.
        new: positions of the items that are to find a place, int [M], each once: all that `partition` does not hold,
            and any that it does.

    Returns:
        The new partition, and the numbers of the blocks that are not as they were, ascending int [T]. A block keeps its
        number; what does not fit is in new blocks behind the old ones.
    """
    rows = partition.items.shape[1]
    slots = partition.slots()
    left, place = np.divmod(slots[new[new < len(slots)]], rows)
    direction = nearest_centres(vectors[new], partition.centres)
    partition = _with_blocks_for(partition, direction)
    partition.items[left, place] = -1
    target = _block_of(vectors, partition, direction, new)
    changed = np.union1d(left, target)
    stayed = partition.items[changed]
    group, column = np.nonzero(stayed >= 0)
    item = np.concatenate([stayed[group, column], new])
    group = np.concatenate([group, np.searchsorted(changed, target)])
    order = np.lexsort((-np.linalg.norm(vectors[item], axis=1), group))
    item, group = item[order], group[order]
    counts = np.bincount(group, minlength=len(changed))
    parts = np.maximum(1, -(-counts // rows))
    within = np.arange(len(item)) - np.repeat(np.cumsum(counts) - counts, counts)
    part, place = np.divmod(within, np.repeat(np.maximum(1, -(-counts // parts)), counts))
    before, more = len(partition.items), parts - 1
    block = np.where(part == 0, changed[group], before - 1 + part + np.repeat(np.cumsum(more) - more, counts))
    items = np.concatenate([partition.items, np.full((more.sum(), rows), -1, np.int32)])
    items[changed] = -1
    items[block, place] = item
    directions = np.concatenate([partition.directions, np.repeat(partition.directions[changed], more)])
    return Partition(partition.centres, items, directions), np.union1d(changed, np.arange(before, len(items)))


def _with_blocks_for(partition: Partition, direction: np.ndarray) -> Partition:
    """A copy of the partition with an empty block in each of these directions that has none yet."""
    lacking = np.setdiff1d(direction, partition.directions).astype(np.int32)
    empty = np.full((len(lacking), partition.items.shape[1]), -1, np.int32)
    return dataclasses.replace(
        partition,
        items=np.concatenate([partition.items, empty]),
        directions=np.concatenate([partition.directions, lacking]),
    )


def _block_of(vectors: np.ndarray, partition: Partition, direction: np.ndarray, new: np.ndarray) -> np.ndarray:
    """The block of its direction that each new item belongs in by its length, int [M].

    That is the last one which begins with an item that is at least as long, or else the first.
    """
    first = np.argmax(partition.items >= 0, axis=1)  # Of a block the longest, unless it is leaving.
    longest = partition.items[np.arange(len(first)), first]
    bounds = np.where(longest >= 0, np.linalg.norm(vectors[np.maximum(longest, 0)], axis=1), 0)
    blocks = np.lexsort((-bounds, partition.directions))
    count = len(blocks)
    # Blocks and items in one order: where an item stands between blocks says which is its own.
    lengths = np.concatenate([bounds[blocks], np.linalg.norm(vectors[new], axis=1)])
    directions = np.concatenate([partition.directions[blocks], direction])
    order = np.lexsort((-lengths, directions))
    passed = np.empty(len(order), np.int64)
    passed[order] = np.cumsum(order < count) - 1
    return blocks[np.maximum(passed[count:], np.searchsorted(partition.directions[blocks], direction))]
