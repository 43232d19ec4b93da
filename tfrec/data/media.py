"""Pictures or clips of one feature, in catalogue order, as TFRecord shards of raw bytes."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

import numpy as np

from tfrec.data.files import move_folder, read_bytes, writing
from tfrec.errors import DataError

if TYPE_CHECKING:
    import tensorflow as tf

_INDEX = "index.json"
_SHARD_BYTES = 128 * 2**20


class Media:
    """The content of one image or audio feature of the catalogue.

    Attributes:
        directory: the folder of the shards.
        present: bool [N], whether an item has content.
        digests: object array of str [N], the SHA-256 of the stored bytes in hexadecimal, "" where absent.
        shards: paths of the TFRecord files; a record is an item's bytes, b"" where absent.
    """

    def __init__(self, directory: str, digests: np.ndarray, shards: list[str]):
        self.directory = directory
        self.digests = digests
        self.present = digests != ""
        self.shards = shards

    def __len__(self) -> int:
        return len(self.digests)

    def __iter__(self) -> Iterator[bytes]:
        """The bytes of each item in catalogue order, b"" where absent."""
        yield from self.dataset().as_numpy_iterator()

    def dataset(self) -> tf.data.Dataset:
        """The same as a dataset of scalar strings."""
        import tensorflow as tf

        return tf.data.TFRecordDataset(tf.constant(self.shards, tf.string))


def write_media(directory: str, name: str, blobs: Iterable[bytes]) -> Media:
    """Store bytes in the order given under `directory`/`name`, replacing what was there once all is written.

    Raises:
        DataError: if they cannot be written, for instance because the disk is full.
    """
    import tensorflow as tf

    path, partial = os.path.join(directory, name), os.path.join(directory, f".{name}.partial")
    with writing(path):
        if tf.io.gfile.exists(partial):
            tf.io.gfile.rmtree(partial)
        tf.io.gfile.makedirs(partial)
        digests, names = _write_shards(partial, blobs)
        with tf.io.gfile.GFile(os.path.join(partial, _INDEX), "w") as file:
            file.write(json.dumps({"shards": names, "digests": digests}))
        if tf.io.gfile.exists(path):
            tf.io.gfile.rmtree(path)
        move_folder(partial, path)
    return open_media(directory, name)


def open_media(directory: str, name: str) -> Media:
    """Open what `write_media` stored.

    Raises:
        DataError: if it is missing or damaged.
    """
    path = os.path.join(directory, name)
    content = read_bytes(os.path.join(path, _INDEX), "data.output")
    try:
        index = json.loads(content)
        digests = np.fromiter(index["digests"], dtype=object, count=len(index["digests"]))
        shards = [os.path.join(path, shard) for shard in index["shards"]]
    except (ValueError, TypeError, KeyError) as error:
        raise DataError(f"{path} is damaged: {error}; ingest the data again") from error
    return Media(path, digests, shards)


def _write_shards(directory: str, blobs: Iterable[bytes]) -> tuple[list[str], list[str]]:
    digests: list[str] = []
    names: list[str] = []
    writer, written = None, 0
    try:
        for blob in blobs:
            if writer is None or written >= _SHARD_BYTES:
                if writer is not None:
                    writer.close()
                names.append(f"{len(names):05d}.tfrecord")
                writer, written = _shard_writer(os.path.join(directory, names[-1])), 0
            writer.write(blob)
            written += len(blob)
            digests.append(hashlib.sha256(blob).hexdigest() if blob else "")
    finally:
        if writer is not None:
            writer.close()
    return digests, names


def _shard_writer(path: str) -> tf.io.TFRecordWriter:
    import tensorflow as tf

    return tf.io.TFRecordWriter(path)
