"""`tfrec rollback`: the version before the served one is served again."""

from __future__ import annotations

import argparse
import dataclasses
from typing import Any

from tfrec.cli.arguments import add_command, add_config, positive
from tfrec.cli.output import Output
from tfrec.config import load_config
from tfrec.errors import ServableError


def add_to(commands: Any) -> None:
    """Add the command."""
    parser = add_command(
        commands,
        "rollback",
        _run,
        "serve the version before the latest one again",
        'tfrec rollback -c tfrec.yaml --why "too few new items"\ntfrec rollback --model build/serving/films --to 3',
        "The earlier version is pushed under a new number, so running servers take it over as they take over any\n"
        "version. The one that was served stays where it is, is noted as withdrawn in rollbacks.jsonl, and the\n"
        "pipeline does not push that model again.",
    )
    add_config(parser, required=False)
    parser.add_argument("--model", default="", metavar="DIR", help="the folder of the versions (default: serving.push)")
    parser.add_argument("--to", type=positive, default=None, metavar="N", help="the version (default: the one before)")
    parser.add_argument("--why", default="", metavar="TEXT", help="a note for rollbacks.jsonl")


def _run(given: argparse.Namespace, output: Output) -> int:
    if bool(given.model) == bool(given.config):
        raise ServableError("give either the folder of the versions with --model or a configuration with -c")
    config = load_config(given.config) if given.config else None
    folder = config.push_directory if config else given.model
    from tfrec.steps.rollback import roll_back

    done = roll_back(folder, given.to, given.why, config.serving.keep if config else 0)
    output.say(
        f"version {done.withdrawn} is withdrawn; version {done.restored} is served again, as version {done.version}"
    )
    output.result({"directory": folder, **dataclasses.asdict(done)})
    return 0
