"""The tables as gzip TFRecords of tf.Example, the form in which a TFX pipeline passes them on; and back.

A table is a folder of shards of `ROWS_PER_SHARD` rows in order: a worker of StatisticsGen, Transform or the encoding
takes a shard at a time, and so does memory here.

Keys are `item_id`, `title`, `user_id`, `time`, `type`, `weight`, `value`, and for features the keys of `FeatureSpace`:
"items.<name>", "users.<name>", "events.<name>". An absent value has no key. Pictures and clips are not in the examples;
`tfrec.data.media` stores them.
"""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
import tensorflow as tf

from tfrec.data.files import writing
from tfrec.data.tables import Catalogue, Events, Users
from tfrec.errors import DataError
from tfrec.schema import Feature, Schema

ROWS_PER_SHARD = 100_000
_BATCH = 4096


@dataclasses.dataclass(frozen=True)
class Column:
    """One key of an example: `kind` is string, strings, float or integer."""

    key: str
    kind: str


def catalogue_columns(schema: Schema) -> list[Column]:
    """The keys of a catalogue example."""
    features = [
        feature
        for feature in (*schema.items.features, *schema.items.filtered)
        if feature.modality not in ("image", "audio")
    ]
    return [Column("item_id", "string"), Column("title", "string"), *_feature_columns("items", features)]


def users_columns(schema: Schema) -> list[Column]:
    """The keys of a user example."""
    return [Column("user_id", "string"), *_feature_columns("users", schema.users.features)]


def events_columns(schema: Schema) -> list[Column]:
    """The keys of an event example."""
    fixed = {"user_id": "string", "item_id": "string", "time": "integer", "type": "string"}
    fixed |= {"weight": "float", "value": "float"}
    return [*(Column(*pair) for pair in fixed.items()), *_feature_columns("events", schema.events.context)]


def write_catalogue_examples(folder: str, schema: Schema, catalogue: Catalogue) -> None:
    """Write an example per item, in catalogue order, into a folder that there is.

    Raises:
        DataError: if a file cannot be written.
    """
    features = {f"items.{name}": column for name, column in catalogue.columns.items()}
    _write(folder, catalogue_columns(schema), {"item_id": catalogue.ids, "title": catalogue.titles, **features})


def read_catalogue_examples(folder: str, schema: Schema) -> Catalogue:
    """Read what `write_catalogue_examples` wrote; the media are opened apart.

    Raises:
        DataError: if a file is missing or damaged.
    """
    return read_catalogue_shards(shards(folder), schema)


def read_catalogue_shards(paths: Sequence[str], schema: Schema) -> Catalogue:
    """The items of some of the `shards`.

    Raises:
        DataError: if a file is missing or damaged.
    """
    arrays = _read(paths, catalogue_columns(schema))
    return Catalogue(arrays.pop("item_id"), arrays.pop("title"), _by_name(arrays, "items"))


def read_item_ids(paths: Sequence[str]) -> np.ndarray:
    """The ids alone of the items of some of the `shards`, object array of str.

    Raises:
        DataError: if a file is missing or damaged.
    """
    return _read(paths, [Column("item_id", "string")])["item_id"]


def write_users_examples(folder: str, schema: Schema, users: Users) -> None:
    """Write an example per user, in the order of `users`, into a folder that there is.

    Raises:
        DataError: if a file cannot be written.
    """
    features = {f"users.{name}": column for name, column in users.columns.items()}
    _write(folder, users_columns(schema), {"user_id": users.ids, **features})


def read_users_examples(folder: str, schema: Schema) -> Users:
    """Read what `write_users_examples` wrote.

    Raises:
        DataError: if a file is missing or damaged.
    """
    arrays = _read(shards(folder), users_columns(schema))
    return Users(arrays.pop("user_id"), _by_name(arrays, "users"))


def write_events_examples(folder: str, schema: Schema, events: Events, catalogue: Catalogue, users: Users) -> None:
    """Write an example per event, in the order of `events`, with ids for positions, into a folder that there is.

    Raises:
        DataError: if a file cannot be written.
    """
    arrays = {"user_id": users.ids[events.user], "item_id": catalogue.ids[events.item]}
    arrays |= {"time": events.time, "type": events.type, "weight": events.weight, "value": events.value}
    arrays |= {f"events.{name}": column for name, column in events.context.items()}
    _write(folder, events_columns(schema), arrays)


def read_events_examples(folder: str, schema: Schema, catalogue: Catalogue, users: Users) -> Events:
    """Read what `write_events_examples` wrote, looking up ids in `catalogue` and `users`.

    Raises:
        DataError: if a file is missing or damaged, or names an item or user that the tables do not have.
    """
    arrays = _read(shards(folder), events_columns(schema))
    return Events(
        user=_positions(arrays.pop("user_id"), users.ids, "user"),
        item=_positions(arrays.pop("item_id"), catalogue.ids, "item"),
        time=arrays.pop("time"),
        type=arrays.pop("type"),
        weight=arrays.pop("weight"),
        value=arrays.pop("value"),
        context=_by_name(arrays, "events"),
    )


def parsing_spec(columns: Sequence[Column]) -> dict[str, Any]:
    """The `features` argument of tf.io.parse_example for `columns`."""
    return {
        column.key: {
            "string": tf.io.FixedLenFeature([], tf.string, ""),
            "strings": tf.io.RaggedFeature(tf.string, row_splits_dtype=tf.int64),
            "float": tf.io.FixedLenFeature([], tf.float32, np.nan),
            "integer": tf.io.FixedLenFeature([], tf.int64, 0),
        }[column.kind]
        for column in columns
    }


def _feature_columns(table: str, features: Sequence[Feature]) -> list[Column]:
    kinds = {"categories": "strings", "number": "float"}
    return [Column(f"{table}.{feature.name}", kinds.get(feature.modality, "string")) for feature in features]


def _by_name(arrays: Mapping[str, np.ndarray], table: str) -> dict[str, np.ndarray]:
    return {key.removeprefix(f"{table}."): array for key, array in arrays.items()}


def _positions(ids: np.ndarray, known: np.ndarray, what: str) -> np.ndarray:
    positions = pd.Index(known, dtype=object).get_indexer(ids)
    if (positions < 0).any():
        raise DataError(
            f"the events name the {what} {ids[positions < 0][0]!r}, which the table of {what}s read with them "
            "does not have; make both from one ingestion"
        )
    return positions.astype(np.int32)


def shards(folder: str) -> list[str]:
    """The files of a table, in the order of its rows.

    Raises:
        DataError: if there is none, or not all that the first one speaks of.
    """
    names = tf.io.gfile.listdir(folder) if tf.io.gfile.isdir(folder) else []
    paths = sorted(os.path.join(folder, name) for name in names if name.startswith("data-"))
    if not paths or paths != _shard_names(folder, int(paths[0][-8:-3])):
        raise DataError(f"cannot read the examples in {folder}: it has {len(paths)} shards, not all; ingest again")
    return paths


def _shard_names(folder: str, count: int) -> list[str]:
    return [os.path.join(folder, f"data-{number:05d}-of-{count:05d}.gz") for number in range(count)]


def _write(folder: str, columns: Sequence[Column], arrays: Mapping[str, np.ndarray]) -> None:
    rows = len(arrays[columns[0].key])
    for number, path in enumerate(_shard_names(folder, max(1, -(-rows // ROWS_PER_SHARD)))):
        part = slice(number * ROWS_PER_SHARD, (number + 1) * ROWS_PER_SHARD)
        encoded = [_encoded(column, arrays[column.key][part]) for column in columns]
        with writing(path), tf.io.TFRecordWriter(path, options="GZIP") as writer:
            for pieces in zip(*encoded):
                writer.write(b"".join(pieces))


def _encoded(column: Column, values: np.ndarray) -> np.ndarray:
    """Each value as a serialised example of this key alone, made once per different value.

    Serialised messages written one after the other are, by the rules of protocol buffers, the merged message, so a row
    is the concatenation of its columns.
    """
    feature: Callable[[Any], tf.train.Feature] = {
        "string": lambda value: tf.train.Feature(bytes_list=tf.train.BytesList(value=[value.encode()])),
        "strings": lambda value: tf.train.Feature(bytes_list=tf.train.BytesList(value=[v.encode() for v in value])),
        "float": lambda value: tf.train.Feature(float_list=tf.train.FloatList(value=[value])),
        "integer": lambda value: tf.train.Feature(int64_list=tf.train.Int64List(value=[value])),
    }[column.kind]

    def example(value: Any) -> bytes:
        if value != value or (column.kind in ("string", "strings") and not value):
            return b""
        features = tf.train.Features(feature={column.key: feature(value)})
        return tf.train.Example(features=features).SerializeToString()

    codes, uniques = pd.factorize(values, use_na_sentinel=False)
    return np.fromiter(map(example, uniques), dtype=object, count=len(uniques))[codes]


def _read(paths: Sequence[str], columns: Sequence[Column]) -> dict[str, np.ndarray]:
    known: dict[str, str] = {}  # A text that several shards have is one string in memory.
    tables = [_read_shard(path, columns, known) for path in paths]
    return {column.key: np.concatenate([table.pop(column.key) for table in tables]) for column in columns}


def _read_shard(path: str, columns: Sequence[Column], known: dict[str, str]) -> dict[str, np.ndarray]:
    spec = parsing_spec(columns)
    records = tf.data.TFRecordDataset([path], compression_type="GZIP").batch(_BATCH)
    try:
        batches = list(records.map(lambda serialised: tf.io.parse_example(serialised, spec)))
    except tf.errors.OpError as error:
        raise DataError(f"cannot read the examples {path}: {' '.join(error.message.split())}") from error
    return {column.key: _joined(column, [batch[column.key] for batch in batches], known) for column in columns}


def _joined(column: Column, parts: Sequence[Any], known: dict[str, str]) -> np.ndarray:
    if column.kind == "strings":
        texts = _texts([part.flat_values.numpy() for part in parts], known)
        lengths = np.concatenate([part.row_lengths().numpy() for part in parts] or [np.empty(0, np.int64)])
        ends = np.cumsum(lengths)
        rows = (tuple(texts[start:end]) for start, end in zip(ends - lengths, ends))
        return np.fromiter(rows, dtype=object, count=len(lengths))
    arrays = [part.numpy() for part in parts]
    if column.kind == "string":
        return _texts(arrays, known)
    return np.concatenate(arrays or [np.empty(0, np.float32 if column.kind == "float" else np.int64)])


def _texts(parts: Sequence[np.ndarray], known: dict[str, str]) -> np.ndarray:
    codes, uniques = pd.factorize(np.concatenate([*parts, np.empty(0, dtype=object)]))
    decoded = (value.decode() for value in uniques)
    texts = (known.setdefault(text, text) for text in decoded)
    return np.fromiter(texts, dtype=object, count=len(uniques))[codes]
