"""What a partitioned index finds, and how fast, when requests filter the items: beside exact search, in turn.

    python benchmarks/index_filters.py --items 100000 --out benchmarks/results/index-filters

Filters let a share of the items through, drawn at random (such as "in stock") or alike (those furthest in one
direction, such as a genre). Recall is of the 100 best that pass; queries chose nothing of the index.
"""

from __future__ import annotations

import argparse
import json
import os
import shlex
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
from scipy import sparse

from tfrec.index.choice import shares_found
from tfrec.index.exact import ExactIndex
from tfrec.index.interface import Allowed
from tfrec.index.making import Asked, index_for
from tfrec.speed.measured import Measurement, Table, page, spread, told
from tfrec.speed.vectors import made_up
from tfrec.steps.quality import environment

import tensorflow as tf  # isort: skip

K, WIDTH, CHOOSING, ASKING, ROUNDS = 100, 64, 2000, 100, 5
SHARES = (1.0, 0.5, 0.2, 0.1, 0.05, 0.02, 0.01, 0.001)


class OneMask:
    """The same items are allowed to every query, bool [N]."""

    def __init__(self, mask: np.ndarray) -> None:
        self.mask = tf.constant(mask)

    def part(self, rows: slice) -> Allowed:
        return self

    def at(self, items: tf.Tensor) -> tf.Tensor:
        return tf.gather(self.mask, items)

    def everywhere(self) -> tf.Tensor:
        return self.mask[tf.newaxis]


def finder(index: Any, allowed: Allowed) -> Any:
    """Positions of the best items for queries float32 [B, WIDTH]."""

    @tf.function(input_signature=[tf.TensorSpec([None, WIDTH], tf.float32)])
    def find(queries: tf.Tensor) -> tf.Tensor:
        return index.recommend(queries, tf.fill([tf.shape(queries)[0], 1], -1), allowed)[0]

    return find


def compared(name: str, share: float, mask: np.ndarray, ours: Any, exact: Any, queries: np.ndarray) -> dict[str, Any]:
    """One filter: recall, how many places are filled, and milliseconds a query of both, in turn."""
    finders = {"partitioned": finder(ours, OneMask(mask)), "exact": finder(exact, OneMask(mask))}
    found = {kind: find(queries[:ASKING]).numpy() for kind, find in finders.items()}  # Traces, too.
    best = found["exact"]
    same = (best[:, :, np.newaxis] == found["partitioned"][:, np.newaxis, :]).any(axis=2)
    for find in finders.values():
        find(queries[:1])
    taken: dict[str, list[float]] = {kind: [] for kind in finders}
    for turn in range(ROUNDS):
        for kind, find in finders.items():
            began = time.perf_counter()
            for row in range(turn * 10, turn * 10 + 10):
                find(queries[row : row + 1])
            taken[kind].append((time.perf_counter() - began) / 10 * 1000)
    ratios = np.array(taken["exact"]) / taken["partitioned"]
    return {
        "filter": name,
        "share": share,
        "recall": float(shares_found(same, best >= 0).mean()),
        "full": bool(((found["partitioned"] >= 0).sum(1) == (best >= 0).sum(1)).all()),
        "milliseconds": {kind: spread(values) for kind, values in taken.items()},
        "times_exact": spread(ratios),
    }


def measure(items: int) -> Measurement:
    """All filters over one catalogue."""
    vectors, queries = made_up(items, WIDTH, CHOOSING + ASKING)
    nothing = sparse.csr_matrix((CHOOSING, items), dtype=bool)
    ours, record = index_for(vectors, "partitioned", Asked(queries[:CHOOSING], nothing, K, 0.95), seed=0)
    exact = ExactIndex(vectors, K)
    random = np.random.default_rng(1)
    directions = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    along = directions @ random.standard_normal(WIDTH).astype(np.float32)
    drawn = random.random(items)
    results = []
    for share in SHARES:
        for name, worth in (("at random", drawn), ("alike", along)):
            mask = worth >= np.quantile(worth, 1 - share)
            results.append(compared(name, share, mask, ours, exact, queries[CHOOSING:]))
            print(results[-1]["filter"], share, f"recall {results[-1]['recall']:.3f}", flush=True)
    rows = [["passing", "filter", "recall", "places filled", "ms", "exact ms", "times exact"]]
    for one in results:
        rows.append([f"{one['share']:.1%}", one["filter"], f"{one['recall']:.3f}", "all" if one["full"] else "not all"])
        rows[-1] += [told(one["milliseconds"][kind], "{:.2f}") for kind in ("partitioned", "exact")]
        rows[-1] += [told(one["times_exact"])]
    about = (
        f"{items:,} made-up items in {WIDTH} dimensions, the {K} best of those that pass for {ASKING} queries that "
        f"chose nothing, an index made for a recall of .95 without filters. Times are of one query, medians (smallest "
        f"to largest) of {ROUNDS} rounds of ten queries in turn with exact search, on a machine that other work ran on."
    )
    return Measurement(
        "Filters on a partitioned index", about, (Table("Filters", rows),), {"index": record, "filters": results}
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--items", type=int, default=100_000)
    parser.add_argument("--out", default="", metavar="PATH", help="write PATH.json and PATH.md")
    given = parser.parse_args()
    before = os.getloadavg()[0]
    measured = measure(given.items)
    command = shlex.join(["python", "benchmarks/index_filters.py", *sys.argv[1:]])
    machine = {**environment(), "load": [before, os.getloadavg()[0]]}
    text = page(measured, command, machine)
    print(text)
    if given.out:
        document = {"command": command, "environment": machine, "about": measured.about, **measured.numbers}
        Path(f"{given.out}.json").write_text(json.dumps(document, indent=1) + "\n")
        Path(f"{given.out}.md").write_text(text)


if __name__ == "__main__":
    main()
