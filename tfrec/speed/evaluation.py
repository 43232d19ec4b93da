"""Evaluation over the full catalogue beside the factorised top-k metrics of TFRS, and the memory of a large one."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import tensorflow as tf
import tensorflow_recommenders as tfrs

from tfrec.errors import DataError
from tfrec.evaluation.topk import top_k
from tfrec.speed.measured import Measurement, Stopwatch, Table, spread, told
from tfrec.speed.ratings import Ratings, made_up, movielens
from tfrec.speed.trainers import by_hand

KS = (1, 5, 10, 50, 100)
PEER, OURS, FULL = "TFRS FactorizedTopK", "tfrec", "tfrec, seen items left out"
BATCH = 4096  # Rows that the peer is given at once, as in the tutorial.


def measure(
    source: str = "", rounds: int = 3, rows: int = 0, say: Callable[[str], None] = print, large: Mapping | None = None
) -> Measurement:
    """Evaluate the same vectors in both ways, in turn, and measure the memory of a large evaluation.

    Args:
        source: the folder of MovieLens 100K, whose test rows are used instead of made-up ones; "" for these.
        rounds: how often.
        rows: test rows of the made-up data, a fraction of all else with it; 0 for the size of MovieLens 100K.
        say: called with a line per turn.
        large: `items`, `users`, `width`, `share` of the memory measurement; by default those of the target,
            or less for fewer rows.
    """
    small = (rows * 4, rows, max(rows // 5, 20), max(rows // 3, 30))
    ratings = movielens(source) if source else made_up(*small) if rows else made_up()
    run = by_hand(ratings, 1024, 5)
    queries, table = run.queries, run.table
    pairs = ratings.test
    peer = FactorizedTopK(table)
    ways: dict[str, Callable[[], np.ndarray]] = {
        PEER: lambda: peer.accuracies(queries, pairs),
        OURS: lambda: accuracies(queries, table, pairs, ratings, leave_out=False),
        FULL: lambda: accuracies(queries, table, pairs, ratings, leave_out=True),
    }
    found: dict[str, Any] = {name: {"seconds": [], "cpu": []} for name in ways}
    for way in ways.values():
        way()  # What is traced or loaded once.
    for number in range(rounds):
        for name, way in ways.items():
            watch = Stopwatch()
            values = way()
            watch.lap()
            found[name]["seconds"].append(watch.wall[0])
            found[name]["cpu"].append(watch.cpu[0])
            found[name]["accuracy"] = dict(zip(map(str, KS), map(float, values)))
            say(f"round {number + 1}, {name}: {watch.wall[0]:.3f} s")
    collapsed = np.zeros_like(queries)
    ties = {
        PEER: float(peer.accuracies(collapsed, pairs)[-1]),
        OURS: float(accuracies(collapsed, table, pairs, ratings, leave_out=False)[-1]),
    }
    say("memory of a large evaluation")
    if large is None:
        large = {"items": 50 * rows, "users": 10 * rows, "share": 0.1} if rows else {}
    memory = memory_of(large)
    say(memory_sentence(memory))
    return Measurement(
        "Speed: evaluation",
        f"{len(pairs):,} test rows ({ratings.name}), vectors of width {table.shape[1]}, {rounds} rounds in turn in one "
        "process: top-k accuracies of the rows over the full catalogue. tfrec ranks once for each user and looks all "
        "rows of the user up in that ranking; TFRS ranks once for each row. Both are given the same vectors.",
        (
            _table(found, len(pairs)),
            Table(
                "All scores alike, as of a collapsed model",
                [["", "top-100 accuracy"], *([name, f"{value:.4f}"] for name, value in ties.items())],
                "tfrec counts ties against the model; the score-based metric of TFRS counts them as hits.",
            ),
            _memory_table(memory),
        ),
        {"ways": found, "ties": ties, "memory": memory, "rows": len(pairs), "ratios": _ratios(found)},
    )


class FactorizedTopK:
    """The metric of the TFRS tutorial over `table` float32 [N, D], run as Keras runs it: traced, batch by batch."""

    def __init__(self, table: np.ndarray):
        candidates = tf.data.Dataset.from_tensor_slices(table).batch(128)
        self.metric = tfrs.metrics.FactorizedTopK(candidates=candidates, ks=KS)
        self.table = tf.constant(table)

        @tf.function(reduce_retracing=True)
        def update(queries, items):
            self.metric.update_state(queries, tf.gather(self.table, items))

        self._update = update

    def accuracies(self, queries: np.ndarray, pairs: np.ndarray) -> np.ndarray:
        """The share of `pairs` int32 [E, 2] (user, item) whose item is among the first k of its user, for each k."""
        self.metric.reset_states()
        for start in range(0, len(pairs), BATCH):
            users, items = pairs[start : start + BATCH].T
            self._update(tf.constant(queries[users]), tf.constant(items))
        return np.array([float(value) for value in self.metric.result()])


def accuracies(
    queries: np.ndarray, table: np.ndarray, pairs: np.ndarray, ratings: Ratings, leave_out: bool
) -> np.ndarray:
    """The same by `tfrec.evaluation.topk`, ties counted against the model; seen items may be left out."""
    truth = ratings.matrix(pairs)
    exclude = ratings.matrix(ratings.train) if leave_out else None
    found = top_k(queries, table, min(max(KS), len(table)), exclude=exclude, truth=truth).positions
    rank = np.full((len(queries), len(table) + 1), max(KS), np.int32)
    np.put_along_axis(rank, found, np.arange(found.shape[1], dtype=np.int32)[np.newaxis], axis=1)
    ranks = rank[pairs[:, 0], pairs[:, 1]]
    return np.array([(ranks < k).mean() for k in KS])


def memory_of(settings: Mapping[str, Any]) -> dict[str, Any]:
    """What `tfrec.speed.memory` tells of a large evaluation, run in a process of its own.

    Raises:
        DataError: if that process fails.
    """
    arguments = [word for name, value in settings.items() for word in (f"--{name}", str(value))]
    done = subprocess.run(
        [sys.executable, "-m", "tfrec.speed.memory", *arguments], capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise DataError(f"measuring the memory failed: {done.stderr.strip()[-300:]}")
    return json.loads(done.stdout)


def memory_sentence(memory: Mapping[str, Any]) -> str:
    """What was measured, in one sentence."""
    return (
        f"top-{memory['k']:.0f} of {memory['items']:,.0f} items for {memory['ranked']:,.0f} of {memory['users']:,.0f} "
        f"users: {memory['seconds']:.0f} s; with the metrics of all of them at most "
        f"{memory['peak_bytes'] / 2**30:.2f} GB"
    )


def _ratios(found: Mapping[str, Any]) -> dict[str, Any]:
    return {
        kind: {
            name: spread(np.array(found[PEER][kind]) / np.array(result[kind]))
            for name, result in found.items()
            if name != PEER
        }
        for kind in ("seconds", "cpu")
    }


def _table(found: Mapping[str, Any], rows: int) -> Table:
    ratios = _ratios(found)
    lines = [["", "seconds", "faster than TFRS by", "processor", *(f"top-{k}" for k in KS)]]
    for name, result in found.items():
        times = [told(ratios[kind][name]) if name != PEER else "" for kind in ("seconds", "cpu")]
        values = [f"{result['accuracy'][str(k)]:.4f}" for k in KS]
        lines.append([name, told(spread(result["seconds"]), "{:.3f}"), *times, *values])
    return Table(
        f"Full catalogue, {rows:,} rows",
        lines,
        "Median (smallest to largest); `processor` compares processor seconds of all threads. The accuracies of the "
        "first two agree but for rounding: TFRS compares an item's score with a copy of it that is computed in another "
        "way. Without the seen items it is another measure, the one that `tfrec evaluate` tells.",
    )


def _memory_table(memory: Mapping[str, Any]) -> Table:
    return Table(
        f"Memory: {memory['items']:,.0f} items x {memory['users']:,.0f} users of width {memory['width']:.0f}",
        [
            ["users ranked", "seconds", "peak, GB", "of it inputs, GB", "all users would take, s"],
            [
                f"{memory['ranked']:,.0f}",
                f"{memory['seconds']:.1f}",
                f"{memory['peak_bytes'] / 2**30:.2f}",
                f"{memory['input_bytes'] / 2**30:.2f}",
                f"{memory['seconds'] / memory['ranked'] * memory['users']:,.0f}",
            ],
        ],
        "A process of its own that evaluates a model alone as `tfrec evaluate` does, with exclusions of "
        f"{memory['excluded']:.0f} items a user: lists, all metrics and their intervals. The vectors, exclusions and "
        f"lists of all users are in memory; a share of {memory['share']:g} is ranked and the lists of the others are "
        "made up, since users are ranked in blocks of constant size, one after the other, and time grows in "
        "proportion. `seconds` are those of ranking.",
    )
