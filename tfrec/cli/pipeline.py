"""`tfrec pipeline run`: the TFX pipeline on this machine, from the files to a pushed servable."""

from __future__ import annotations

import argparse
import dataclasses
import importlib.util
from typing import Any

from tfrec.cli.arguments import add_command, add_config
from tfrec.cli.evaluation_tables import show_evaluation
from tfrec.cli.output import Output
from tfrec.errors import ConfigError

NOT_BLESSED = 1


def add_to(commands: Any) -> None:
    """Add the commands."""
    summary = "run the TFX pipeline"
    group = commands.add_parser("pipeline", help=summary, description=f"{summary[0].upper()}{summary[1:]}.")
    actions = group.add_subparsers(metavar="ACTION", required=True, parser_class=type(group))
    parser = add_command(
        actions,
        "run",
        _run,
        "run the TFX pipeline on this machine, from ingestion to a pushed model",
        "tfrec pipeline run -c tfrec.yaml",
        "What has not changed since the last run is reused. The exit status is 1 if the model is not blessed.",
    )
    add_config(parser)


def require_tfx() -> None:
    """Raise ConfigError where TFX is not installed."""
    if importlib.util.find_spec("tfx") is None:
        raise ConfigError(
            "the pipeline needs TFX, which is not installed; make the pipeline environment with `make .venv/ready`, "
            "or use `tfrec train`, which does without"
        )


def _run(given: argparse.Namespace, output: Output) -> int:
    require_tfx()
    from tfrec.pipelines.run import run_pipeline

    result = run_pipeline(given.config, output.say)
    show_evaluation(result.evaluation, output)
    output.say(f"report: {result.evaluation}/report.html")
    output.say(f"quarantined rows: {result.quarantine}")
    output.say(f"log: {result.log}")
    if result.pushed:
        output.say(f"next: `tfrec serve -c {given.config}`")
    output.result(dataclasses.asdict(result))
    return 0 if result.blessed else NOT_BLESSED
