"""The tables of a data set as splits in the folders of Examples artifacts, and back."""

from __future__ import annotations

import dataclasses
import json
import os

import numpy as np
from tfx.dsl.io import fileio

from tfrec.config import Config
from tfrec.data.increment import Earlier
from tfrec.data.ingest import MEDIA_FOLDER, QUARANTINE_FILE, IngestedCatalogue
from tfrec.data.media import Media, open_media
from tfrec.data.quarantine import Quarantine
from tfrec.data.records import (
    read_catalogue_examples,
    read_events_examples,
    read_users_examples,
    shards,
    write_catalogue_examples,
    write_events_examples,
    write_users_examples,
)
from tfrec.data.report import FileCount
from tfrec.data.split import PARTS
from tfrec.data.tables import Catalogue, Dataset, Users, joined

ITEMS, USERS, TRAIN_USERS = "items", "users", "train_users"
SPLITS = (*PARTS, USERS, TRAIN_USERS, ITEMS)
"""The splits of the examples that an ingestion of events gives; each is one table.

The parts of the events; the users; and for statistics and Transform the users with an event to train on, and the items.
"""

ANALYSED = ("train", TRAIN_USERS, ITEMS)
"""The splits that vocabularies and scaling are learned from: what training may see."""

_COUNTS = "counts.json"


def write_catalogue(ingested: IngestedCatalogue, config: Config, catalogue: str, report: str) -> None:
    """Write the split `items` into the folder `catalogue`, and into `report` what its ingestion counted and refused.

    The media are written already.
    """
    write_catalogue_examples(_new_split(catalogue, ITEMS), config.schema, ingested.catalogue)
    ingested.quarantine.write(os.path.join(report, QUARANTINE_FILE))
    with fileio.open(os.path.join(report, _COUNTS), "w") as file:
        file.write(json.dumps(dataclasses.asdict(ingested.counted)))


def read_catalogue(config: Config, catalogue: str, media: str) -> Catalogue:
    """The catalogue with its media."""
    tables = read_catalogue_examples(_split(catalogue, ITEMS), config.schema)
    names = [feature.name for feature in config.schema.items.features if feature.modality in ("image", "audio")]
    return dataclasses.replace(tables, media={name: read_media(media, name) for name in names})


def read_media(media: str, name: str) -> Media:
    """The pictures or clips of one feature in the folder of a CatalogueMedia artifact."""
    return open_media(os.path.join(media, MEDIA_FOLDER), name)


def catalogue_shards(catalogue: str) -> list[str]:
    """The files of the split `items`, in catalogue order."""
    return shards(_split(catalogue, ITEMS))


def read_ingested_catalogue(config: Config, catalogue: str, media: str, report: str) -> IngestedCatalogue:
    """What `write_catalogue` wrote."""
    with fileio.open(os.path.join(report, _COUNTS), "r") as file:
        count = FileCount(**json.loads(file.read()))
    quarantine = Quarantine.read(os.path.join(report, QUARANTINE_FILE))
    return IngestedCatalogue(read_catalogue(config, catalogue, media), count, quarantine)


def write_dataset(dataset: Dataset, config: Config, catalogue: str, examples: str) -> None:
    """Write `SPLITS` of the data set into the folder `examples`, `items` as a copy of the one in `catalogue`."""
    for part in PARTS:
        events = getattr(dataset, part)
        write_events_examples(_new_split(examples, part), config.schema, events, dataset.catalogue, dataset.users)
    write_users_examples(_new_split(examples, USERS), config.schema, dataset.users)
    write_users_examples(_new_split(examples, TRAIN_USERS), config.schema, _trained_on(dataset))
    items = _new_split(examples, ITEMS)
    for path in catalogue_shards(catalogue):
        fileio.copy(path, os.path.join(items, os.path.basename(path)))


def read_dataset(config: Config, catalogue: str, media: str, examples: str) -> Dataset:
    """The data set, equal to the one that was ingested."""
    items = read_catalogue(config, catalogue, media)
    users = read_users_examples(_split(examples, USERS), config.schema)
    parts = {part: read_events_examples(_split(examples, part), config.schema, items, users) for part in PARTS}
    # Items are held out of those that have events, with all their events: the cold part names each of them.
    held_out = np.unique(parts["cold"].item).astype(np.int32)
    return Dataset(catalogue=items, users=users, held_out=held_out, **parts)


def read_earlier(config: Config, examples: str) -> Earlier:
    """What the ingestion kept that wrote the folder `examples`, from these splits alone."""
    items = read_catalogue_examples(_split(examples, ITEMS), config.schema)
    users = read_users_examples(_split(examples, USERS), config.schema)
    parts = [read_events_examples(_split(examples, part), config.schema, items, users) for part in PARTS]
    return Earlier(items.ids, users, joined(*parts))


def _trained_on(dataset: Dataset) -> Users:
    rows = np.unique(dataset.train.user)
    return Users(dataset.users.ids[rows], {name: column[rows] for name, column in dataset.users.columns.items()})


def _split(uri: str, split: str) -> str:
    return os.path.join(uri, f"Split-{split}")


def _new_split(uri: str, split: str) -> str:
    folder = _split(uri, split)
    fileio.makedirs(folder)
    return folder
