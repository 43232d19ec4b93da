"""`tfrec benchmark scale`: what a recommender costs in time and memory, from log to servable, as data grows."""

from __future__ import annotations

import argparse
from typing import Any

from tfrec.cli.arguments import add_command
from tfrec.cli.measurements import measured
from tfrec.cli.output import Output

STAGES = "make,ingestion,training,export,serving,evaluation"


def add_to(kinds: Any) -> None:
    """Add the command to the benchmarks."""
    parser = add_command(
        kinds,
        "scale",
        _run,
        "measure time and memory of every stage over made-up logs of several sizes",
        "tfrec benchmark scale --shares 0.01,0.1 --folder scale\n"
        "tfrec benchmark scale --shares 0.01,0.1,1 --folder scale --out benchmarks/results/scale",
        "The full size is 1 million items, 1 million users and 20 million events. Each stage is a process of its own;\n"
        "what has a result in --folder is not run again, so an interrupted run goes on.",
    )
    parser.add_argument("--shares", default="0.01,0.1", metavar="X,X", help="of the full size (default: 0.01,0.1)")
    parser.add_argument("--stages", default=STAGES, metavar="NAMES", help=f"(default: {STAGES})")
    parser.add_argument("--folder", required=True, metavar="DIR", help="where the files and results go")
    parser.add_argument("--rows", type=int, default=0, metavar="N", help="rows of the epoch (default: all)")
    parser.add_argument("--out", default="", metavar="PATH", help="write PATH.json and PATH.md")


def _run(given: argparse.Namespace, output: Output) -> int:
    shares = _shares(given.shares)
    from tfrec.speed.scale import measure

    stages = [stage.strip() for stage in given.stages.split(",") if stage.strip()]
    command = f"tfrec benchmark scale --shares {given.shares} --stages {given.stages} --folder scale"
    command += f" --rows {given.rows}" if given.rows else ""
    output.result(
        measured(lambda: measure(shares, stages, given.folder, given.rows, output.say), command, given.out, output)
    )
    return 0


def _shares(text: str) -> list[float]:
    from tfrec.errors import ConfigError

    try:
        shares = [float(part) for part in text.split(",")]
    except ValueError:
        shares = []
    if not shares or min(shares) <= 0:
        raise ConfigError(f"--shares is {text!r}; expected numbers above 0 separated by commas, such as 0.01,0.1,1")
    return shares
