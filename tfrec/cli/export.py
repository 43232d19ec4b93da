"""`tfrec export`: pushes the model that was trained last to the folder that TensorFlow Serving watches."""

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


def add_to(commands: Any) -> None:
    """Add the command."""
    parser = add_command(
        commands,
        "export",
        _run,
        "push the trained model to the folder that TensorFlow Serving watches",
        "tfrec export -c tfrec.yaml\ntfrec export -c tfrec.yaml --out /models/films",
        "The model appears there as the next version, whole or not at all; a running server takes it over.\n"
        "A model that `tfrec evaluate` did not bless is pushed only with --force.",
    )
    add_config(parser)
    parser.add_argument("--model", default="", metavar="DIR", help="the model (default: the one trained last)")
    parser.add_argument("--out", default="", metavar="DIR", help="the folder (default: serving.push)")
    parser.add_argument("--force", action="store_true", help="push it even if it is not blessed")


def _run(given: argparse.Namespace, output: Output) -> int:
    config = load_config(given.config)
    places = Workspace.of(config)
    model = servable_folder(given.model) if given.model else places.latest_model()
    if not model:
        raise ServableError(f"there is no model in {places.models}; run `tfrec train -c {given.config}` first")
    judgement = _judgement(places, model)
    if judgement and not judgement["blessed"] and not given.force:
        raise ServableError(f"{model} is not blessed: {' '.join(judgement['reasons'])} Push it anyway with --force")
    if not judgement:
        output.say(f"{model} has not been evaluated; `tfrec evaluate -c {given.config}` would tell how good it is")
    from tfrec.steps.push import push

    pushed = push(model, given.out or config.push_directory, 0 if given.out else config.serving.keep)
    output.say(f"pushed {model} to {pushed}")
    output.say(f"next: `tfrec serve --model {os.path.dirname(pushed)}`")
    output.result({"model": model, "pushed": pushed, "blessed": judgement["blessed"] if judgement else None})
    return 0


def _judgement(places: Workspace, model: str) -> dict[str, Any]:
    """What `tfrec evaluate` found for the model, empty where it has not been evaluated since it was written."""
    import tensorflow as tf

    path = os.path.join(places.evaluation(model), "metrics.json")
    if os.path.dirname(model) != places.models or not tf.io.gfile.exists(path):
        return {}
    with tf.io.gfile.GFile(path) as file:
        return json.loads(file.read())
