"""`tfrec replay`: what freshness is worth, by training on the past and asking for the weeks after."""

from __future__ import annotations

import argparse
import json
import os
import shlex
from typing import Any

from tfrec.cli.arguments import add_command, add_config, positive
from tfrec.cli.benchmark import seeds, with_settings
from tfrec.cli.evaluation_tables import table_of
from tfrec.cli.output import Output
from tfrec.config import load_config


def add_to(commands: Any) -> None:
    """Add the command."""
    parser = add_command(
        commands,
        "replay",
        _run,
        "replay the last weeks with models of several ages: what training again is worth",
        "tfrec replay -c tfrec.yaml\ntfrec replay -c tfrec.yaml --weeks 8 --ages 0,1,4 --out results/freshness",
        "For each of the last weeks models are trained on the events up to its beginning, or to one, two, four weeks\n"
        "before, and asked what users touched in that week. --days makes the weeks shorter or longer. Each moment is\n"
        "trained for once: 4 weeks with ages 0, 1, 2 and 4 take 8 trainings.",
    )
    add_config(parser)
    parser.add_argument("--weeks", type=positive, default=4, metavar="N", help="how many weeks (default: 4)")
    parser.add_argument("--ages", type=seeds, default=(0, 1, 2, 4), metavar="N,N", help="of the models (0,1,2,4)")
    parser.add_argument("--days", type=positive, default=7, metavar="N", help="of a week (default: 7)")
    parser.add_argument("-k", type=positive, default=10, metavar="N", help="cut-off of nDCG (default: 10)")
    parser.add_argument("--set", action="append", default=[], dest="settings", metavar="KEY=VALUE")
    parser.add_argument("--out", default="", metavar="PATH", help="write PATH.json and PATH.md")


def _run(given: argparse.Namespace, output: Output) -> int:
    config = with_settings(load_config(given.config), given.settings)
    from tfrec.data.files import write_text
    from tfrec.evaluation.replayed import replay_markdown
    from tfrec.steps.quality import environment, settings_of
    from tfrec.steps.replay import replay

    folder = os.path.join(config.data.output, "replay")
    with output.progress() as progress:
        found = replay(config, folder, given.weeks, given.ages, given.days, given.k, output.say, progress)
    output.show(table_of(found.periods_table()))
    output.show(table_of(found.ages_table()))
    command, machine = _command(given), environment()
    document = {"config": config.name, "command": command, "environment": machine, **found.to_json()}
    document["settings"] = settings_of(config)
    if given.out:
        write_text(f"{given.out}.json", json.dumps(document, indent=1) + "\n")
        write_text(f"{given.out}.md", replay_markdown(f"Freshness: {config.name}", found, command, machine))
        output.say(f"wrote {given.out}.json and {given.out}.md")
    output.result(document)
    return 0


def _command(given: argparse.Namespace) -> str:
    """What to type for the same result; paths are left to the reader."""
    words = ["tfrec", "replay", "-c", os.path.basename(given.config), "--weeks", str(given.weeks)]
    words += ["--ages", ",".join(map(str, given.ages)), "--days", str(given.days), "-k", str(given.k)]
    for setting in given.settings:
        words += ["--set", setting]
    return shlex.join(words)
