"""`tfrec serve`: a server with TensorFlow Serving's gRPC and REST API."""

from __future__ import annotations

import argparse
import logging
import os
import sys
from typing import Any

from tfrec.cli.arguments import add_command, add_config, port
from tfrec.cli.output import Output
from tfrec.cli.workspace import model_name, servable_folder
from tfrec.config import load_config
from tfrec.data.files import is_remote
from tfrec.errors import ServableError, ServerError


def add_to(commands: Any) -> None:
    """Add the command."""
    parser = add_command(
        commands,
        "serve",
        _run,
        "serve a pushed model over gRPC and REST, and take over new versions",
        "tfrec serve -c tfrec.yaml\ntfrec serve --model build/serving/films --port 8500",
        "The development server speaks TensorFlow Serving's API. With --real the command becomes\n"
        "tensorflow_model_server, if that is installed. Stop it with Ctrl-C.",
    )
    parser.add_argument("--model", default="", metavar="DIR", help="the folder of the numbered versions")
    add_config(parser, required=False)
    parser.add_argument("--name", default="", help="name to serve the model under (default: the model's own)")
    parser.add_argument("--port", type=port, default=8500, help="of the gRPC API; 0 picks a free one (default: 8500)")
    parser.add_argument("--rest-port", type=port, default=8501, help="of the REST API; 0 picks one (default: 8501)")
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on; 0.0.0.0 lets other machines connect")
    parser.add_argument("--real", action="store_true", help="start tensorflow_model_server instead")


def _run(given: argparse.Namespace, output: Output) -> int:
    if bool(given.model) == bool(given.config):
        raise ServerError("give either the folder of the versions with --model or a configuration with -c")
    base = given.model or load_config(given.config).push_directory
    base = base if is_remote(base) else os.path.abspath(base)
    servable = servable_folder(base)
    versions: tuple[int, ...] = ()
    if servable == base:
        base, number = os.path.split(servable)
        if not number.isdigit():
            raise ServableError(
                f"{servable} is a model whose folder has no number; servers need a folder with numbered versions, "
                "which `tfrec export` makes"
            )
        versions = (int(number),)
    name = given.name or model_name(servable) or os.path.basename(base)
    if given.real:
        from tfrec.serving import start_model_server

        if versions:
            raise ServerError(f"tensorflow_model_server is given the folder above the versions: {base}")
        start_model_server(base, name, given.port, given.rest_port)
        return 0
    from tfrec.serving.server.options import Options, Policy
    from tfrec.serving.server.process import serve_until_stopped

    logging.basicConfig(stream=sys.stderr, level=logging.WARNING, format="%(levelname)s %(message)s")
    logging.getLogger("tensorflow").setLevel(logging.ERROR)
    policy = Policy("specific", versions=versions) if versions else Policy()
    output.say(f"loading {servable}")
    return serve_until_stopped(Options(base, name, given.port, given.rest_port, given.host, policy=policy))
