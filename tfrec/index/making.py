"""Makes the index of an export: exact, or partitioned for a recall that is measured on queries of its users."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
from scipy import sparse

from tfrec.errors import ServableError
from tfrec.evaluation.topk import top_k
from tfrec.index.choice import Choice, choose, choose_probes
from tfrec.index.exact import ExactIndex
from tfrec.index.interface import Index
from tfrec.index.measure import measured_recall
from tfrec.index.partition import Partition
from tfrec.index.partitioned import PartitionedIndex

# `auto` is exact below so many items, and where more than such a part of the work would be left;
# see benchmarks/index_speed.py.
EXACT_BELOW = 50_000
WORTH = 0.05
WIDER = 1.25  # Probes are multiplied by this where other queries find less than those they were chosen by.


@dataclasses.dataclass(frozen=True)
class Asked:
    """What real queries ask of an index.

    Attributes:
        queries: float32 [Q, D].
        excluded: CSR [Q, N], what they must not find.
        k: how many they shall find.
        recall: the share of the k best that they shall find on the mean.
    """

    queries: np.ndarray
    excluded: sparse.csr_matrix
    k: int
    recall: float

    def part(self, rows: slice) -> Asked:
        """Some of the queries."""
        return dataclasses.replace(self, queries=self.queries[rows], excluded=self.excluded[rows])

    @property
    def hold(self) -> int:
        """How many items are enough for k to be left, but for one query in a hundred."""
        excluded = np.diff(self.excluded.indptr)
        return self.k + int(np.quantile(excluded, 0.99)) if len(excluded) else self.k

    def truth(self, vectors: np.ndarray) -> np.ndarray:
        """Positions of their k best of vectors float32 [N, D], int64 [Q, k], -1 where fewer remain."""
        return top_k(self.queries, vectors, self.k, exclude=self.excluded).positions


def exact_index(vectors: np.ndarray, k: int) -> tuple[Index, dict[str, Any]]:
    """An exact index and what the manifest says of it."""
    return ExactIndex(vectors, k), {"kind": "exact", "recall": 1.0}


def partitioned_index(vectors: np.ndarray, asked: Asked, seed: int) -> tuple[Index, dict[str, Any]]:
    """A partitioned index and what the manifest says of it.

    One half of the queries chooses the partition, the other half measures its recall.

    Args:
        vectors: float32 [N, D].
        asked: at least two queries in no special order.
        seed: of the k-means.

    Raises:
        ServableError: if there are fewer queries, or no items.
    """
    _check(asked)
    half = len(asked.queries) // 2
    choosing = asked.part(slice(half))
    chosen = choose(vectors, choosing.queries, choosing.truth(vectors), asked.recall, seed, asked.hold)
    return _checked(vectors, chosen, asked.part(slice(half, None)))


def index_for(vectors: np.ndarray, kind: str, asked: Asked, seed: int) -> tuple[Index, dict[str, Any]]:
    """The index that is asked for, and what the manifest says of it.

    Args:
        kind: exact, partitioned, or auto: partitioned where the catalogue is large enough, and one is found that
            leaves little enough work.
        vectors, asked, seed: see `partitioned_index`.
    """
    if kind == "exact" or (kind == "auto" and (len(vectors) < EXACT_BELOW or len(asked.queries) < 2)):
        return exact_index(vectors, asked.k)
    index, record = partitioned_index(vectors, asked, seed)
    if kind == "auto" and record["cost"] > WORTH:
        return exact_index(vectors, asked.k)
    return index, record


def with_partition(
    vectors: np.ndarray,
    partition: Partition,
    probes: int,
    spread: float,
    asked: Asked,
    promise: np.ndarray | None = None,
) -> tuple[Index, dict[str, Any]]:
    """An index with a partition that is there, and its recall; more is looked into where it would be too small.

    Args:
        vectors, partition, probes, spread, promise: see `PartitionedIndex`.
        asked: see `partitioned_index`.
    """
    _check(asked)
    half = len(asked.queries) // 2
    choosing, other = asked.part(slice(half)), asked.part(slice(half, None))
    # With less in the blocks than is to be left, nearly all queries would be answered exactly, and slowly.
    if probes * partition.items.shape[1] >= asked.hold:
        index = PartitionedIndex(vectors, partition, probes, spread, asked.k, promise)
        recall = measured_recall(index, other.queries, other.excluded, other.truth(vectors))
        if recall >= asked.recall:
            return index, _record(index, spread, recall, other, None)
    chosen = choose_probes(vectors, partition, choosing.queries, choosing.truth(vectors), asked.recall, asked.hold)
    return _checked(vectors, chosen, other)


def _checked(vectors: np.ndarray, chosen: Choice, other: Asked) -> tuple[Index, dict[str, Any]]:
    index = PartitionedIndex(vectors, chosen.partition, chosen.probes, chosen.spread, other.k)
    truth = other.truth(vectors)
    recall = measured_recall(index, other.queries, other.excluded, truth)
    while recall < other.recall and index.probes < index.blocks:
        index.probes = min(index.blocks, int(np.ceil(index.probes * WIDER)))
        recall = measured_recall(index, other.queries, other.excluded, truth)
    return index, _record(index, chosen.spread, recall, other, chosen.cost * index.probes / chosen.probes)


def _record(index: PartitionedIndex, spread: float, recall: float, other: Asked, cost: float | None) -> dict[str, Any]:
    return {
        "kind": "partitioned",
        "asked": other.recall,
        "recall": recall,
        "queries": len(other.queries),
        "measured_items": index.size,
        "directions": int(index.centres.shape[0]),
        "blocks": index.blocks,
        "rows": index.rows,
        "probes": index.probes,
        "spread": spread,
        "scanned": min(1.0, index.probes * index.rows / index.size),
        **({} if cost is None else {"cost": cost}),
    }


def _check(asked: Asked) -> None:
    if len(asked.queries) < 2:
        raise ServableError(
            f"a partitioned index is chosen and measured by queries of users, but there are {len(asked.queries)}; set "
            "serving.index to exact"
        )
