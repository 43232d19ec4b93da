"""`tfrec doctor`: what is installed, what is wrong with it, and the one command that mends it."""

from __future__ import annotations

import argparse
import dataclasses
from typing import Any

from tfrec.cli.arguments import add_command, add_config
from tfrec.cli.output import Output

WRONG = 1


def add_to(commands: Any) -> None:
    """Add the command."""
    parser = add_command(
        commands,
        "doctor",
        _run,
        "say what is installed, what is wrong, and how to mend it",
        "tfrec doctor\n"
        "tfrec doctor -c tfrec.yaml --servable build/serving/films/1\n"
        "tfrec doctor --servable build/serving/films --serving-version 2.20.0",
        "The exit status is 1 if something is wrong.",
    )
    add_config(parser, required=False)
    parser.add_argument("--servable", default="", metavar="DIR", help="check that the stock serving image can run it")
    parser.add_argument(
        "--serving-version",
        default="",
        metavar="VERSION",
        help="the image's, 2.15 to 2.20, such as 2.18.0 (default: 2.16.1)",
    )


def _run(given: argparse.Namespace, output: Output) -> int:
    from tfrec.cli import checks

    found = [*checks.environment(), *checks.accelerators()]
    if given.config:
        found += checks.configuration(given.config)
    if given.servable:
        from tfrec.cli.servable_checks import servable

        found += servable(given.servable, given.serving_version)
    width = max(len(check.name) for check in found)
    marks = {"right": "ok", "wrong": "WRONG", "optional": "-"}
    for check in found:
        output.say(f"{marks[check.state]:>5}  {check.name:<{width}}  {check.found}")
        if check.mend:
            output.say(f"{'':>7}{'':<{width}}  -> {check.mend}")
    wrong = [check for check in found if check.state == "wrong"]
    things = "thing is" if len(wrong) == 1 else "things are"
    command = checks.one_command(found)
    how = f"the packages are mended by: {command}" if command else "mend it as the arrows say"
    output.say(f"{len(wrong)} {things} wrong; {how}" if wrong else "all is well")
    output.result({"well": not wrong, "checks": [dataclasses.asdict(check) for check in found]})
    return WRONG if wrong else 0
