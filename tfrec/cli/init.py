"""`tfrec init`: writes a commented configuration from looking at the user's files."""

from __future__ import annotations

import argparse
from typing import Any

from tfrec.cli.arguments import add_command
from tfrec.cli.output import Output


def add_to(commands: Any) -> None:
    """Add the command."""
    parser = add_command(
        commands,
        "init",
        _run,
        "write a commented configuration from looking at your files",
        "tfrec init --items films.csv --events ratings.csv --users people.csv",
        "Files are CSV, JSON Lines or Parquet. Read what it wrote once: what it could not tell it says in a comment.",
    )
    parser.add_argument("--items", required=True, metavar="FILE", help="the catalogue")
    parser.add_argument("--events", required=True, metavar="FILE", help="who did what with which item")
    parser.add_argument("--users", default="", metavar="FILE", help="what is known of the users")
    parser.add_argument("--out", default=".", metavar="PATH", help="folder or YAML file to write (default: tfrec.yaml)")
    parser.add_argument("--force", action="store_true", help="replace the file if it is there")


def _run(given: argparse.Namespace, output: Output) -> int:
    from tfrec.data.inspect import write_config

    path = write_config(given.items, given.events, given.users, given.out, overwrite=given.force)
    output.say(f"wrote {path}; read it, then run `tfrec validate -c {path}`")
    output.result({"config": path})
    return 0
