"""The Beam transform that encodes the content of a catalogue: only digests are shuffled, never content.

The digests of all content are joined with those in the cache; each that is left is encoded where its shard is read
once more. So every content is encoded once, however often the catalogue or an earlier run has it, and a run that was
killed goes on where it was.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import apache_beam as beam
import numpy as np
import tensorflow as tf
from apache_beam.ml.inference.base import ModelHandler, PredictionResult, RunInference
from apache_beam.transforms.util import BatchElements

from tfrec.config import Config
from tfrec.data.records import read_catalogue_shards
from tfrec.encoders.base import Encoder
from tfrec.encoders.build import build_encoder
from tfrec.encoders.cache import ITEMS_PER_SHARD, encode_function
from tfrec.encoders.cache_shards import open_shard, shard_names, write_shard
from tfrec.encoders.item_inputs import search_texts
from tfrec.model.two_tower import search_feature
from tfrec.pipelines.sections import config_of
from tfrec.pipelines.tables import catalogue_shards, read_media
from tfrec.schema import Feature

ENCODED = "encoded"
"""The Beam counter of contents that were encoded."""

_PIECE = 4 * ITEMS_PER_SHARD  # Contents of a shard that one worker encodes; each piece reads the shard again.
_TOGETHER = 256  # Contents that are given to an encoder together, and are in memory as such.
_BATCH = 64

Place = tuple[str, int]
"""Where a content lies: a shard, and the how-manieth content of it."""


def content_shards(config: Config, feature: str, catalogue: str, media: str) -> list[str]:
    """The files that hold the content of a feature, of the artifacts that `CatalogueIngest` gave."""
    if _feature(config, feature).modality == "text":
        return catalogue_shards(catalogue)
    return read_media(media, feature).shards


class Encode(beam.PTransform):
    """Encodes what the cache does not have of one feature's content, and writes it there.

    Args:
        section: `encoders_section` of the configuration.
        feature: name of the feature; `encoder`: its encoder.
        shards: `content_shards`.
        cache: folder of the embedding cache.
    """

    def __init__(self, section: str, feature: str, encoder: Encoder, shards: Sequence[str], cache: str):
        super().__init__()
        self.section, self.feature, self.shards = section, feature, shards
        self.folder = os.path.join(cache, encoder.fingerprint())
        self.vector = encoder.dimension, encoder.cached_as

    def expand(self, pipeline: beam.Pipeline) -> beam.PCollection:
        asked = (
            pipeline
            | "shards" >> beam.Create(self.shards)
            | "spread shards" >> beam.Reshuffle()
            | "digests" >> beam.FlatMap(_digests, self.section, self.feature)
        )
        cached = (
            pipeline
            | "cache" >> beam.Create(shard_names(self.folder))
            | "spread cache" >> beam.Reshuffle()
            | "cached digests" >> beam.FlatMap(_cached, self.folder, *self.vector)
        )
        return (
            {"asked": asked, "cached": cached}
            | "join" >> beam.CoGroupByKey()
            | "missing" >> beam.FlatMap(_missing)
            | "pieces" >> beam.GroupByKey()
            | "contents" >> beam.FlatMap(_contents_at, self.section, self.feature)
            | "encode" >> RunInference(EncoderHandler(self.section, self.feature))
            | "rows" >> BatchElements(min_batch_size=ITEMS_PER_SHARD, max_batch_size=ITEMS_PER_SHARD)
            | "write" >> beam.ParDo(_Write(self.folder))
        )


class EncoderHandler(ModelHandler[bytes, PredictionResult, Encoder]):
    """The frozen encoder of a feature as a model of RunInference, built once per worker.

    Args:
        section: `encoders_section` of the configuration.
        feature: name of the feature.
    """

    def __init__(self, section: str, feature: str):
        super().__init__()
        self.section, self.feature = section, feature

    def load_model(self) -> Any:
        return encode_function(build_encoder(_feature(config_of(self.section), self.feature)), _BATCH)

    def run_inference(
        self, batch: Sequence[bytes], model: Any, inference_args: dict[str, Any] | None = None
    ) -> Iterable[PredictionResult]:
        """Encode contents; each result has the content's vector, encoder.cached_as [dimension].

        Raises:
            DataError: if content cannot be decoded or vectors are not finite.
        """
        vectors = model(list(batch), lambda done, total: None)
        return [PredictionResult(content, vector) for content, vector in zip(batch, vectors)]

    def batch_elements_kwargs(self) -> dict[str, Any]:
        return {"min_batch_size": _TOGETHER, "max_batch_size": _TOGETHER}

    def get_metrics_namespace(self) -> str:
        return "tfrec.encoding"


class _Write(beam.DoFn):
    """Writes a shard of the cache, and counts what is in it."""

    def __init__(self, folder: str):
        super().__init__()
        self.folder = folder
        self.encoded = beam.metrics.Metrics.counter("tfrec.encoding", ENCODED)

    def process(self, results: Sequence[Any]) -> list[None]:
        keys = np.array([_digest(result.example) for result in results])
        write_shard(self.folder, keys, np.stack([result.inference for result in results]))
        self.encoded.inc(len(results))
        return []


def _digests(shard: str, section: str, feature: str) -> Iterator[tuple[bytes, Place]]:
    for number, content in enumerate(_contents(shard, section, feature)):
        if content:
            yield _digest(content), (shard, number)


def _cached(name: str, folder: str, dimension: int, dtype: Any) -> Iterator[tuple[bytes, None]]:
    shard = open_shard(folder, name, dimension, dtype)
    for key in () if shard is None else shard["key"]:
        yield bytes(key), None


def _missing(found: tuple[bytes, dict[str, Iterable[Any]]]) -> Iterator[tuple[Place, int]]:
    """The first place of a content that is not cached, by the piece of the shard it is in."""
    places = sorted(found[1]["asked"])
    if places and not list(found[1]["cached"]):
        shard, number = places[0]
        yield (shard, number // _PIECE), number


def _contents_at(piece: tuple[Place, Iterable[int]], section: str, feature: str) -> Iterator[bytes]:
    (shard, _), numbers = piece
    wanted = set(numbers)
    last = max(wanted)
    for number, content in enumerate(_contents(shard, section, feature)):
        if number in wanted:
            yield content
        if number == last:
            return


def _contents(shard: str, section: str, feature: str) -> Iterator[bytes]:
    """All that the encoder of a feature reads of a shard, b"" where an item has none: for the feature whose encoder
    reads free-text queries, also the texts to search by."""
    config = config_of(section)
    if _feature(config, feature).modality != "text":
        yield from tf.data.TFRecordDataset([shard]).as_numpy_iterator()
        return
    catalogue = read_catalogue_shards([shard], config.schema)
    for text in catalogue.columns[feature]:
        yield text.encode()
    if config.model.use_search and feature == search_feature(config.schema):
        for text in search_texts(catalogue, feature)[0]:
            yield text.encode()


def _digest(content: bytes) -> bytes:
    """The key of a content in the cache, as `text_digests` and `tfrec.data.media` make it."""
    return hashlib.sha256(content).hexdigest().encode()


def _feature(config: Config, name: str) -> Feature:
    return next(feature for feature in config.schema.content() if feature.name == name)
