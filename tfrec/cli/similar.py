"""`tfrec similar`: the items most like one, from a server."""

from __future__ import annotations

import argparse
from typing import Any

from tfrec.cli.arguments import add_command, positive
from tfrec.cli.asking import add_server, connected, show_answer
from tfrec.cli.output import Output


def add_to(commands: Any) -> None:
    """Add the command."""
    parser = add_command(
        commands, "similar", _run, "find the items most like one", "tfrec similar tale-0042 -k 5 -c tfrec.yaml"
    )
    parser.add_argument("item", metavar="ITEM", help="the item's id")
    parser.add_argument("-k", type=positive, default=10, metavar="K", help="how many items (default: 10)")
    add_server(parser)


def _run(given: argparse.Namespace, output: Output) -> int:
    with connected(given) as client:
        answer = client.similar(given.item, given.k)
    show_answer(answer, f"similar to {given.item}", output)
    if not answer and not output.machine:
        output.say("the model does not know this item; `tfrec add-items` adds new ones")
    return 0
