"""The tables as gzip TFRecords of tf.Example, the form in which a TFX pipeline passes them on; and back.

Keys are `item_id`, `title`, `user_id`, `time`, `type`, `weight`, `value`, and for features the keys of `FeatureSpace`:
"items.<name>", "users.<name>", "events.<name>". An absent value has no key. Pictures and clips are not in the examples;
`tfrec.data.media` stores them.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
import tensorflow as tf

from tfrec.data.files import writing
from tfrec.data.tables import Catalogue, Events, Users
from tfrec.errors import DataError
from tfrec.schema import Feature, Schema

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


def write_catalogue_examples(path: str, schema: Schema, catalogue: Catalogue) -> None:
    """Write an example per item, in catalogue order.

    Raises:
        DataError: if the file cannot be written.
    """
    features = {f"items.{name}": column for name, column in catalogue.columns.items()}
    _write(path, catalogue_columns(schema), {"item_id": catalogue.ids, "title": catalogue.titles, **features})


def read_catalogue_examples(paths: Sequence[str], schema: Schema) -> Catalogue:
    """Read what `write_catalogue_examples` wrote; the media are opened apart.

    Raises:
        DataError: if a file is missing or damaged.
    """
    arrays = _read(paths, catalogue_columns(schema))
    return Catalogue(arrays.pop("item_id"), arrays.pop("title"), _by_name(arrays, "items"))


def write_users_examples(path: str, schema: Schema, users: Users) -> None:
    """Write an example per user, in the order of `users`.

    Raises:
        DataError: if the file cannot be written.
    """
    features = {f"users.{name}": column for name, column in users.columns.items()}
    _write(path, users_columns(schema), {"user_id": users.ids, **features})


def read_users_examples(paths: Sequence[str], schema: Schema) -> Users:
    """Read what `write_users_examples` wrote.

    Raises:
        DataError: if a file is missing or damaged.
    """
    arrays = _read(paths, users_columns(schema))
    return Users(arrays.pop("user_id"), _by_name(arrays, "users"))


def write_events_examples(path: str, schema: Schema, events: Events, catalogue: Catalogue, users: Users) -> None:
    """Write an example per event, in the order of `events`, with ids in place of positions.

    Raises:
        DataError: if the file cannot be written.
    """
    arrays = {"user_id": users.ids[events.user], "item_id": catalogue.ids[events.item]}
    arrays |= {"time": events.time, "type": events.type, "weight": events.weight, "value": events.value}
    arrays |= {f"events.{name}": column for name, column in events.context.items()}
    _write(path, events_columns(schema), arrays)


def read_events_examples(paths: Sequence[str], schema: Schema, catalogue: Catalogue, users: Users) -> Events:
    """Read what `write_events_examples` wrote, looking up ids in `catalogue` and `users`.

    Raises:
        DataError: if a file is missing or damaged, or names an item or user that the tables do not have.
    """
    arrays = _read(paths, events_columns(schema))
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


def _write(path: str, columns: Sequence[Column], arrays: Mapping[str, np.ndarray]) -> None:
    encoded = [_encoded(column, arrays[column.key]) for column in columns]
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
    spec = parsing_spec(columns)
    records = tf.data.TFRecordDataset(list(paths), compression_type="GZIP").batch(_BATCH)
    try:
        batches = list(records.map(lambda serialised: tf.io.parse_example(serialised, spec)))
    except tf.errors.OpError as error:
        raise DataError(f"cannot read the examples {', '.join(paths)}: {' '.join(error.message.split())}") from error
    return {column.key: _joined(column, [batch[column.key] for batch in batches]) for column in columns}


def _joined(column: Column, parts: Sequence[Any]) -> np.ndarray:
    if column.kind == "strings":
        texts = _texts([part.flat_values.numpy() for part in parts])
        lengths = np.concatenate([part.row_lengths().numpy() for part in parts] or [np.empty(0, np.int64)])
        ends = np.cumsum(lengths)
        rows = (tuple(texts[start:end]) for start, end in zip(ends - lengths, ends))
        return np.fromiter(rows, dtype=object, count=len(lengths))
    arrays = [part.numpy() for part in parts]
    if column.kind == "string":
        return _texts(arrays)
    return np.concatenate(arrays or [np.empty(0, np.float32 if column.kind == "float" else np.int64)])


def _texts(parts: Sequence[np.ndarray]) -> np.ndarray:
    codes, uniques = pd.factorize(np.concatenate([*parts, np.empty(0, dtype=object)]))
    return np.fromiter((value.decode() for value in uniques), dtype=object, count=len(uniques))[codes]
