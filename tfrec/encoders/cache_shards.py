"""Shards of the embedding cache: files of (content digest, vector) rows, whole or not there at all."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import io
import os
import time
import uuid
import warnings

import numpy as np
import tensorflow as tf

from tfrec.errors import DataError

KEY = np.dtype("S64")
_SUFFIX, _PARTIAL = ".npy", ".partial"
# A partial file this old was left by a process that was killed; a live one renames its own within seconds.
_ABANDONED_SECONDS = 3600


def shard_names(folder: str) -> list[str]:
    """The files of the shards in `folder`, ascending; none where there is no such folder."""
    names = tf.io.gfile.listdir(folder) if tf.io.gfile.isdir(folder) else []
    return sorted(name for name in names if name.endswith(_SUFFIX))


def open_shards(folder: str, dimension: int, dtype: type[np.floating] = np.float32) -> list[np.ndarray]:
    """Return the shards in `folder`: arrays of rows (key, vector [dimension]), memory-mapped on a local disk."""
    shards = (open_shard(folder, name, dimension, dtype) for name in shard_names(folder))
    return [shard for shard in shards if shard is not None]


def open_shard(folder: str, name: str, dimension: int, dtype: type[np.floating] = np.float32) -> np.ndarray | None:
    """One of the shards in `folder`.

    A shard is named by the hash of its rows. One whose rows do not match its name, because it was truncated or
    damaged, is removed with a warning, so that its items are encoded again, and None is returned.
    """
    path = tf.io.gfile.join(folder, name)
    shard = _read(path)
    if shard is not None and shard.dtype == _rows_dtype(dimension, dtype) and _name(shard) == name:
        return shard
    warnings.warn(f"{path} is damaged; its items are encoded again", RuntimeWarning, stacklevel=3)
    # Another process may have met the damage too and been faster.
    with contextlib.suppress(tf.errors.NotFoundError):
        tf.io.gfile.remove(path)
    return None


def write_shard(folder: str, keys: np.ndarray, vectors: np.ndarray) -> None:
    """Write `keys` [n] and their `vectors` [n, dimension] as one new shard.

    Raises:
        DataError: if it cannot be written, for instance because the disk is full; nothing of it is left then.
    """
    shard = np.empty(len(keys), _rows_dtype(vectors.shape[1], vectors.dtype.type))
    shard["key"], shard["vector"] = keys, vectors
    partial = tf.io.gfile.join(folder, uuid.uuid4().hex + _PARTIAL)
    try:
        tf.io.gfile.makedirs(folder)
        _remove_abandoned(folder)
        _write(partial, shard)
        tf.io.gfile.rename(partial, tf.io.gfile.join(folder, _name(shard)), overwrite=True)
    except (OSError, tf.errors.OpError) as error:
        if tf.io.gfile.exists(partial):
            tf.io.gfile.remove(partial)
        full = isinstance(error, tf.errors.ResourceExhaustedError) or getattr(error, "errno", None) == errno.ENOSPC
        reason = "the disk is full" if full else str(error).split("\n")[0]
        raise DataError(
            f"cannot write {shard.nbytes / 1e6:.1f} MB of encoded content to {folder}: {reason}; "
            "make room or choose another folder and run again, what was encoded before is kept"
        ) from error


def _rows_dtype(dimension: int, dtype: type[np.floating]) -> np.dtype:
    return np.dtype([("key", KEY), ("vector", dtype, (dimension,))])


def _name(shard: np.ndarray) -> str:
    return hashlib.sha256(shard.view(np.uint8).data).hexdigest()[:32] + _SUFFIX


def _read(path: str) -> np.ndarray | None:
    """The rows of the file, or None where it is no whole .npy file."""
    try:
        if "://" not in path:
            return np.load(path, mmap_mode="r")
        with tf.io.gfile.GFile(path, "rb") as file:
            return np.load(io.BytesIO(file.read()))
    except (ValueError, EOFError, OSError):
        return None


def _write(path: str, shard: np.ndarray) -> None:
    buffer = io.BytesIO()
    np.save(buffer, shard)
    if "://" in path:
        with tf.io.gfile.GFile(path, "wb") as file:
            file.write(buffer.getvalue())
        return
    with open(path, "wb") as file:
        file.write(buffer.getbuffer())
        file.flush()
        os.fsync(file.fileno())


def _remove_abandoned(folder: str) -> None:
    for path in tf.io.gfile.glob(tf.io.gfile.join(folder, "*" + _PARTIAL)):
        # It is gone when another process has just renamed or removed it.
        with contextlib.suppress(tf.errors.NotFoundError):
            if time.time() - tf.io.gfile.stat(path).mtime_nsec / 1e9 > _ABANDONED_SECONDS:
                tf.io.gfile.remove(path)
