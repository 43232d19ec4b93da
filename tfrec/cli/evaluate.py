"""`tfrec evaluate`: how good the exported model is on the test part, beside the baselines."""

from __future__ import annotations

import argparse
import json
import os
from typing import Any

from tfrec.cli.arguments import add_command, add_config
from tfrec.cli.output import Output
from tfrec.cli.workspace import Workspace, servable_folder
from tfrec.config import load_config
from tfrec.errors import ServableError

NOT_BLESSED = 1


def add_to(commands: Any) -> None:
    """Add the command."""
    parser = add_command(
        commands,
        "evaluate",
        _run,
        "measure the exported model on the test part, beside the served one, MostPop, item-kNN, EASE and ALS",
        "tfrec evaluate -c tfrec.yaml",
        "It asks what split.protocol asks, by default for known items; for several seeds see `benchmark quality`.\n"
        "Items held out of training are ranked too, from each of their modalities alone and from all together.\n"
        "The exit status is 1 if the model does not pass its gates.",
    )
    add_config(parser)
    parser.add_argument(
        "--model", default="", metavar="DIR", help="the model (default: the one `tfrec train` exported last)"
    )


def _run(given: argparse.Namespace, output: Output) -> int:
    config = load_config(given.config)
    places = Workspace.of(config)
    model = servable_folder(given.model) if given.model else places.latest_model()
    if not model:
        raise ServableError(
            f"there is no model in {places.models}; run `tfrec train -c {given.config}` first or give one with --model"
        )
    from tfrec.data.ingest import ingest
    from tfrec.evaluation.console import console_table
    from tfrec.steps.evaluate import evaluate_servable

    with output.progress() as progress:
        dataset, report = ingest(config, places.data, progress)
    history = [] if given.model else _history(places)
    outcome = evaluate_servable(
        config, dataset, model, places.evaluation(model), report, history, output.say, config.push_directory
    )
    for result in (*outcome.further, outcome.warm, outcome.cold):
        if result is not None:
            output.show(console_table(result))
    for reason in outcome.reasons:
        output.say(f"not blessed: {reason}")
    if outcome.blessed:
        output.say(f"blessed: the model passes its gates; next: `tfrec export -c {given.config}`")
    page = os.path.join(outcome.directory, "report.html")
    output.say(f"report: {page}")
    output.result(
        {
            "model": model,
            "blessed": outcome.blessed,
            "reasons": outcome.reasons,
            "alarms": [alarm.to_json() for alarm in outcome.alarms],
            "metrics": outcome.metrics(),
            "report": page,
            "warm": outcome.warm.to_json(),
            "further": [evaluation.to_json() for evaluation in outcome.further],
            "cold": outcome.cold.to_json() if outcome.cold else None,
        }
    )
    return 0 if outcome.blessed else NOT_BLESSED


def _history(places: Workspace) -> list[dict[str, float]]:
    """The logs of the training epochs, as the training state has them."""
    import tensorflow as tf

    path = os.path.join(places.training, "checkpoints", "state.json")
    if not tf.io.gfile.exists(path):
        return []
    with tf.io.gfile.GFile(path) as file:
        return json.loads(file.read())["history"]
