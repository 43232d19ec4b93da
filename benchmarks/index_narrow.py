"""Whether a partitioned index gains from reading its vectors as int8 or bfloat16, and ranking the best again exactly.

    python benchmarks/index_narrow.py --items 1000000 --out benchmarks/results/index-narrow

The same partition, probes and queries in each way: what is read first differs, and what is ranked again are the
`AGAIN` best by that. All run from SavedModels, in turns in one process; ratios are of the two times in one round.
"""

from __future__ import annotations

import argparse
import json
import os
import shlex
import sys
from pathlib import Path
from typing import Any

import numpy as np
from index_speed import BATCHES, OTHERS, QUERIES, K, in_turns, recall, served
from scipy import sparse

from tfrec.evaluation.topk import top_k
from tfrec.index.found import LOWEST, best, hidden
from tfrec.index.interface import Allowed
from tfrec.index.making import Asked, partitioned_index
from tfrec.index.partition import Partition
from tfrec.index.partitioned import PartitionedIndex
from tfrec.index.stored import stored_partition
from tfrec.speed.measured import Measurement, Table, page, spread, told
from tfrec.speed.vectors import made_up
from tfrec.steps.quality import environment

import tensorflow as tf  # isort: skip

WIDTH, RECALL, ROUNDS = 64, 0.95, 15
AGAIN = 4 * K
NARROW = {"int8": tf.int8, "bfloat16": tf.bfloat16}


class NarrowIndex(PartitionedIndex):
    """Reads the blocks in fewer bits, and computes the scores of the best of them again.

    Args:
        narrow: int8, of which each vector has a scale of its own, or bfloat16.
        vectors, partition, probes, spread: as of `PartitionedIndex`, which finds `K`.
    """

    def __init__(self, narrow: tf.DType, vectors: np.ndarray, partition: Partition, probes: int, spread: float):
        super().__init__(vectors, partition, probes, spread, K)
        held = self.held.numpy()
        scale = np.abs(held).max(axis=1) / 127 if narrow == tf.int8 else np.ones(len(held), np.float32)
        codes = held / np.maximum(scale, 1e-12)[:, np.newaxis]
        codes = tf.cast(np.round(codes) if narrow == tf.int8 else codes, narrow)
        self.codes = tf.Variable(tf.reshape(codes, [self.blocks, -1]), trainable=False, name="codes")
        self.scales = tf.Variable(scale.reshape(self.blocks, -1).astype(np.float32), trainable=False, name="scales")

    def _look(
        self,
        queries: tf.Tensor,
        promise: tf.Tensor,
        probes: int | tf.Tensor,
        excluded: tf.Tensor,
        allowed: Allowed | None,
    ) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        probed = tf.math.top_k(promise, probes, sorted=False).indices
        width, dimension = probes * self.rows, self.held.shape[1]
        codes = tf.cast(tf.gather(tf.convert_to_tensor(self.codes), probed), tf.float32)
        scores = tf.linalg.matvec(tf.reshape(codes, [-1, width, dimension]), queries)
        scores *= tf.reshape(tf.gather(tf.convert_to_tensor(self.scales), probed), [-1, width])
        items = tf.reshape(tf.gather(tf.convert_to_tensor(self.items), probed), [-1, width])
        scores = hidden(tf.where(items >= 0, scores, LOWEST), self._columns(excluded, probed))
        columns, _ = best(scores, AGAIN, probes * self.rows)
        first = tf.where(columns >= 0, tf.gather(items, tf.maximum(columns, 0), batch_dims=1), -1)
        exact = tf.linalg.matvec(self.vectors_of(first), queries)
        places, scores = best(tf.where(first >= 0, exact, LOWEST), self.k, AGAIN)
        found = tf.where(places >= 0, tf.gather(first, tf.maximum(places, 0), batch_dims=1), -1)
        return found, scores, tf.ones(tf.shape(queries)[:1])


def measure(items: int, rounds: int) -> Measurement:
    """Each way over one catalogue, for one query and for batches."""
    vectors, queries = made_up(items, WIDTH, QUERIES + OTHERS)
    nothing = sparse.csr_matrix((QUERIES, items), dtype=bool)
    index, record = partitioned_index(vectors, Asked(queries[:QUERIES], nothing, K, RECALL), seed=0)
    partition = stored_partition(index)
    ways = {"float32": served(index, WIDTH)}
    for name, kind in NARROW.items():
        ways[name] = served(NarrowIndex(kind, vectors, partition, record["probes"], record["spread"]), WIDTH)
    others = queries[QUERIES:]
    truth = top_k(others, vectors, K).positions
    found: dict[str, Any] = {name: {"recall": recall(ask, others, truth)} for name, ask in ways.items()}
    lines = [["", "recall", *(f"{name}, {what}" for name in BATCHES for what in ("ms", "times as fast as float32"))]]
    for name, (batch, calls) in BATCHES.items():
        times = in_turns(ways, others, batch, calls, rounds)
        for way, seconds in times.items():
            found[way][name] = {
                "milliseconds": spread(1e3 * seconds),
                "times_float32": spread(times["float32"] / seconds),
            }
    for way, result in found.items():
        line = [way, f"{result['recall']:.3f}"]
        for name in BATCHES:
            line.append(told(result[name]["milliseconds"], "{:.2f}"))
            line.append("" if way == "float32" else told(result[name]["times_float32"], "{:.2f}"))
        lines.append(line)
    about = (
        f"{items:,} made-up items in {WIDTH} dimensions, an index made for a recall@{K} of {RECALL:g} and measured on "
        f"{OTHERS} queries that chose nothing. With int8 and bfloat16 the {AGAIN} best by narrow vectors are ranked "
        f"again by their float32 ones. Median (smallest to largest) of {rounds} rounds in turn."
    )
    return Measurement("Narrow vectors in a partitioned index", about, (Table("Ways", lines),), {"ways": found})


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--items", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--out", default="", metavar="PATH", help="write PATH.json and PATH.md")
    given = parser.parse_args()
    before = os.getloadavg()[0]
    measured = measure(given.items, given.rounds)
    command = shlex.join(["python", "benchmarks/index_narrow.py", *sys.argv[1:]])
    machine = {**environment(), "load": [before, os.getloadavg()[0]]}
    text = page(measured, command, machine)
    print(text)
    if given.out:
        document = {"command": command, "environment": machine, "about": measured.about, **measured.numbers}
        Path(f"{given.out}.json").write_text(json.dumps(document, indent=1) + "\n")
        Path(f"{given.out}.md").write_text(text)


if __name__ == "__main__":
    main()
