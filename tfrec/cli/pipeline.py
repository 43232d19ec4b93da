"""`tfrec pipeline run` and `compile`: the TFX pipeline on this machine or on Kubeflow, from files to a servable."""

from __future__ import annotations

import argparse
import dataclasses
import datetime
import importlib.util
import os
import tempfile
from typing import Any

from tfrec.cli.arguments import add_command, add_config
from tfrec.cli.evaluation_tables import show_evaluation
from tfrec.cli.output import Output
from tfrec.config import Config, load_config
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
        "run the TFX pipeline, from ingestion to a pushed model",
        "tfrec pipeline run -c tfrec.yaml\n"
        "tfrec pipeline run -c tfrec.yaml --since last\n"
        "tfrec pipeline run -c tfrec.yaml --runner kubeflow --endpoint http://localhost:8888",
        "What has not changed since the last run is reused. On this machine the exit status is 1 if the model is not "
        "blessed; on Kubeflow the command ends when the run is accepted.",
    )
    add_config(parser)
    parser.add_argument("--runner", choices=("local", "kubeflow"), default="local", help="where to run it")
    parser.add_argument(
        "--since", choices=("last",), help="read only events after the newest one of the last run, and add them to its"
    )
    parser.add_argument("--endpoint", default="", metavar="URL", help="of Kubeflow Pipelines' API")
    parser.add_argument("--experiment", default="Default", metavar="NAME", help="of Kubeflow, made if it is not there")
    parser.add_argument("--namespace", default=None, metavar="NAME", help="of the user, where there are several")
    parser.add_argument("--token-file", default="", metavar="FILE", help="with the bearer token of the API")
    _add_unread(parser)
    parser = add_command(
        actions,
        "compile",
        _compile,
        "write the pipeline as one file for Kubeflow Pipelines or Vertex AI Pipelines",
        "tfrec pipeline compile -c tfrec.yaml --runner kubeflow --out pipeline.yaml",
        "The section kubeflow of the configuration says image, root and resources.",
    )
    add_config(parser)
    parser.add_argument("--runner", choices=("kubeflow",), default="kubeflow", help="what to compile for")
    parser.add_argument("--out", default="pipeline.yaml", metavar="FILE", help="the file to write (pipeline.yaml)")
    _add_unread(parser)


def require_tfx() -> None:
    """Raise ConfigError where TFX is not installed."""
    if importlib.util.find_spec("tfx") is None:
        raise ConfigError(
            "the pipeline needs TFX, which is not installed; make the pipeline environment with `make .venv/ready`, "
            "or use `tfrec train`, which does without"
        )


def _add_unread(parser: argparse.ArgumentParser) -> None:
    text = "the files of data lie where only the pods reach them: do not hash them, take them for changed"
    parser.add_argument("--unread", action="store_true", help=text)


def _compile(given: argparse.Namespace, output: Output) -> int:
    require_tfx()
    parameters = _written(load_config(given.config), given, given.out)
    output.say(f"wrote {given.out}; its parameters are {', '.join(parameters)}")
    output.result({"out": os.path.abspath(given.out), "parameters": parameters})
    return 0


def _written(config: Config, given: argparse.Namespace, path: str) -> dict[str, str]:
    from tfrec.pipelines.fingerprints import take_fingerprints, unread_fingerprints
    from tfrec.pipelines.kubeflow.definition import write_definition

    now = datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds")
    return write_definition(config, unread_fingerprints(now) if given.unread else take_fingerprints(config), path)


def _submit(given: argparse.Namespace, output: Output) -> int:
    if not given.endpoint:
        raise ConfigError("--runner kubeflow needs --endpoint, the address of Kubeflow Pipelines' API")
    config = load_config(given.config)
    from tfrec.pipelines.kubeflow.submission import require_answer, submit, token_in

    token = token_in(given.token_file)
    require_answer(given.endpoint, token)
    name = f"{config.name} {datetime.datetime.now():%Y-%m-%d %H:%M:%S}"
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "pipeline.yaml")
        parameters = _written(config, given, path)
        run = submit(
            path, given.endpoint, parameters, name, given.experiment, given.namespace, token, config.kubeflow.root
        )
    output.say(f"run {run.run_id} is under way: {run.url}")
    output.result(dataclasses.asdict(run))
    return 0


def _run(given: argparse.Namespace, output: Output) -> int:
    require_tfx()
    if given.runner == "kubeflow":
        if given.since:
            raise ConfigError("--since last goes by the last run on this machine; leave it out with --runner kubeflow")
        return _submit(given, output)
    from tfrec.pipelines.run import run_pipeline

    result = run_pipeline(given.config, output.say, since_last=given.since is not None)
    show_evaluation(result.evaluation, output)
    output.say(f"report: {result.evaluation}/report.html")
    output.say(f"quarantined rows: {result.quarantine}")
    output.say(f"log: {result.log}")
    if result.pushed:
        output.say(f"next: `tfrec serve -c {given.config}`")
    output.result(dataclasses.asdict(result))
    return 0 if result.blessed else NOT_BLESSED
