"""`tfrec search`: the items that fit some words, from a server."""

from __future__ import annotations

import argparse
from typing import Any

from tfrec.cli.arguments import add_command
from tfrec.cli.asking import add_query, add_server, connected, features, show_answer, wanted
from tfrec.cli.output import Output
from tfrec.errors import DataError


def add_to(commands: Any) -> None:
    """Add the command."""
    parser = add_command(
        commands,
        "search",
        _run,
        "find items by words",
        'tfrec search "a lighthouse in a storm" -c tfrec.yaml\ntfrec search "space adventure" --user user-0042',
        "With --user the user's taste moves the order.",
    )
    parser.add_argument("words", metavar="WORDS", help="what to look for, in quotes")
    parser.add_argument("--user", default="", metavar="ID", help="the user's id")
    add_query(parser)
    add_server(parser)


def _run(given: argparse.Namespace, output: Output) -> int:
    words = " ".join(given.words.split())
    if not words:
        raise DataError("there are no words to search for")
    with connected(given) as client:
        answer = client.search(
            words,
            given.user,
            given.history,
            given.exclude,
            given.k,
            features(client, "search", given.feature),
            **wanted(given),
        )
    show_answer(answer, f"found for “{words}”", output)
    return 0
