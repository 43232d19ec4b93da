"""A catalogue's content encoded once: vectors cached by content digest and encoder, and prepared columns."""

from __future__ import annotations

import functools
import hashlib
import itertools
from collections.abc import Callable, Iterable, Sequence, Sized

import numpy as np
import tensorflow as tf

from tfrec.encoders.base import Encoder
from tfrec.encoders.cache_shards import KEY, open_shards, write_shard
from tfrec.encoders.scratch import scratch_array
from tfrec.errors import DataError

Progress = Callable[[int, int], None]
ITEMS_PER_SHARD = 2048
_PREPARED_TOGETHER = 32


def encode_column(
    encoder: Encoder,
    raw: Iterable[bytes | str],
    keys: Sequence[str] | np.ndarray,
    directory: str,
    progress: Progress | None = None,
    batch_size: int = 64,
    shard_size: int = ITEMS_PER_SHARD,
) -> np.ndarray:
    """Return the vectors of N items, encoder.cached_as [N, encoder.dimension], encoding only those not in the cache.

    Finished shards outlive a kill and are shared by all runs and processes that use `directory`; two processes that
    encode the same item at the same time both write it, and either vector is used.

    Args:
        encoder: what encodes; where it has a method `encode_raw(items, batch_size, progress)` -> float32 [n, dimension]
            that is used, else `prepare` and `call`.
        raw: texts or bytes in catalogue order; read only if something is missing, one shard at a time.
        keys: digest of the content of each item (at most 64 ASCII characters), "" where it is absent: a zero row.
        directory: root of the cache; each encoder fingerprint has a folder in it.
        progress: called with (encoded, to encode) of this call's missing items.
        batch_size: items encoded together; the last batch is padded to it.
        shard_size: items encoded before they are saved: what a kill loses at most.

    Raises:
        DataError: if the disk is full, content cannot be decoded, vectors are not finite, or `raw` and `keys` disagree.
    """
    digests = _key_array(keys)
    folder = tf.io.gfile.join(directory, encoder.fingerprint())
    vectors, found = _cached_vectors(folder, digests, encoder)
    _, first = np.unique(digests, return_index=True)
    wanted = np.zeros(len(digests), bool)
    wanted[first] = ~found[first]
    total = int(wanted.sum())
    if total == 0:
        return vectors
    encode = encode_function(encoder, batch_size)
    missing, missing_keys, done = itertools.compress(raw, wanted), digests[wanted], 0
    while done < total:
        items = list(itertools.islice(missing, shard_size))
        if not items:
            raise DataError(f"there are {len(digests)} content digests but less content; run the ingestion again")
        shard_keys = missing_keys[done : done + len(items)]
        write_shard(folder, shard_keys, encode(items, _shifted(progress, done, total)))
        done += len(items)
    del vectors  # Or there would be two of them.
    vectors, found = _cached_vectors(folder, digests, encoder)
    if not found.all():
        raise DataError(f"{folder} lost shards while they were written; do not delete the cache during a run")
    return vectors


def prepare_column(encoder: Encoder, raw: Iterable[bytes | str], directory: str = "") -> np.ndarray:
    """Return the prepared content of N items, [N, *encoder.content_spec.shape], for an encoder that is being trained.

    Args:
        raw: texts or bytes in catalogue order, "" where absent (zeros); read as it is used if its length is known.
        directory: where it is kept while this process has it, if it is too large for memory; see `scratch_array`.

    Raises:
        DataError: if content cannot be decoded, or the disk is full.
    """
    raw = raw if isinstance(raw, Sized) else list(raw)
    spec = encoder.content_spec
    column = scratch_array([len(raw), *spec.shape], spec.dtype.as_numpy_dtype, directory)
    batches = tf.data.Dataset.from_generator(
        lambda: _batches(raw, _PREPARED_TOGETHER), output_signature=tf.TensorSpec([None], tf.string)
    ).map(encoder.prepare, num_parallel_calls=tf.data.AUTOTUNE)
    done = 0
    try:
        for prepared in batches.prefetch(2).as_numpy_iterator():
            column[done : done + len(prepared)] = prepared
            done += len(prepared)
    except tf.errors.InvalidArgumentError as error:
        raise _undecodable(encoder, error) from error
    return column


def text_digests(texts: Iterable[str]) -> np.ndarray:
    """The cache keys of texts: object array of sha256 in hexadecimal, "" for ""."""
    digests = [hashlib.sha256(text.encode()).hexdigest() if text else "" for text in texts]
    return np.array(digests, dtype=object)


def _key_array(keys: Sequence[str] | np.ndarray) -> np.ndarray:
    longest = max(map(len, keys), default=0)
    if longest > KEY.itemsize:
        raise DataError(f"a content digest has {longest} characters; at most {KEY.itemsize} are possible")
    return np.asarray(keys, dtype=object).astype(KEY)


def _cached_vectors(folder: str, digests: np.ndarray, encoder: Encoder) -> tuple[np.ndarray, np.ndarray]:
    """Return vectors [N, dimension], zeros where absent or not cached, and bool [N]: absent or cached."""
    vectors, found = np.zeros((len(digests), encoder.dimension), encoder.cached_as), digests == b""
    shards = open_shards(folder, encoder.dimension, encoder.cached_as)
    if not shards:
        return vectors, found
    stored = np.concatenate([shard["key"] for shard in shards])
    starts = np.cumsum([0] + [len(shard) for shard in shards])
    order = np.argsort(stored, kind="stable")
    place = np.minimum(np.searchsorted(stored, digests, sorter=order), len(stored) - 1)
    source = order[place]
    rows = np.flatnonzero((stored[source] == digests) & ~found)
    rows = rows[np.argsort(source[rows], kind="stable")]
    edges = np.searchsorted(source[rows], starts)
    for shard, start, first, last in zip(shards, starts, edges[:-1], edges[1:]):
        here = rows[first:last]
        vectors[here] = shard["vector"][source[here] - start]
    found[rows] = True
    return vectors, found


def encode_function(encoder: Encoder, batch_size: int) -> Callable[[list[bytes | str], Progress], np.ndarray]:
    """What encodes a list of raw items to vectors, encoder.cached_as [n, dimension], telling its progress.

    It raises DataError where content cannot be decoded or vectors are not finite.
    """

    @functools.partial(tf.function, input_signature=[tf.TensorSpec([batch_size], tf.string)], autograph=False)
    def encode_batch(raw: tf.Tensor) -> tf.Tensor:
        return encoder.call(encoder.prepare(raw), training=False)

    def encode(items: list[bytes | str], progress: Progress) -> np.ndarray:
        if hasattr(encoder, "encode_raw"):
            return encoder.encode_raw(items, batch_size, progress)
        vectors = np.zeros((len(items), encoder.dimension), encoder.cached_as)
        for start, batch in zip(itertools.count(0, batch_size), _batches(items, batch_size)):
            padded = np.full(batch_size, b"", object)
            padded[: len(batch)] = batch
            vectors[start : start + len(batch)] = encode_batch(tf.constant(padded)).numpy()[: len(batch)]
            progress(start + len(batch), len(items))
        return vectors

    def checked(items: list[bytes | str], progress: Progress) -> np.ndarray:
        try:
            vectors = np.asarray(encode(items, progress), encoder.cached_as)
        except tf.errors.InvalidArgumentError as error:
            raise _undecodable(encoder, error) from error
        broken = int((~np.isfinite(vectors)).any(axis=1).sum())
        if broken:
            raise DataError(
                f"the encoder of {encoder.name!r} gave vectors that are not finite for {broken} items; "
                "check its weights"
            )
        return vectors

    return checked


def _batches(items: Iterable[bytes | str], size: int) -> Iterable[np.ndarray]:
    iterator = iter(items)
    while batch := list(itertools.islice(iterator, size)):
        yield np.array(batch, dtype=object)


def _shifted(progress: Progress | None, done: int, total: int) -> Progress:
    return lambda more, _: progress(done + more, total) if progress else None


def _undecodable(encoder: Encoder, error: Exception) -> DataError:
    # Above it TensorFlow says where in the graph that was, below it which nodes led there.
    reason = [line for line in map(str.strip, str(error).splitlines()) if line and not line.startswith("[[")][-1]
    return DataError(f"content of {encoder.name!r} cannot be decoded ({reason}); run the ingestion again")
