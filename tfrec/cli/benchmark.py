"""`tfrec benchmark`: how good a configuration's recommendations are, and how fast the package is."""

from __future__ import annotations

import argparse
import dataclasses
import json
import os
import shlex
from typing import Any

from tfrec.cli import scale, serving_load, speed
from tfrec.cli.arguments import add_command, add_config, positive
from tfrec.cli.evaluation_tables import table_of
from tfrec.cli.output import Output
from tfrec.config import Config, load_config, parse_config
from tfrec.errors import ConfigError

PARTS = ("test", "validation")


def add_to(commands: Any) -> None:
    """Add the commands."""
    summary = "measure the quality of a configuration over several seeds"
    group = commands.add_parser("benchmark", help=summary, description=f"{summary[0].upper()}{summary[1:]}.")
    kinds = group.add_subparsers(metavar="BENCHMARK", required=True, parser_class=type(group))
    parser = add_command(
        kinds,
        "quality",
        _run_quality,
        "train and evaluate under named protocols, beside MostPop, item-kNN, EASE and ALS",
        "tfrec benchmark quality -c tfrec.yaml --protocol per-user --part validation\n"
        "tfrec benchmark quality -c tfrec.yaml --protocol recommenders-team --seeds 0,1,2 --out results/films",
        "The protocols: recommenders-team, per-user, leave-last-out, global-time, new-users, new-users-drawn,\n"
        "held-out-items. Each replaces the split of the configuration. Choose settings with --part validation, and\n"
        "look at the test part once. Everything is trained afresh, for all epochs unless --stop-early is given.",
    )
    add_config(parser)
    parser.add_argument(
        "--protocol", default="recommenders-team", metavar="NAMES", help="one or several, separated by commas"
    )
    add_measuring(parser, part="test")
    parser.add_argument("--out", default="", metavar="PATH", help="write PATH.json and PATH.md")
    speed.add_to(kinds)
    scale.add_to(kinds)
    serving_load.add_to(kinds)


def add_measuring(parser: argparse.ArgumentParser, part: str) -> None:
    """Add the options of whatever trains and measures over seeds; `part` is what is asked for by default."""
    parser.add_argument("--seeds", type=seeds, default=(0, 1, 2), metavar="N,N", help="(default: 0,1,2)")
    parser.add_argument("--part", choices=PARTS, default=part, help=f"what is asked for (default: {part})")
    parser.add_argument("-k", type=positive, default=10, metavar="N", help="cut-off (default: 10)")
    parser.add_argument(
        "--stop-early", action="store_true", help="hold back a part of the training part and stop by it"
    )
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        dest="settings",
        metavar="KEY=VALUE",
        help="another value for a setting, such as model.dropout=0.5; may be given several times",
    )


def _run_quality(given: argparse.Namespace, output: Output) -> int:
    config = with_settings(load_config(given.config), given.settings)
    from tfrec.data.files import write_text
    from tfrec.evaluation.protocols import protocol
    from tfrec.evaluation.quality_page import Section, quality_markdown
    from tfrec.steps.quality import environment, measure_quality

    protocols = [protocol(name.strip()) for name in given.protocol.split(",") if name.strip()]
    if not protocols:
        raise ConfigError("--protocol names none; give one such as recommenders-team")
    sections, results = [], []
    for chosen in protocols:
        output.say(f"{chosen.name}: {chosen.title}")
        with output.progress() as progress:
            quality = measure_quality(
                config,
                chosen,
                given.seeds,
                os.path.join(config.data.output, "benchmark"),
                given.part,
                given.k,
                given.stop_early,
                output.say,
                progress,
            )
        remark = (
            f"Training took {sum(quality.seconds) / len(quality.seconds):.0f} s a seed on the mean, for "
            f"{' / '.join(map(str, quality.epochs))} epochs."
        )
        section = Section(chosen, quality.part, quality.k, quality.comparisons, (remark,))
        sections.append(section)
        output.show(table_of(_shown(section)))
        output.say(remark)
        results.append(
            {
                "protocol": chosen.name,
                "measured": chosen.measured,
                "part": quality.part,
                "seconds": quality.seconds,
                "epochs": quality.epochs,
                "tasks": [dataclasses.asdict(comparison) for comparison in quality.comparisons],
                "settings": quality.settings,
            }
        )
    command = _command(given)
    machine = environment()
    document = {"config": config.name, "command": command, "environment": machine, "protocols": results}
    if given.out:
        write_text(f"{given.out}.json", json.dumps(document, indent=1) + "\n")
        write_text(f"{given.out}.md", quality_markdown(f"Quality: {config.name}", sections, command, machine))
        output.say(f"wrote {given.out}.json and {given.out}.md")
    output.result(document)
    return 0


def seeds(text: str) -> tuple[int, ...]:
    """An argument that holds different whole numbers separated by commas."""
    parts = [part.strip() for part in text.split(",") if part.strip()]
    if not parts or not all(part.isascii() and part.isdigit() for part in parts) or len(set(parts)) < len(parts):
        raise argparse.ArgumentTypeError(f"expected different whole numbers separated by commas, got {text!r}")
    return tuple(map(int, parts))


def with_settings(config: Config, settings: list[str]) -> Config:
    """The configuration read again with other values; each setting is section.key=value, the value in YAML.

    Raises:
        ConfigError: if one is not of that form, unknown or of the wrong type.
    """
    if not settings:
        return config
    import yaml

    with open(config.source, encoding="utf-8") as file:
        document = yaml.safe_load(file)
    for setting in settings:
        name, equals, value = setting.partition("=")
        section, dot, key = name.partition(".")
        if not (equals and dot and section and key):
            raise ConfigError(f"--set {setting!r} is not of the form section.key=value, such as model.dropout=0.5")
        try:
            document[section] = {**(document.get(section) or {}), key: yaml.safe_load(value)}
        except yaml.YAMLError as error:
            raise ConfigError(f"--set {setting!r}: the value is no valid YAML") from error
    return parse_config(document, config.source)


def _command(given: argparse.Namespace) -> str:
    """What to type for the same result; paths are left to the reader."""
    words = ["tfrec", "benchmark", "quality", "-c", os.path.basename(given.config), "--protocol", given.protocol]
    words += ["--seeds", ",".join(map(str, given.seeds)), "--part", given.part, "-k", str(given.k)]
    words += ["--stop-early"] if given.stop_early else []
    for setting in given.settings:
        words += ["--set", setting]
    return shlex.join(words)


def _shown(section: Any) -> list[list[str]]:
    """The rows that fit a terminal: of recommenders, or of tasks where there are several; the page has all."""
    from tfrec.evaluation.quality_page import quality_table, tasks_table

    if len(section.comparisons) > 1:
        return tasks_table(section.comparisons, section.k)
    rows = quality_table(section.comparisons[0], section.k)
    # Recommender, nDCG, recall, precision, MAP and the difference.
    columns = [0, 1, 2, 3, 4, len(rows[0]) - 2, len(rows[0]) - 1]
    return [[row[column] for column in columns] for row in rows]
