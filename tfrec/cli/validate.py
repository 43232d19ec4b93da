"""`tfrec validate`: reports every problem of the data with its row number, and writes nothing."""

from __future__ import annotations

import argparse
from typing import Any

from tfrec.cli.arguments import add_command, add_config, positive
from tfrec.cli.output import Output
from tfrec.config import load_config


def add_to(commands: Any) -> None:
    """Add the command."""
    parser = add_command(
        commands,
        "validate",
        _run,
        "check a configuration and its data",
        "tfrec validate -c tfrec.yaml",
        "The exit status is 0 if the data can be used, with what is faulty left out, and 2 if it cannot.",
    )
    add_config(parser)
    parser.add_argument("--strict", action="store_true", help="exit with status 1 if any row or cell is faulty")
    parser.add_argument("--rows", type=positive, default=20, metavar="N", help="problems to list (default: 20)")


def _run(given: argparse.Namespace, output: Output) -> int:
    config = load_config(given.config)
    from tfrec.data.ingest import validate

    with output.progress() as progress:
        report = validate(config, progress)
    for sentence in report.sentences():
        output.say(sentence)
    if report.found:
        output.say("")
    for problem in report.found[: given.rows]:
        where = f"{problem.file}, row {problem.row}" + (f", column {problem.column}" if problem.column else "")
        value = f" ({problem.value})" if problem.value else ""
        output.say(f"{where}: {problem.reason}{value}")
    if len(report.found) > given.rows:
        output.say(f"and {len(report.found) - given.rows:,} more; list them with --rows {len(report.found)} or --json")
    verdict = "no row is faulty" if report.clean else "it can be used, without what is listed above"
    output.say(f"{config.source}: {verdict}")
    output.result({**report.to_json(), "clean": report.clean, "found": [problem._asdict() for problem in report.found]})
    return 1 if given.strict and not report.clean else 0
