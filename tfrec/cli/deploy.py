"""`tfrec deploy`: the files that put a pushed model behind the stock tensorflow/serving image."""

from __future__ import annotations

import argparse
import os
from typing import Any

from tfrec.cli.arguments import add_command, add_config, positive
from tfrec.cli.output import Output
from tfrec.config import load_config
from tfrec.data.files import is_remote
from tfrec.errors import ServerError


def add_to(commands: Any) -> None:
    """Add the command."""
    parser = add_command(
        commands,
        "deploy",
        _run,
        "write the files that serve a pushed model with Docker, Kubernetes or KServe",
        "tfrec deploy -c tfrec.yaml --out deploy\n"
        "tfrec deploy -c tfrec.yaml --models gs://shop-models/films --cpus 4 --memory 8Gi --out deploy\n"
        "tfrec deploy --name films --models /srv/films --stable 3 --canary 4 --out deploy",
        "The files name the model and its place; docs/deployment.md says how they are used. They are written over\n"
        "those of an earlier time.",
    )
    add_config(parser, required=False)
    parser.add_argument("--name", default="", help="the model's name (default: the configuration's)")
    parser.add_argument(
        "--models",
        default="",
        metavar="PLACE",
        help="the folder of the versions: a folder, gs://BUCKET/PATH or s3://BUCKET/PATH (default: where it is pushed)",
    )
    parser.add_argument("--image", default="tensorflow/serving:2.16.1", help="(default: tensorflow/serving:2.16.1)")
    parser.add_argument("--cpus", type=positive, default=2, metavar="N", help="of one server (default: 2)")
    parser.add_argument("--memory", default="4Gi", help="of one server (default: 4Gi)")
    parser.add_argument(
        "--largest-batch", type=positive, default=32, metavar="N", help="rows computed at once (default: 32)"
    )
    parser.add_argument("--fewest", type=positive, default=2, metavar="N", help="servers (default: 2)")
    parser.add_argument("--most", type=positive, default=10, metavar="N", help="servers (default: 10)")
    parser.add_argument("--stable", type=positive, metavar="VERSION", help="serve it under this label (default: none)")
    parser.add_argument("--canary", type=positive, metavar="VERSION", help="and this one beside it (default: none)")
    parser.add_argument("--out", required=True, metavar="DIR", help="where the files go")


def _run(given: argparse.Namespace, output: Output) -> int:
    from tfrec.serving.deploy import DeploymentSettings, write_deployment

    config = load_config(given.config) if given.config else None
    name = given.name or (config.model_name if config else "")
    models = given.models or (config.push_directory if config else "")
    if not name or not models:
        raise ServerError("give a configuration with -c, or the model's name and folder with --name and --models")
    settings = DeploymentSettings(
        name=name,
        models=models if is_remote(models) else os.path.abspath(models),
        image=given.image,
        cpus=given.cpus,
        memory=given.memory,
        largest_batch=given.largest_batch,
        replicas=(given.fewest, given.most),
        stable=given.stable,
        canary=given.canary,
    )
    written = write_deployment(settings, given.out)
    for path in written:
        output.say(path)
    output.say(f"{name} from {settings.models}; see docs/deployment.md for what to do with these files")
    output.result({"name": name, "label": settings.label, "models": settings.models, "files": written})
    return 0
