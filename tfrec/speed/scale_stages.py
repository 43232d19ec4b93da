"""The stages of one recommender over a made-up log, each as a process of its own that prints its time and memory."""

from __future__ import annotations

import argparse
import dataclasses
import glob
import json
import os
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from tfrec.config import Config, parse_config
from tfrec.speed.made_up_log import Sizes, write_made_up
from tfrec.speed.measured import Stopwatch
from tfrec.speed.memory import peak_bytes

if TYPE_CHECKING:
    from tfrec.data.tables import Dataset
    from tfrec.training.trainer import Trained

SEED = 1
ASKED = 1000  # Users of the evaluation.
SCHEMA = {
    "items": {"id": "item_id", "title": "title", "features": {}},
    "users": {"id": "user_id"},
    "events": {
        "user": "user_id",
        "item": "item_id",
        "time": "time",
        "type": "type",
        "weights": {"view": 1.0, "buy": 3.0},
    },
}


class Laps:
    """Seconds and peak memory of the parts of a stage, by name."""

    def __init__(self) -> None:
        self.found: dict[str, dict[str, float]] = {}
        self._watch = Stopwatch()

    def end(self, name: str, **more: Any) -> None:
        """What was done since the last call, or since the start, is called `name`."""
        self._watch.lap()
        self.found[name] = {
            "seconds": self._watch.wall[-1],
            "cpu": self._watch.cpu[-1],
            "peak_bytes": peak_bytes(),
            **more,
        }


def configuration(folder: str, ending: str, rows: int) -> Config:
    """The configuration of the files below `folder`: all defaults, but for whom it asks, and that it trains one epoch.

    Args:
        rows: users' rows of that epoch, 0 for all.
    """
    document = {
        "name": "scale",
        "data": {"items": f"items{ending}", "events": f"events{ending}", "output": "output"},
        "schema": SCHEMA,
        "training": {"epochs": 1, "epoch_rows": rows},
        "evaluation": {"users": ASKED},
    }
    return parse_config(document, os.path.join(os.path.abspath(folder), "scale.yaml"))


def make(config: Config, sizes: Sizes, laps: Laps) -> None:
    """Write the files."""
    folder, ending = os.path.dirname(config.source), os.path.splitext(config.data.events)[1]
    paths = write_made_up(folder, sizes, SEED, ending)
    laps.end("make", bytes=sum(os.path.getsize(path) for path in paths.values()))


def ingestion(config: Config, sizes: Sizes, laps: Laps) -> None:
    """Read, check and divide the files, and store the result."""
    from tfrec.data.ingest import ingest
    from tfrec.data.stored import store_dataset

    laps.end("start")
    dataset, report = ingest(config, os.path.join(config.data.output, "data"))
    count = report.files["events"]
    laps.end("ingestion", read=count.read, kept=count.kept, quarantined=count.quarantined)
    store_dataset(_stored(config), dataset)
    laps.end("store")


def training(config: Config, sizes: Sizes, laps: Laps) -> None:
    """Train the epochs, and store the weights."""
    import tensorflow as tf

    from tfrec.training.trainer import train

    dataset = _dataset(config, laps)
    trained = train(config, dataset, os.path.join(config.data.output, "training"), say=print)
    pairs = trained.interactions
    laps.end("training", pairs=len(pairs.item), history=trained.history, measured=dict(trained.measured))
    tf.train.Checkpoint(model=trained.model).write(_weights(config))
    laps.end("store")


def export(config: Config, sizes: Sizes, laps: Laps) -> None:
    """Choose the index and write the servable, which is loaded again and asked before it counts as written."""
    from tfrec.export.export import export_servable

    dataset = _dataset(config, laps)
    trained = _trained(config, dataset)
    laps.end("load model")
    lines: list[str] = []

    def said(line: str) -> None:
        print(line, flush=True)
        lines.append(line)
        if len(lines) == 1 and "index" in line:
            laps.end("index", said=line)

    export_servable(trained, dataset, _servable(config), say=said)
    written = glob.glob(os.path.join(_servable(config), "**"), recursive=True)
    laps.end("export", bytes=sum(os.path.getsize(path) for path in written if os.path.isfile(path)))


def serving(config: Config, sizes: Sizes, laps: Laps) -> None:
    """Load the servable as a server does, and ask it for some users, one after the other."""
    import numpy as np

    from tfrec.export.loaded import LoadedServable

    laps.end("start")
    model = LoadedServable(_servable(config))
    laps.end("load servable")
    ids = model.module.users.ids.numpy()[:: max(1, sizes.users // 100)][:100].astype(str)
    model.recommend(ids[:1], 10)
    laps.end("first request")
    for number in range(len(ids)):
        model.recommend(np.array(ids[number : number + 1], object), 10)
    laps.end("requests", requests=len(ids))


def evaluation(config: Config, sizes: Sizes, laps: Laps) -> None:
    """Evaluate the servable on a sample of users, beside the baselines that fit."""
    from tfrec.steps.evaluate import evaluate_servable

    dataset = _dataset(config, laps)
    folder = os.path.join(config.data.output, "evaluation")
    lines: list[str] = []
    outcome = evaluate_servable(config, dataset, _servable(config), folder, say=lines.append)
    results = {one.name: one.metrics["ndcg@10"].value for one in outcome.warm.outcomes}
    laps.end("evaluation", users=outcome.warm.users, ndcg=results, said=lines)


STAGES: dict[str, Callable[[Config, Sizes, Laps], None]] = {
    stage.__name__: stage for stage in (make, ingestion, training, export, serving, evaluation)
}


def _stored(config: Config) -> str:
    return os.path.join(config.data.output, "stored")


def _weights(config: Config) -> str:
    return os.path.join(config.data.output, "weights", "trained")


def _servable(config: Config) -> str:
    return os.path.join(config.data.output, "servable")


def _dataset(config: Config, laps: Laps) -> Dataset:
    from tfrec.data.stored import stored_dataset

    laps.end("start")
    dataset = stored_dataset(_stored(config))
    laps.end("load data")
    return dataset


def _trained(config: Config, dataset: Dataset) -> Trained:
    """What `training` trained, as it was."""
    import numpy as np
    import tensorflow as tf

    from tfrec.data.vocabulary import fit_feature_space
    from tfrec.encoders.item_inputs import item_inputs
    from tfrec.model.build import Blueprint, build_model
    from tfrec.model.embedding import Embedder
    from tfrec.training.interactions import interactions
    from tfrec.training.trainer import Trained

    space = fit_feature_space(config.schema, dataset.catalogue, dataset.users, dataset.train)
    known = np.zeros(len(dataset.catalogue), bool)
    known[dataset.train.item] = True
    blueprint = Blueprint(space, known_items=int(known.sum()))
    model = build_model(config, blueprint, {})
    inputs = item_inputs(config.schema, dataset.catalogue, space, {}, known, "")
    # A first question makes the variables that are to be restored.
    embedder = Embedder(model, config.serving.history)
    first = dataclasses.replace(inputs, arrays={name: array[:1] for name, array in inputs.arrays.items()})
    embedder.queries(embedder.items(first), np.zeros((1, config.serving.history), np.int32), {})
    tf.train.Checkpoint(model=model).read(_weights(config)).assert_existing_objects_matched()
    pairs = interactions(dataset.train, len(dataset.users))
    return Trained(config, blueprint, {}, model, inputs, pairs, [])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("stage", choices=STAGES)
    parser.add_argument("--folder", required=True)
    parser.add_argument("--ending", default=".parquet")
    parser.add_argument("--rows", type=int, default=0)
    for name in ("items", "users", "events"):
        parser.add_argument(f"--{name}", type=int, required=True)
    given = parser.parse_args()
    laps = Laps()
    config = configuration(given.folder, given.ending, given.rows)
    STAGES[given.stage](config, Sizes(given.items, given.users, given.events), laps)
    with open(os.path.join(given.folder, f"{given.stage}.json"), "w", encoding="utf-8") as file:
        json.dump(laps.found, file, indent=1)


if __name__ == "__main__":
    main()
