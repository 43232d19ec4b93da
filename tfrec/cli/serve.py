"""`tfrec serve`: a server with TensorFlow Serving's gRPC and REST API."""

from __future__ import annotations

import argparse
import logging
import os
import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from tfrec.cli.arguments import add_command, add_config, port
from tfrec.cli.output import Output
from tfrec.cli.workspace import model_name, servable_folder
from tfrec.config import load_config
from tfrec.data.files import is_remote
from tfrec.errors import ServableError, ServerError

if TYPE_CHECKING:
    from tfrec.serving.server.flags import Given


def add_to(commands: Any) -> None:
    """Add the command."""
    parser = add_command(
        commands,
        "serve",
        _run,
        "serve a pushed model over gRPC and REST, and take over new versions",
        "tfrec serve -c tfrec.yaml\ntfrec serve --model build/serving/films --enable_batching\n"
        "tfrec serve --model_config_file models.config --ssl_config_file tls.config",
        "The development server speaks TensorFlow Serving's API. With --real the command becomes\n"
        "tensorflow_model_server, if that is installed. Stop it with Ctrl-C.",
    )
    parser.usage = f"{parser.prog} (--model DIR | -c FILE | --model_config_file FILE) [option ...]"
    parser.add_argument(
        "--model", "--model_base_path", dest="model", default="", metavar="DIR", help="the folder of the versions"
    )
    add_config(parser, required=False)
    parser.add_argument(
        "--name",
        "--model_name",
        dest="name",
        default="",
        metavar="NAME",
        help="name to serve the model under (default: the model's own)",
    )
    parser.add_argument("--port", type=port, default=8500, help="of the gRPC API; 0 picks a free one (default: 8500)")
    parser.add_argument(
        "--rest-port",
        "--rest_api_port",
        dest="rest_port",
        type=port,
        default=8501,
        metavar="PORT",
        help="of the REST API; 0 picks one (default: 8501)",
    )
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on; 0.0.0.0 lets other machines connect")
    parser.add_argument("--real", action="store_true", help="start tensorflow_model_server instead")
    parser.later(_add_flags)


def _add_flags(parser: argparse.ArgumentParser) -> None:
    from tfrec.serving.server.flags import add_flags

    group = parser.add_argument_group("flags of tensorflow_model_server, and some like them")
    add_flags(group, without=("port", "rest_api_port", "host", "model_name", "model_base_path"))


def _run(given: argparse.Namespace, output: Output) -> int:
    from tfrec.serving.server.flags import given_flags, options_of
    from tfrec.serving.server.options import Options, Policy
    from tfrec.serving.server.process import serve_until_stopped

    flags = given_flags(given)
    if sum(map(bool, (given.model, given.config, "model_config_file" in flags))) != 1:
        raise ServerError(
            "give one of these: the folder of the versions with --model, a configuration with -c, or several models "
            "with --model_config_file"
        )
    model = _Model("", "") if "model_config_file" in flags else _model(given)
    if given.real:
        _become_the_real_one(given, model, flags)
        return 0
    logging.basicConfig(stream=sys.stderr, level=logging.WARNING, format="%(levelname)s %(message)s")
    logging.getLogger("tensorflow").setLevel(logging.ERROR)
    options = options_of(
        flags,
        base_path=model.base,
        model_name=model.name or Options.model_name,
        grpc_port=given.port,
        rest_api_port=given.rest_port,
        host=given.host,
        policy=Policy("specific", versions=model.versions) if model.versions else Policy(),
    )
    output.say(f"loading {model.base or options.model_config_file}")
    return serve_until_stopped(options)


class _Model(NamedTuple):
    """The folder of the versions, the name to serve them under, and which to serve (all that appear if none)."""

    base: str
    name: str
    versions: tuple[int, ...] = ()


def _model(given: argparse.Namespace) -> _Model:
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
    return _Model(base, given.name or model_name(servable) or os.path.basename(base), versions)


def _become_the_real_one(given: argparse.Namespace, model: _Model, flags: Mapping[str, Given]) -> None:
    from tfrec.serving import start_model_server
    from tfrec.serving.server.flags import OWN_FLAGS

    if model.versions:
        raise ServerError(f"tensorflow_model_server is given the folder above the versions: {model.base}")
    unknown = sorted(set(flags) & set(OWN_FLAGS))
    if unknown:
        raise ServerError(f"--{unknown[0]} is a flag of the development server; tensorflow_model_server has none such")
    texts = {name: flag.text for name, flag in flags.items()}
    start_model_server(model.base, model.name, given.port, given.rest_port, texts)
