"""`tfrec benchmark scale`: what a recommender costs in time and memory, from log to servable, as data grows."""

from __future__ import annotations

import argparse
import json
import os
from typing import Any

from tfrec.cli.arguments import add_command
from tfrec.cli.evaluation_tables import table_of
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
    from tfrec.data.files import write_text
    from tfrec.speed.measured import page
    from tfrec.speed.scale import measure
    from tfrec.steps.quality import environment

    before = os.getloadavg()[0]
    stages = [stage.strip() for stage in given.stages.split(",") if stage.strip()]
    measurement = measure(shares, stages, given.folder, given.rows, output.say)
    machine = {**environment(), "load": [before, os.getloadavg()[0]]}
    command = f"tfrec benchmark scale --shares {given.shares} --stages {given.stages} --folder scale"
    command += f" --rows {given.rows}" if given.rows else ""
    for table in measurement.tables:
        output.say(table.heading)
        output.show(table_of(table.rows))
    document = {"command": command, "environment": machine, "about": measurement.about, **measurement.numbers}
    if given.out:
        write_text(f"{given.out}.json", json.dumps(document, indent=1) + "\n")
        write_text(f"{given.out}.md", page(measurement, command, machine))
        output.say(f"wrote {given.out}.json and {given.out}.md")
    output.result(document)
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
