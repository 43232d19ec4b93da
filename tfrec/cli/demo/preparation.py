"""The demo's catalogue: made once, and made smaller for a quick look."""

from __future__ import annotations

import dataclasses
import json
import os
from collections.abc import Callable
from typing import Any

import yaml

from tfrec.data.files import write_text
from tfrec.data.sample import write_sample
from tfrec.errors import DataError

STATE, FULL, QUICK = "demo.json", "tfrec.yaml", "quick.yaml"
CATALOGUE = "lanternbox"


@dataclasses.dataclass(frozen=True)
class Size:
    """How large the catalogue is and how long training may take; 0 epochs for what the configuration says."""

    items: int = 600
    users: int = 1500
    events: int = 40_000
    epochs: int = 0


def prepare(directory: str, size: Size, progress: Callable[[int, int], None]) -> tuple[str, bool]:
    """Make the catalogue below `directory` unless it is there, and return the configuration's path and whether it was.

    Raises:
        DataError: if a catalogue of another size is there, or the folder cannot be written.
    """
    folder = os.path.join(directory, CATALOGUE)
    before = state(directory).get("size")
    wanted = dataclasses.asdict(dataclasses.replace(size, epochs=0))
    there = os.path.isfile(os.path.join(folder, FULL))
    if there and before is not None and before != wanted:
        raise DataError(f"{folder} holds a catalogue of another size; remove it or choose another folder with --out")
    if not there:
        write_sample(folder, size.items, size.users, size.events, progress=progress)
    remember(directory, size=wanted)
    return (_quick_configuration(folder, size.epochs) if size.epochs else os.path.join(folder, FULL)), there


def state(directory: str) -> dict[str, Any]:
    """What an earlier demo in this folder left as a note, empty if there was none."""
    path = os.path.join(directory, STATE)
    if not os.path.isfile(path):
        return {}
    with open(path, encoding="utf-8") as file:
        return json.load(file)


def remember(directory: str, **notes: Any) -> None:
    """Add notes for the next demo in this folder."""
    write_text(os.path.join(directory, STATE), json.dumps({**state(directory), **notes}, indent=1) + "\n")


def _quick_configuration(folder: str, epochs: int) -> str:
    """Write a configuration with so few epochs beside the full one, and return its path."""
    with open(os.path.join(folder, FULL), encoding="utf-8") as file:
        document = yaml.safe_load(file)
    document["name"] = f"{document['name']}-quick"
    document["data"]["output"] = "build-quick"
    training = {**document.get("training", {}), "epochs": epochs}
    if "encoder_epochs" in training:
        training["encoder_epochs"] = min(training["encoder_epochs"], epochs)
    document["training"] = training
    document["gates"] = {**document.get("gates", {}), "better_than": []}
    path = os.path.join(folder, QUICK)
    heading = "# Written by `tfrec demo --epochs`: a quick look, whose model need not be better than the baselines.\n"
    write_text(path, heading + yaml.safe_dump(document, sort_keys=False))
    return path
