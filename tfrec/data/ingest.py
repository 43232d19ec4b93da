"""The files a configuration names -> a data set ready to train on, and a report; and the same as a check only."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Iterable, Mapping
from typing import NamedTuple

import numpy as np

from tfrec.config import Config
from tfrec.data.catalogue import build_catalogue
from tfrec.data.contents import Progress, normalised_contents
from tfrec.data.events import CheckedPiece, checked_pieces, merged
from tfrec.data.increment import Earlier, added, moment, with_earlier_users
from tfrec.data.media import write_media
from tfrec.data.quarantine import Quarantine
from tfrec.data.read import Table, read_pieces, read_table
from tfrec.data.report import FileCount, Part, Report, problem_counts
from tfrec.data.split import COLD, PARTS, held_out_items, parts_of_events
from tfrec.data.tables import Catalogue, Dataset, Events, Users
from tfrec.data.users import build_users
from tfrec.errors import DataError
from tfrec.schema import Feature

QUARANTINE_FILE = "quarantine.jsonl"
REPORT_FILE = "report.json"
MEDIA_FOLDER = "media"


class IngestedCatalogue(NamedTuple):
    """The catalogue and what was found on the way; all that the ingestion of events needs of it."""

    catalogue: Catalogue
    counted: FileCount
    quarantine: Quarantine


class _Log(NamedTuple):
    """Users and events, the row counts of their files, and sentences about what was taken over from an earlier run."""

    users: Users
    events: Events
    files: Mapping[str, FileCount]
    notes: tuple[str, ...] = ()


def ingest(config: Config, directory: str, progress: Progress | None = None) -> tuple[Dataset, Report]:
    """Read, validate and split the data, and write media, `quarantine.jsonl` and `report.json` into `directory`.

    A faulty row or cell never ends the ingestion: it is left out and reported with its row number and the reason.

    Raises:
        ConfigError: if the configuration names a column or a kind of file that there is not.
        DataError: if a file is missing, no item or no event is usable, none is left for training, or the disk is full.
    """
    quarantine = Quarantine()
    catalogue, kept, count = _read_catalogue(config, quarantine)
    log = _read_log(config, catalogue, quarantine)  # before the media: what ends the ingestion shall end it early
    catalogue = _with_media(config, catalogue, kept, directory, quarantine, progress)
    return _finished(config, IngestedCatalogue(catalogue, count, quarantine), log, directory)


def ingest_catalogue(config: Config, directory: str, progress: Progress | None = None) -> IngestedCatalogue:
    """The part of `ingest` that needs the items file and the media only; it writes media into `directory`.

    Raises:
        ConfigError, DataError: as `ingest`.
    """
    quarantine = Quarantine()
    catalogue, kept, count = _read_catalogue(config, quarantine)
    catalogue = _with_media(config, catalogue, kept, directory, quarantine, progress)
    return IngestedCatalogue(catalogue, count, quarantine)


def ingest_events(
    config: Config,
    ingested: IngestedCatalogue,
    directory: str,
    checked: Iterable[CheckedPiece] | None = None,
    earlier: Earlier | None = None,
) -> tuple[Dataset, Report]:
    """The part of `ingest` that is left after `ingest_catalogue`; together they do the same.

    Args:
        checked: the pieces of data.events in the order of the file, where other processes have read and checked them;
            with `earlier`, since its newest event.
        earlier: what an earlier ingestion kept: only newer events are read, and added to it before all are divided.

    Raises:
        ConfigError, DataError: as `ingest`; also if there is no newer event.
    """
    log = _read_log(config, ingested.catalogue, ingested.quarantine, checked, earlier)
    return _finished(config, ingested, log, directory)


def validate(config: Config, progress: Progress | None = None) -> Report:
    """Do what `ingest` does but write nothing; `Report.found` lists every problem with its row number.

    Raises:
        ConfigError, DataError: as `ingest`.
    """
    quarantine = Quarantine()
    catalogue, kept, count = _read_catalogue(config, quarantine)
    log = _read_log(config, catalogue, quarantine)
    present = {
        feature.name: np.fromiter((blob != b"" for blob in blobs), bool)
        for feature, blobs in _contents(config, kept, quarantine, progress)
    }
    dataset = _divided(config, catalogue, log)
    return _report(config, IngestedCatalogue(catalogue, count, quarantine), log, dataset, present)


def _read_catalogue(config: Config, quarantine: Quarantine) -> tuple[Catalogue, Table, FileCount]:
    """The catalogue without media, the table cut down to the rows that are kept, and the counts of the file."""
    table = read_table(config.data.items, "items")
    catalogue, kept = build_catalogue(table, config.schema.items, quarantine)
    counted = _counted(table, len(catalogue), quarantine)
    _require(counted, "items", quarantine)
    return catalogue, kept, counted


def _read_log(
    config: Config,
    catalogue: Catalogue,
    quarantine: Quarantine,
    checked: Iterable[CheckedPiece] | None = None,
    earlier: Earlier | None = None,
) -> _Log:
    schema = config.schema
    users = read_table(config.data.users, "users") if config.data.users else None
    known_users = build_users(users, schema.users, quarantine)
    files = {"users": _counted(users, len(known_users), quarantine)} if users is not None else {}
    if earlier is not None:
        known_users = with_earlier_users(known_users, earlier.users)
    if checked is None:
        pieces = read_pieces(config.data.events, "events")
        checked = checked_pieces(pieces, schema.events, catalogue, earlier.until if earlier else None)
    rows = merged(checked, schema, known_users, quarantine)
    counted = FileCount(
        config.data.events, rows.read, len(rows.events), quarantine.rejected("events"), left_out=rows.left_out
    )
    files = {**files, "events": counted}
    if earlier is not None:
        events, new, gone = added(earlier, rows, catalogue, config.data.events)
        notes = [
            f"{new:,} events were added to {len(earlier.events):,} of the last run, the newest of which is of "
            f"{moment(earlier.until)}; {rows.passed:,} older rows of the file were passed over"
        ]
        notes += [f"{gone:,} of the earlier events are of items that the catalogue no longer has"] if gone else []
        return _Log(rows.users, events, files, tuple(notes))
    _require(counted, "events", quarantine)
    return _Log(rows.users, rows.events, files)


def _counted(table: Table, kept: int, quarantine: Quarantine) -> FileCount:
    return FileCount(table.path, table.rows_read, kept, quarantine.rejected(table.name))


def _with_media(
    config: Config,
    catalogue: Catalogue,
    kept: Table,
    directory: str,
    quarantine: Quarantine,
    progress: Progress | None,
) -> Catalogue:
    media = {
        feature.name: write_media(os.path.join(directory, MEDIA_FOLDER), feature.name, blobs)
        for feature, blobs in _contents(config, kept, quarantine, progress)
    }
    return dataclasses.replace(catalogue, media=media)


def _finished(config: Config, ingested: IngestedCatalogue, log: _Log, directory: str) -> tuple[Dataset, Report]:
    """The data set and the report, which is written beside the quarantine into `directory`."""
    dataset = _divided(config, ingested.catalogue, log)
    present = {name: media.present for name, media in ingested.catalogue.media.items()}
    report = _report(config, ingested, log, dataset, present)
    ingested.quarantine.write(os.path.join(directory, QUARANTINE_FILE))
    report.save(os.path.join(directory, REPORT_FILE))
    return dataset, report


def _require(counted: FileCount, table: str, quarantine: Quarantine) -> None:
    if counted.kept:
        return
    first = next((problem for problem in quarantine.problems if problem.table == table and not problem.kept), None)
    why = f"row {first.row} is refused because {first.reason}" if first else "the file has no rows"
    if counted.left_out and not first:
        why = "all are below schema.events.minimum_value"
    raise DataError(f"{counted.path} has no usable {table.removesuffix('s')} among its {counted.read:,} rows: {why}")


def _contents(
    config: Config, kept: Table, quarantine: Quarantine, progress: Progress | None
) -> Iterable[tuple[Feature, Iterable[bytes]]]:
    for feature in config.schema.items.features:
        if feature.modality in ("image", "audio"):
            yield feature, normalised_contents(kept, feature, config.data.media, quarantine, progress)


def _divided(config: Config, catalogue: Catalogue, log: _Log) -> Dataset:
    split, events = config.split, log.events
    held_out = held_out_items(events.item, split.held_out_items, split.seed)
    parts = parts_of_events(events.user, events.item, events.time, split, held_out)
    by_time = np.argsort(events.time, kind="stable")
    divided = {name: events.take(by_time[parts[by_time] == part]) for part, name in enumerate(PARTS)}
    if not len(divided["train"]):
        raise DataError(
            f"the split leaves none of the {len(events):,} events to train on; "
            "make split.test, split.validation or split.held_out_items smaller"
        )
    return Dataset(catalogue=catalogue, users=log.users, held_out=held_out, **divided)


def _report(
    config: Config, ingested: IngestedCatalogue, log: _Log, dataset: Dataset, present: Mapping[str, np.ndarray]
) -> Report:
    timed = bool(config.schema.events.time)
    parts = {name: _part(getattr(dataset, name)) for name in PARTS}
    return Report(
        files={"items": ingested.counted, **log.files},
        problems=problem_counts(ingested.quarantine),
        items=len(dataset.catalogue),
        users=len(dataset.users),
        held_out=len(dataset.held_out),
        coverage={
            feature.name: _present(feature, dataset.catalogue, present) for feature in config.schema.items.features
        },
        split=config.split.by,
        parts=parts,
        timed=timed,
        warnings=(*log.notes, *_warnings(config, parts, timed)),
        found=ingested.quarantine.problems,
    )


def _part(events: Events) -> Part:
    if not len(events):
        return Part(0, None, None)
    return Part(len(events), int(events.time[0]), int(events.time[-1]))


def _present(feature: Feature, catalogue: Catalogue, present: Mapping[str, np.ndarray]) -> int:
    if feature.name in present:
        return int(present[feature.name].sum())
    column = catalogue.columns[feature.name]
    if feature.modality == "number":
        return int(np.isfinite(column).sum())
    return sum(map(bool, column))


def _warnings(config: Config, parts: Mapping[str, Part], timed: bool) -> Iterable[str]:
    asked: dict[str, float] = {
        "validation": config.split.validation,
        "test": config.split.test,
        PARTS[COLD]: config.split.held_out_items,
    }
    for name, fraction in asked.items():
        if fraction and not parts[name].events:
            yield f"the {name} part is empty although the split asks for one; there are too few events or moments"
    if not timed and config.split.by in ("time", "last-out"):
        yield f"schema.events.time is missing, so the split by {config.split.by} follows the order of the file"
