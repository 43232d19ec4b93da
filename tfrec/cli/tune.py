"""`tfrec tune`: searches the settings that the section `tuning` names, and writes a configuration with the best."""

from __future__ import annotations

import argparse
import dataclasses
import json
import os
from collections.abc import Mapping
from typing import Any

from tfrec.cli.arguments import add_command, add_config, positive
from tfrec.cli.evaluation_tables import table_of
from tfrec.cli.output import Output
from tfrec.cli.workspace import Workspace
from tfrec.config import load_config, parse_config


def add_to(commands: Any) -> None:
    """Add the command."""
    parser = add_command(
        commands,
        "tune",
        _run,
        "search for the settings that are best on the validation part",
        "tfrec tune -c tfrec.yaml\ntfrec train -c tfrec.tuned.yaml",
        "The section tuning of the configuration says which settings over which values, by what metric and how many\n"
        "trials. A search that was stopped goes on; trials that have ended are not run again, so that more can be\n"
        "added later. Writes table and plot to <data.output>/tuning, and the configuration with the best settings\n"
        "beside the one given, as FILE.tuned.yaml.",
    )
    add_config(parser)
    parser.add_argument(
        "--trials", type=positive, default=0, metavar="N", help="how many in all, in the place of tuning.trials"
    )


def _run(given: argparse.Namespace, output: Output) -> int:
    config = load_config(given.config)
    if given.trials:
        config = dataclasses.replace(config, tuning=dataclasses.replace(config.tuning, trials=given.trials))
    places = Workspace.of(config)
    from tfrec.data.files import write_text
    from tfrec.data.ingest import ingest
    from tfrec.steps.quality import environment
    from tfrec.tuning.plot import trials_plot
    from tfrec.tuning.results import results_page, results_table, shown
    from tfrec.tuning.study import tune

    with output.progress() as progress:
        dataset, _ = ingest(config, places.data, progress)
        cache = os.path.join(places.training, "cache")
        result = tune(config, dataset, places.tuning, cache=cache, say=output.say, progress=progress)
    output.show(table_of(results_table(result)))
    command = f"tfrec tune -c {os.path.basename(given.config)}" + (f" --trials {given.trials}" if given.trials else "")
    path = os.path.join(places.tuning, "tuning")
    document = {"config": config.name, "command": command, "environment": environment(), **result.document()}
    page = results_page(f"Tuning: {config.name}", result, "tuning.svg", command, document["environment"])
    write_text(f"{path}.json", json.dumps(document, indent=1) + "\n")
    write_text(f"{path}.md", page)
    write_text(f"{path}.svg", trials_plot(result))
    output.say(f"wrote {path}.json, {path}.md and {path}.svg")
    tuned = _write_tuned(given.config, config.source, result.best.values)
    output.tell(f"wrote {tuned}, with the best: {shown(result.best.values)}")
    output.say(f"next: `tfrec train -c {tuned}`")
    output.result({**document, "tuned": tuned, "written": [f"{path}.{kind}" for kind in ("json", "md", "svg")]})
    return 0


def _write_tuned(path: str, source: str, values: Mapping[str, Any]) -> str:
    """Write the configuration at `path` beside it with the settings `values`; return its path."""
    import yaml

    from tfrec.config_text import with_setting
    from tfrec.data.files import write_text

    with open(path, encoding="utf-8") as file:
        text = file.read()
    for name, value in values.items():
        section, _, key = name.partition(".")
        text, _ = with_setting(text, section, key, value)
    parse_config(yaml.safe_load(text), source)
    target = f"{os.path.splitext(path)[0]}.tuned.yaml"
    write_text(target, text)
    return target
