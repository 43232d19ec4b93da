"""Runs the stages of one recommender over made-up logs of several sizes, and tells how cost grows with size."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from tfrec.errors import DataError
from tfrec.speed.made_up_log import FULL
from tfrec.speed.measured import Measurement, Table
from tfrec.speed.scale_stages import STAGES

# What is told of each stage; the rest is starting Python and reading what the stage before left.
LAPS = {
    "make": "make",
    "ingestion": "ingestion",
    "training": "training",
    "export": "index, export",
    "serving": "load servable, requests",
    "evaluation": "evaluation",
}
Found = Mapping[float, Mapping[str, Mapping[str, Mapping[str, Any]]]]


def measure(
    shares: Sequence[float], stages: Sequence[str], folder: str, rows: int, say: Callable[[str], None] = print
) -> Measurement:
    """Run the stages for each share of the full size, each in a process of its own, and tell all that `folder` has.

    Args:
        folder: where files and results go, below it one for each share; a stage that has its result there is not run
            again, so that a run that was interrupted goes on.
        rows: users' rows of the epoch of training, 0 for all.

    Raises:
        DataError: if a stage is unknown or fails.
    """
    unknown = [stage for stage in stages if stage not in STAGES]
    if unknown:
        raise DataError(f"no stage is called {unknown[0]!r}; there are {', '.join(STAGES)}")
    for share in shares:
        for stage in stages:
            if not os.path.exists(_result(folder, share, stage)):
                say(f"{stage} at {share:g} of the full size")
                _run(folder, share, stage, rows)
    found = {share: _read(folder, share) for share in shares}
    full = f"{FULL.items:,} items, {FULL.users:,} users and {FULL.events:,} events"
    return Measurement(
        "Scale: one recommender from log to servable",
        f"A made-up log (`tfrec.speed.made_up_log`), at full size of {full}, and shares of it; ids alone, without "
        "content. Each stage is a process of its own, with all settings at their defaults but for one epoch of "
        "training and 1,000 users of the evaluation. `s` is seconds on the clock, `cpu` processor seconds of all "
        "threads, which other work on the machine disturbs less; GB the largest resident size of the process.",
        (_table(found), _growth_table(found)),
        {"shares": {f"{share:g}": dict(stages) for share, stages in found.items()}},
    )


def growth(sizes: Sequence[float], costs: Sequence[float]) -> float:
    """The exponent with which cost grows with size, fitted by least squares to the logarithms; 1 is linear."""
    return float(np.polyfit(np.log(sizes), np.log(costs), 1)[0])


def _result(folder: str, share: float, stage: str) -> str:
    return os.path.join(folder, f"{share:g}", f"{stage}.json")


def _run(folder: str, share: float, stage: str, rows: int) -> None:
    sizes = FULL.share(share)
    command = [sys.executable, "-m", "tfrec.speed.scale_stages", stage, "--folder", os.path.join(folder, f"{share:g}")]
    for name, number in (("items", sizes.items), ("users", sizes.users), ("events", sizes.events), ("rows", rows)):
        command += [f"--{name}", str(number)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise DataError(f"{stage} at {share:g} of the full size failed: {done.stderr.strip()[-500:]}")


def _read(folder: str, share: float) -> dict[str, dict[str, dict[str, Any]]]:
    results = {}
    for stage in STAGES:
        path = _result(folder, share, stage)
        if os.path.exists(path):
            with open(path, encoding="utf-8") as file:
                results[stage] = json.load(file)
    return results


def _laps(found: Found, share: float) -> dict[str, Mapping[str, Any]]:
    names = [(stage, lap) for stage, laps in LAPS.items() for lap in laps.split(", ")]
    return {lap: found[share][stage][lap] for stage, lap in names if lap in found[share].get(stage, {})}


def _told() -> list[str]:
    return [lap for laps in LAPS.values() for lap in laps.split(", ")]


def _table(found: Found) -> Table:
    rows = [["", *(f"{share:g}: s / cpu / GB" for share in found)]]
    for lap in _told():
        cells = [_laps(found, share).get(lap) for share in found]
        rows.append([lap, *(_cell(cell) for cell in cells)])
    return Table(
        "Time and peak memory",
        rows,
        "`requests` are 100 of known users, one after the other. The index of a catalogue below 50,000 items is exact "
        "and made with the export. A stage without numbers was not run at that size.",
    )


def _cell(lap: Mapping[str, Any] | None) -> str:
    if lap is None:
        return "not run"
    return f"{lap['seconds']:.1f} / {lap['cpu']:.1f} / {lap['peak_bytes'] / 2**30:.2f}"


def _growth_table(found: Found) -> Table:
    rows = [["", "sizes", "exponent of processor time", "between the two largest"]]
    for lap in _told():
        costs = {share: _laps(found, share)[lap]["cpu"] for share in found if lap in _laps(found, share)}
        if len(costs) > 1:
            sizes, seconds = zip(*sorted(costs.items()))
            exponents = (growth(sizes, seconds), growth(sizes[-2:], seconds[-2:]))
            rows.append([lap, ", ".join(f"{share:g}" for share in sizes), *(f"{value:.2f}" for value in exponents)])
    return Table(
        "Growth",
        rows,
        "Processor time grows as size to this power, fitted over the sizes named, and between the two largest, where "
        "what every size costs weighs less; 1 is linear.",
    )
