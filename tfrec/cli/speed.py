"""`tfrec benchmark speed`: how fast the package is, beside others that do the same, in turn on one machine."""

from __future__ import annotations

import argparse
import importlib
import os
import pathlib
import shlex
import subprocess
import sys
from typing import Any

from tfrec.cli.arguments import add_command, positive
from tfrec.cli.measurements import measured
from tfrec.cli.output import Output
from tfrec.errors import ConfigError

MEASURED = ("training", "evaluation", "encoders", "start")  # Modules of `tfrec.speed`.
SCRIPTS = {"index": "index_speed.py"}  # Those of `benchmarks/` have settings and pages of their own.


def add_to(kinds: Any) -> None:
    """Add the command to the benchmarks."""
    parser = add_command(
        kinds,
        "speed",
        _run,
        "measure training, evaluation, encoders, start-up and the index beside their peers",
        "tfrec benchmark speed\n"
        "tfrec benchmark speed --what training --source ml-100k --out results/speed\n"
        "tfrec benchmark speed --what evaluation,start --rounds 5",
        "Ours and the peers run in turn, round after round; ratios are between turns of one round, with their\n"
        "smallest, median and largest. Other work on the machine disturbs times more than ratios.",
    )
    known = (*MEASURED, *SCRIPTS)
    parser.add_argument("--what", default=",".join(MEASURED), metavar="NAMES", help=f"of {', '.join(known)}")
    parser.add_argument("--rounds", type=positive, default=3, metavar="N", help="(default: 3)")
    parser.add_argument("--epochs", type=positive, default=3, metavar="N", help="of a training (default: 3)")
    parser.add_argument("--batch", type=positive, default=8192, metavar="N", help="of a training (default: 8192)")
    parser.add_argument(
        "--rows",
        type=positive,
        default=0,
        metavar="N",
        help="made-up rows (default: those of MovieLens 100K, 80000; of encoders, 40000)",
    )
    parser.add_argument("--source", default="", metavar="DIR", help="the MovieLens 100K release, to be measured too")
    parser.add_argument(
        "--out",
        default="",
        metavar="PATH",
        help="write PATH-WHAT.json and PATH-WHAT.md; index writes benchmarks/results/index",
    )


def _run(given: argparse.Namespace, output: Output) -> int:
    names = [name.strip() for name in given.what.split(",") if name.strip()]
    unknown = sorted(set(names) - {*MEASURED, *SCRIPTS})
    if unknown or not names:
        raise ConfigError(
            f"--what is {given.what!r}; expected {', '.join((*MEASURED, *SCRIPTS))}, several separated by commas"
        )
    if given.epochs < 2:
        raise ConfigError(f"--epochs is {given.epochs}; give at least 2, since the first epoch includes tracing")
    documents = {}
    for name in names:
        if name in SCRIPTS:
            _run_script(SCRIPTS[name], save=bool(given.out), output=output)
        else:
            documents[name] = _measure(name, given, output)
    output.result(documents)
    return 0


def _measure(name: str, given: argparse.Namespace, output: Output) -> dict[str, Any]:
    settings = {"rounds": given.rounds}
    if name in ("training", "evaluation"):
        settings.update(source=given.source)
    if name != "start":
        settings.update(rows=given.rows)
    if name == "training":
        settings.update(batch=given.batch)
    if name in ("training", "encoders"):
        settings.update(epochs=given.epochs)
    return measured(
        lambda: importlib.import_module(f"tfrec.speed.{name}").measure(**settings, say=output.say),
        _command(name, settings),
        f"{given.out}-{name}" if given.out else "",
        output,
    )


def _run_script(script: str, save: bool, output: Output) -> None:
    """Run a benchmark of the repository, which is not installed with the package, and let it save its own page."""
    path = pathlib.Path(__file__).parents[2] / "benchmarks" / script
    if not path.is_file():
        raise ConfigError(f"{path} is not there; run this benchmark in a checkout of the repository")
    command = [sys.executable, str(path), *(["--save"] if save else [])]
    done = subprocess.run(command, stdout=sys.stderr if output.machine else None, check=False)
    if done.returncode:
        raise ConfigError(f"{path} ended with status {done.returncode}; run it by itself to see why")


def _command(name: str, settings: dict[str, Any]) -> str:
    """What to type for the same result; paths are left to the reader."""
    words = ["tfrec", "benchmark", "speed", "--what", name]
    for option, value in settings.items():
        if value:
            words += [f"--{option}", os.path.basename(os.path.normpath(value)) if option == "source" else str(value)]
    return shlex.join(words)
