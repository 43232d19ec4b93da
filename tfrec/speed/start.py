"""How soon the command answers: help, a recommendation from a running server, the import of the package."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from typing import Any

from tfrec.errors import TfrecError
from tfrec.speed.measured import Measurement, Table, spread, told
from tfrec.speed.ratings import made_up
from tfrec.speed.trainers import configuration

HELP, RECOMMEND, IMPORT, PYTHON = (
    "tfrec --help",
    "tfrec recommend, from a running server",
    "import tfrec",
    "python -c ''",
)
LIMITS = {HELP: 0.3, RECOMMEND: 1.0}
# Runs the command line and then tells on standard error whether TensorFlow was loaded.
COMMAND = "import sys\nfrom tfrec.cli.main import main\ntry:\n    main(sys.argv[1:])\nfinally:\n    {told}"
TOLD = "print('tensorflow' in sys.modules, file=sys.stderr)"


def measure(rounds: int = 10, say: Callable[[str], None] = print) -> Measurement:
    """Start each command in a process of its own, in turn, `rounds` times; the first turn fills caches and is left out.

    Raises:
        TfrecError: if a command fails.
    """
    with tempfile.TemporaryDirectory() as folder:
        _make_model(folder)
        from tfrec.serving import serve

        with serve(folder, model_name="speed", grpc_port=0, rest_api_port=None) as running:
            asked = ["recommend", "--user", "user 1", "--name", "speed", "--server", running.grpc_address]
            commands = {
                HELP: ["-c", COMMAND.format(told=TOLD), "--help"],
                RECOMMEND: ["-c", COMMAND.format(told=TOLD), *asked],
                IMPORT: ["-c", f"import sys, tfrec\n{TOLD}"],
                PYTHON: ["-c", f"import sys\n{TOLD}"],
            }
            found: dict[str, Any] = {name: {"seconds": [], "cpu": []} for name in commands}
            for number in range(rounds + 1):
                for name, arguments in commands.items():
                    seconds, cpu, tensorflow = _started(arguments)
                    found[name]["tensorflow"] = tensorflow
                    if number:
                        found[name]["seconds"].append(seconds)
                        found[name]["cpu"].append(cpu)
    for name, result in found.items():
        say(f"{name}: {told(spread(result['seconds']), '{:.3f}')} s")
    return Measurement(
        "Speed: start-up",
        f"Each a process of its own, {rounds} times in turn. The server is the development server with a model of 943 "
        "users and 1,682 items, in the process that measures; the answer has ten items.",
        (_table(found),),
        {"commands": found, "limits": LIMITS},
    )


def _make_model(folder: str) -> None:
    """Train for an epoch and export, so that there is something to serve."""
    from tfrec.export.export import export_servable
    from tfrec.training.trainer import train

    ratings = made_up()
    with tempfile.TemporaryDirectory() as state:
        trained = train(configuration(8192, 1), ratings.dataset(), state, say=lambda line: None)
        export_servable(trained, ratings.dataset(), os.path.join(folder, "1"), say=lambda line: None)


def _started(arguments: list[str]) -> tuple[float, float, bool]:
    """Wall-clock and processor seconds of Python with these arguments, and whether it loaded TensorFlow."""
    before = os.times()
    started = time.perf_counter()
    done = subprocess.run([sys.executable, *arguments], capture_output=True, text=True, check=False)
    seconds = time.perf_counter() - started
    after = os.times()
    lines = done.stderr.strip().splitlines()
    if done.returncode or lines[-1:] not in (["True"], ["False"]):
        raise TfrecError(f"{' '.join(arguments[2:])} ended with status {done.returncode}: {done.stderr.strip()[-300:]}")
    cpu = after.children_user + after.children_system - before.children_user - before.children_system
    return seconds, cpu, lines[-1] == "True"


def _table(found: dict[str, Any]) -> Table:
    rows = [["", "seconds", "processor seconds", "limit, s", "TensorFlow loaded"]]
    for name, result in found.items():
        times = [told(spread(result[kind]), "{:.2f}") for kind in ("seconds", "cpu")]
        limit = f"{LIMITS[name]:g}" if name in LIMITS else ""
        rows.append([name, *times, limit, "yes" if result["tensorflow"] else "no"])
    return Table("Start-up", rows, "Median (smallest to largest).")
