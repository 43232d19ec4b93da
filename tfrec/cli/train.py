"""`tfrec train`: from the files to an exported model in this process, without TFX."""

from __future__ import annotations

import argparse
import hashlib
import json
import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from tfrec.cli.arguments import add_command, add_config
from tfrec.cli.output import Output
from tfrec.cli.workspace import Workspace
from tfrec.config import Config, load_config

if TYPE_CHECKING:
    from tfrec.data.tables import Dataset
    from tfrec.encoders.base import Encoder

EXPORTED = "exported.json"


def add_to(commands: Any) -> None:
    """Add the command."""
    parser = add_command(
        commands,
        "train",
        _run,
        "ingest, train and export a model, without TFX",
        "tfrec train -c tfrec.yaml\ntfrec evaluate -c tfrec.yaml\ntfrec export -c tfrec.yaml",
        "A training that was interrupted goes on; what is up to date is not done again. The model goes to\n"
        "<data.output>/models/<number>, the quarantined rows to <data.output>/data/quarantine.jsonl.",
    )
    add_config(parser)


def _run(given: argparse.Namespace, output: Output) -> int:
    config = load_config(given.config)
    places = Workspace.of(config)
    from tfrec.data.ingest import QUARANTINE_FILE, ingest
    from tfrec.export.export import export_servable
    from tfrec.steps.served import served_trainings
    from tfrec.training.cluster import Workers
    from tfrec.training.strategy import build_strategy
    from tfrec.training.trainer import train

    # Before TensorFlow does anything else, or workers cannot join each other.
    strategy = build_strategy(config.training)
    workers = Workers(strategy)
    with output.progress() as progress:
        dataset, report = ingest(config, places.data_of(workers.number), progress)
        for sentence in report.sentences():
            output.say(sentence)
        served = served_trainings(config.push_directory)
        trained = train(
            config, dataset, places.training, say=output.say, progress=progress, strategy=strategy, served=served
        )
        if not workers.chief:
            workers.wait()
            output.say(f"worker {workers.number} of {workers.count} has trained; the chief exports the model")
            output.result({"worker": workers.number, "epochs": len(trained.history)})
            return 0
        key = _export_key(config, dataset, trained.encoders)
        model = _exported(places, key)
        reused = bool(model)
        if reused:
            output.say(f"the export is up to date: {model}")
        else:
            model = export_servable(trained, dataset, places.next_model(), trained.validation_metrics(), output.say)
            _remember(places, model, key)
        workers.wait()
    quarantine = os.path.join(places.data, QUARANTINE_FILE)
    output.say(f"quarantined rows: {quarantine}")
    output.say(f"next: `tfrec evaluate -c {given.config}`")
    output.result(
        {
            "model": model,
            "reused": reused,
            "epochs": len(trained.history),
            "validation": trained.validation_metrics(),
            "alarms": [alarm.to_json() for alarm in trained.alarms],
            "quarantine": quarantine,
            "data": report.to_json(),
        }
    )
    return 0


def _export_key(config: Config, dataset: Dataset, encoders: Mapping[str, Encoder]) -> str:
    """A hash of all that decides an export: the trained model, the users' histories and features, the fixed shapes."""
    import numpy as np

    from tfrec.training.fingerprint import training_fingerprint

    digest = hashlib.sha256(training_fingerprint(config, dataset, encoders).encode())
    digest.update(repr((config.model_name, config.serving.anywhere())).encode())
    for part in (dataset.train, dataset.validation, dataset.test, dataset.cold):
        for array in (part.user, part.item, part.time):
            digest.update(np.ascontiguousarray(array).tobytes())
    digest.update("\n".join([*dataset.users.ids, *dataset.catalogue.titles]).encode())
    for name, column in sorted(dataset.users.columns.items()):
        digest.update(f"{name} {list(column)}".encode())
    return digest.hexdigest()


def _exported(places: Workspace, key: str) -> str:
    """The model that was exported under `key`, "" if there is none any more."""
    import tensorflow as tf

    path = os.path.join(places.training, EXPORTED)
    if not tf.io.gfile.exists(path):
        return ""
    with tf.io.gfile.GFile(path) as file:
        state = json.loads(file.read())
    whole = tf.io.gfile.exists(os.path.join(state["model"], "saved_model.pb"))
    return state["model"] if state["key"] == key and whole else ""


def _remember(places: Workspace, model: str, key: str) -> None:
    from tfrec.data.files import write_text

    write_text(os.path.join(places.training, EXPORTED), json.dumps({"model": model, "key": key}) + "\n")
