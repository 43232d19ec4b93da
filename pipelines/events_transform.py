"""The Beam transform that reads and checks the events: each worker takes a piece of the file at a time.

What rows of different pieces have to do with each other (numbers of users, rows that were delivered twice, the split)
is settled in one process afterwards, from numbers alone, as it is where there is no Beam: `tfrec.data.events.merged`.
"""

from __future__ import annotations

import os
import pickle
import uuid
from collections.abc import Iterator

import apache_beam as beam
import pandas as pd
import tensorflow as tf

from tfrec.config import Config
from tfrec.data.events import CheckedPiece, check_piece
from tfrec.data.pieces import Piece, cut, read_piece
from tfrec.data.records import read_item_ids
from tfrec.pipelines.beam_run import run_beam
from tfrec.pipelines.tables import catalogue_shards
from tfrec.schema import Events


def checked_events(
    pipeline: beam.Pipeline, config: Config, catalogue: str, folder: str, since: int | None = None
) -> Iterator[CheckedPiece]:
    """The pieces of data.events in the order of the file, checked on the workers of `pipeline`.

    Args:
        pipeline: a pipeline without a step, which is run.
        config: with the schema and the events file.
        catalogue: the artifact of `CatalogueIngest`.
        folder: where the workers leave what they found; it must not exist, and is removed once all is read.
        since: rows of an earlier time, seconds since 1970, are passed over; None for none.

    Raises:
        ConfigError, DataError: as `tfrec.data.ingest.ingest_events`, for what concerns the events file.
    """
    pieces = cut(config.data.events, "events")
    tf.io.gfile.makedirs(folder)
    try:
        _ = (
            pipeline
            | "pieces" >> beam.Create(list(enumerate(pieces)))
            | "spread" >> beam.Reshuffle()
            | "check" >> beam.ParDo(_Check(config.schema.events, catalogue_shards(catalogue), folder, since))
        )
        run_beam(pipeline)
        for number in range(len(pieces)):
            with tf.io.gfile.GFile(_result(folder, number), "rb") as file:
                yield from pickle.loads(file.read())
    finally:
        tf.io.gfile.rmtree(folder)


class _Check(beam.DoFn):
    """Checks a piece and leaves the result in `folder`; one that is tried again replaces what was there."""

    def __init__(self, schema: Events, catalogue: list[str], folder: str, since: int | None):
        super().__init__()
        self.schema, self.catalogue, self.folder, self.since = schema, catalogue, folder, since
        self.rows = beam.metrics.Metrics.counter("tfrec.ingestion", "events_read")

    def setup(self) -> None:
        self.items = pd.Index(read_item_ids(self.catalogue), dtype=object)

    def process(self, numbered: tuple[int, Piece]) -> list[None]:
        number, piece = numbered
        checked = [check_piece(table, self.schema, self.items, self.since) for table in read_piece(piece)]
        partial = os.path.join(self.folder, uuid.uuid4().hex)
        with tf.io.gfile.GFile(partial, "wb") as file:
            file.write(pickle.dumps(checked))
        tf.io.gfile.rename(partial, _result(self.folder, number), overwrite=True)
        self.rows.inc(sum(part.read for part in checked))
        return []


def _result(folder: str, number: int) -> str:
    return os.path.join(folder, f"{number:05d}.pickle")
