"""Chooses the partition of a catalogue and how much of it is looked into, for a recall that is asked for."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np

from tfrec.errors import ServableError
from tfrec.index.kmeans import nearest_centres, spherical_centres
from tfrec.index.partition import Partition, cut_by, summaries

SPREADS = (0.0, 1.0, 2.0, 3.0, 4.0, 5.0)
# Blocks per direction that are tried, from few directions finely cut by length to one block in each.
BLOCKS_PER_DIRECTION = (64, 16, 4, 1)
# What reading one row of a gathered block costs beside comparing with the summary of one block.
ROW_COST = 2.0
ERRORS = 2.0  # The recall on the sample is to be above what is asked by so many of its standard errors.


@dataclasses.dataclass(frozen=True)
class Choice:
    """How an index is to be made.

    Attributes:
        partition: the blocks.
        probes: how many of them are looked into for a query.
        spread: see `tfrec.index.partitioned.PartitionedIndex`.
        recall: the mean share of the k best items found, over the queries the choice was made with.
        cost: what a query costs beside one that reads all items as the blocks are read: 1.0.
    """

    partition: Partition
    probes: int
    spread: float
    recall: float
    cost: float


def rows_per_block(size: int) -> int:
    """The power of two near an eighth of the root of the catalogue's size: 128 for a million, at least 8."""
    return int(2 ** max(3, round(np.log2(max(size, 1) ** 0.5 / 8))))


def choose(
    vectors: np.ndarray, queries: np.ndarray, truth: np.ndarray, recall: float, seed: int, hold: int = 1
) -> Choice:
    """The cheapest of the partitions that are tried with which the queries find what they shall.

    More and more directions are tried until the next does no better.

    Args:
        vectors: float32 [N, D].
        queries: real queries, float32 [Q, D].
        truth: positions of the best items for each, int [Q, k], -1 where fewer remain.
        recall: mean share of them that is to be found, more than 0 and less than 1.
        seed: of the k-means.
        hold: how many items the blocks that are looked into shall hold, such as k and what is often excluded; where
            fewer than k are left, a query costs as much as an exact one.

    Raises:
        ServableError: if there are no items or no queries to choose by.
    """
    if not len(vectors) or not len(queries):
        raise ServableError(
            f"a partitioned index is chosen by queries and items, but there are {len(queries)} queries and "
            f"{len(vectors)} items; set serving.index to exact"
        )
    rows = rows_per_block(len(vectors))
    chosen: Choice | None = None
    for each in BLOCKS_PER_DIRECTION:
        centres = spherical_centres(vectors, max(1, len(vectors) // rows // each), seed)
        partition = cut_by(vectors, centres, nearest_centres(vectors, centres), rows)
        found = choose_probes(vectors, partition, queries, truth, recall, hold)
        if chosen is not None and found.cost >= chosen.cost:
            break
        chosen = found
    assert chosen is not None
    return chosen


def choose_probes(
    vectors: np.ndarray,
    partition: Partition,
    queries: np.ndarray,
    truth: np.ndarray,
    recall: float,
    hold: int = 1,
    spreads: Sequence[float] = SPREADS,
) -> Choice:
    """The fewest probes, and the spread, with which a partition has the recall; see `choose`."""
    means, deviations = summaries(vectors, partition)
    lengths = np.linalg.norm(queries, axis=1, keepdims=True)
    block_of = partition.slots()[np.maximum(truth, 0)] // partition.items.shape[1]
    by_mean = queries @ means.T
    best: tuple[int, float, float] | None = None
    for spread in spreads:
        ranks = np.empty(truth.shape, np.int64)
        for row, promise in enumerate(by_mean + spread * lengths * deviations):
            places = np.empty(len(promise), np.int64)
            places[np.argsort(-promise, kind="stable")] = np.arange(len(promise))
            ranks[row] = places[block_of[row]]
        probes, reached = _fewest(ranks, truth >= 0, len(partition.items), recall)
        if best is None or probes < best[0]:
            best = probes, spread, reached
    assert best is not None
    probes, spread, reached = best
    blocks, rows = partition.items.shape
    probes = min(blocks, max(probes, -(-max(hold, truth.shape[1]) // rows)))
    cost = (probes * rows * ROW_COST + blocks) / (len(vectors) * ROW_COST)
    return Choice(partition, probes, spread, reached, cost)


def _fewest(ranks: np.ndarray, there: np.ndarray, blocks: int, recall: float) -> tuple[int, float]:
    """The fewest probes with the recall, surely, and the recall they have, by the rank of each true item's block."""
    low, high = 1, blocks
    while low < high:
        middle = (low + high) // 2
        shares = shares_found(ranks < middle, there)
        error = shares.std() / len(shares) ** 0.5
        if shares.mean() - ERRORS * error >= recall:
            high = middle
        else:
            low = middle + 1
    return low, float(shares_found(ranks < low, there).mean())


def shares_found(found: np.ndarray, there: np.ndarray) -> np.ndarray:
    """For each query the share of its best items that were found, float [Q]; 1 where there is no item to find.

    Args:
        found, there: bool [Q, k], which of the best items were found, and which exist.
    """
    wanted = there.sum(axis=1)
    return np.where(wanted > 0, (found & there).sum(axis=1) / np.maximum(wanted, 1), 1.0)
