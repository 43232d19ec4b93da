"""`tfrec demo`: tells the whole way, from files to recommendations over gRPC, on the sample catalogue."""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Sequence
from typing import Any

from tfrec.cli.arguments import add_command, positive
from tfrec.cli.evaluation_tables import show_evaluation
from tfrec.cli.output import Output

NOT_BLESSED = 1


def add_to(commands: Any) -> None:
    """Add the command."""
    parser = add_command(
        commands,
        "demo",
        _run,
        "see everything work, on a catalogue made for it",
        "tfrec demo\ntfrec demo --out /tmp/look --items 100 --users 200 --events 4000 --epochs 2",
        "Makes the sample catalogue, runs the pipeline, serves the model, asks it over gRPC, and adds items it was\n"
        "never trained on. Nothing is downloaded. Run again, it reuses what has not changed.",
    )
    parser.add_argument("--out", default="demo", metavar="DIR", help="folder to work in (default: demo)")
    quick = parser.add_argument_group("for a quick look, with a model that knows little")
    quick.add_argument("--items", type=positive, default=600, metavar="N", help="items (default: 600)")
    quick.add_argument("--users", type=positive, default=1500, metavar="N", help="users (default: 1500)")
    quick.add_argument("--events", type=positive, default=40_000, metavar="N", help="events (default: 40000)")
    quick.add_argument("--epochs", type=positive, default=0, metavar="N", help="epochs of training")


def _run(given: argparse.Namespace, output: Output) -> int:
    from tfrec.cli.demo.newcomers import forget_earlier
    from tfrec.cli.demo.preparation import Size, prepare
    from tfrec.cli.demo.server import serving
    from tfrec.cli.demo.story import Story
    from tfrec.cli.pipeline import require_tfx
    from tfrec.config import load_config

    started = time.monotonic()
    require_tfx()
    directory = os.path.abspath(given.out)
    _chapter(output, "The catalogue", "tales with a cover and a tune each, and half a year of listening")
    size = Size(given.items, given.users, given.events, given.epochs)
    with output.progress() as progress:
        path, reused = prepare(directory, size, lambda done, total: progress("catalogue", done, total))
    output.say(f"{'reused' if reused else 'wrote'} {os.path.dirname(path)}")
    forget_earlier(directory)

    _chapter(output, "The pipeline", "TFX on this machine, from ingestion to a pushed SavedModel")
    from tfrec.pipelines.run import run_pipeline

    result = run_pipeline(path, output.tell)
    if any(component.name == "EventIngest" and component.reused for component in result.components):
        _say_report(result.report, output)  # a component that runs tells this itself
    if not result.pushed:
        output.say("The model is not blessed, so it was not pushed and there is nothing to serve.")
        output.result({"blessed": False, "reasons": result.reasons, "log": result.log})
        return NOT_BLESSED

    _chapter(output, "The server", "a process with TensorFlow Serving's gRPC and REST API, asked by the client")
    config = load_config(path)
    log = os.path.join(directory, "logs", "server.log")
    with serving(config.push_directory, config.model_name, log) as addresses:
        version = os.path.basename(result.pushed)
        output.say(f"{config.model_name} version {version}: gRPC at {addresses.grpc}, REST at {addresses.rest}")
        with Story(config, result.pushed, addresses.grpc, directory, output) as story:
            told = story.tell(_chapter)

    _chapter(output, "How good it is", "on what the listeners did next, beside the baselines")
    show_evaluation(result.evaluation, output)
    _chapter(output, "Where everything is")
    _show_places(path, result, log, config.push_directory, story.listeners, output)
    output.say(f"\nThe demo took {time.monotonic() - started:.0f} s. The server has been stopped.")
    output.result({"blessed": True, "pushed": result.pushed, "metrics": result.metrics, **told})
    return 0


def _chapter(output: Output, title: str, subtitle: str = "") -> None:
    """Print the heading of a part of the demo."""
    if output.machine:
        return
    from rich.text import Text

    heading = Text()
    heading.append(f"\n── {title} ", style="bold cyan")
    heading.append(f"── {subtitle}" if subtitle else "", style="dim")
    output.show(heading)


def _say_report(path: str, output: Output) -> None:
    """What ingestion kept and refused."""
    import json

    from tfrec.data.report import Report

    with open(path, encoding="utf-8") as file:
        report = Report.from_json(json.load(file))
    for sentence in report.sentences():
        output.tell(f"  {sentence}")


def _show_places(
    config: str, result: Any, log: str, push_directory: str, listeners: Sequence[str], output: Output
) -> None:
    config = _near(config)
    rows = {
        "report with plots": _near(os.path.join(result.evaluation, "report.html")),
        "rows that were refused": _near(result.quarantine),
        "model, for TensorFlow Serving": _near(push_directory),
        "configuration": config,
        "log of the pipeline": _near(result.log),
        "log of the server": _near(log),
    }
    for what, where in rows.items():
        output.say(f"{what:<30} {where}")
    output.say("\nTry next:")
    output.say(f"  tfrec serve -c {config}")
    output.say(f"  tfrec recommend -c {config} --user {listeners[0]}   # in another terminal, while it serves")
    output.say("  tfrec init --items your-items.csv --events your-events.csv")


def _near(path: str) -> str:
    """The path as it is shortest from here: relative where it lies below this folder."""
    relative = os.path.relpath(path)
    return os.path.abspath(path) if relative.startswith(os.pardir) else relative
