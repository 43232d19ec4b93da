"""Clips with classes -> a data set of people who like some classes: a catalogue, events and a configuration.

The class of a clip decides who touches it and is written nowhere, so that only its sound tells of it.
"""

from __future__ import annotations

import csv
import dataclasses
import os
from collections.abc import Mapping
from typing import Any

import numpy as np
import yaml

PEOPLE = 400
LIKED = (2, 3)  # How many classes somebody likes.
FAITH = 0.9  # Chance that somebody touches a clip of a class they like, rather than any clip.
TYPICAL, FEWEST, MOST = 20, 8, 60  # Clips that somebody touches: log-normal around the first, within the others.


@dataclasses.dataclass(frozen=True)
class Clips:
    """Labelled clips; row i is the item `clip-i`.

    Attributes:
        folder, paths: where the clips lie, and the paths of WAV files from there, [N].
        classes: int [N], what people like.
        groups: object array of str [N], clips of which all or none are new: folds, speakers or takes.
    """

    folder: str
    paths: list[str]
    classes: np.ndarray
    groups: np.ndarray


def read_clips(folder: str, class_column: str, group_column: str, groups: Mapping[str, str] | None = None) -> Clips:
    """Read `clips.csv` of a folder in an order that tells nothing; `groups` renames or joins values of a group."""
    with open(os.path.join(folder, "clips.csv"), encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    rows = [rows[i] for i in np.random.default_rng(0).permutation(len(rows))]
    _, classes = np.unique([row[class_column] for row in rows], return_inverse=True)
    named = [(groups or {}).get(row[group_column], row[group_column]) for row in rows]
    return Clips(os.path.abspath(folder), [row["wav"] for row in rows], classes, np.array(named, object))


def simulated_events(classes: np.ndarray, seed: int) -> list[tuple[int, int]]:
    """Pairs (person, clip), each once, in the order in which they happen to each person."""
    random = np.random.default_rng(seed)
    pairs = []
    for person in range(PEOPLE):
        liked = random.choice(classes.max() + 1, random.integers(LIKED[0], LIKED[1] + 1), replace=False)
        count = int(np.clip(random.lognormal(np.log(TYPICAL), 0.5), FEWEST, MOST))
        left = np.ones(len(classes), bool)
        for _ in range(count):
            favourites = np.flatnonzero(left & np.isin(classes, liked))
            faithful = random.random() < FAITH and len(favourites)
            clip = int(random.choice(favourites if faithful else np.flatnonzero(left)))
            left[clip] = False
            pairs.append((person, clip))
    return pairs


def write_data_set(clips: Clips, seed: int, folder: str, name: str, settings: Mapping[str, Any]) -> str:
    """Write catalogue.csv, events.csv and tfrec.yaml into `folder`; return the path of the last.

    Args:
        settings: `encoder` (of the sound), and the sections `model`, `training` and `serving`.
    """
    os.makedirs(folder, exist_ok=True)
    _write_csv(folder, "catalogue.csv", ("item_id", "sound"), ((f"clip-{i}", p) for i, p in enumerate(clips.paths)))
    pairs = simulated_events(clips.classes, seed)
    events = ((f"person-{person}", f"clip-{clip}", moment) for moment, (person, clip) in enumerate(pairs))
    _write_csv(folder, "events.csv", ("user_id", "item_id", "timestamp"), events)
    others = {key: value for key, value in settings.items() if key != "encoder"}
    document = {
        "name": name,
        "data": {"items": "catalogue.csv", "events": "events.csv", "media": clips.folder},
        "schema": {
            "items": {"id": "item_id", "features": {"sound": {"modality": "audio", "encoder": settings["encoder"]}}},
            "events": {"user": "user_id", "item": "item_id", "time": "timestamp"},
        },
        "split": {"by": "random", "validation": 0.0, "test": 0.0},
        **others,
    }
    path = os.path.join(folder, "tfrec.yaml")
    with open(path, "w", encoding="utf-8") as file:
        yaml.safe_dump(document, file, sort_keys=False)
    return path


def _write_csv(folder: str, name: str, header: tuple[str, ...], rows) -> None:
    with open(os.path.join(folder, name), "w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(header)
        writer.writerows(rows)
