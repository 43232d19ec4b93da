"""The content encoder fills the cache that training reads, and encodes only what is new; on one worker or several."""

import dataclasses
import os

import apache_beam as beam
import numpy as np
import pytest

from tfrec.data.ingest import ingest_catalogue
from tfrec.data.media import open_media
from tfrec.encoders.build import build_encoder
from tfrec.encoders.cache import encode_column, text_digests
from tfrec.encoders.cache_shards import shard_names
from tfrec.encoders.item_inputs import search_texts
from tfrec.errors import DataError
from tfrec.pipelines import sections, tables
from tfrec.pipelines.encoding import encode_catalogue

ONE = ["--direct_running_mode=in_memory", "--direct_num_workers=1"]
TWO = ["--direct_running_mode=multi_processing", "--direct_num_workers=2"]

APART = ["--direct_running_mode=multi_threading", "--direct_num_workers=2"]
"""Workers whose errors come back as text, as those of services do."""


class Shop:
    """A catalogue of several shards with a frozen text encoder and a frozen picture encoder."""

    def __init__(self, world):
        self.config = world.config()
        self.section = sections.encoders_section(self.config)
        self.media = str(world.folder / "media")
        self.ingested = ingest_catalogue(self.config, self.media)

    def written(self, folder, catalogue=None):
        ingested = self.ingested if catalogue is None else self.ingested._replace(catalogue=catalogue)
        tables.write_catalogue(ingested, self.config, str(folder), str(folder / "report"))
        return str(folder)

    def encoded(self, options, catalogue, cache):
        return encode_catalogue(beam.Pipeline(argv=options), self.section, catalogue, self.media, str(cache))

    def encoder(self, name):
        return build_encoder(next(feature for feature in self.config.schema.content() if feature.name == name))


@pytest.fixture(scope="module")
def shop(tmp_path_factory, make_world, word_encoder):
    folder = tmp_path_factory.mktemp("shop")
    picture = {"kind": "small-cnn", "size": 16, "dimension": 16}
    features = {
        "text": {
            "modality": "text",
            "columns": ["title", "description"],
            "encoder": {"path": word_encoder, "pooling": "mean", "max_length": 16},
        },
        "picture": {"modality": "image", "encoder": {**picture, "weights": str(folder / "picture.weights.h5")}},
    }
    from tfrec.encoders.image import ImageEncoder

    ImageEncoder(picture).network.save_weights(str(folder / "picture.weights.h5"))
    world = make_world(folder, features, items=14, users=4, events=2)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("tfrec.data.media._SHARD_BYTES", 4000)  # so that the pictures are in several shards too
        return Shop(world)


@pytest.fixture
def few_rows(monkeypatch):
    monkeypatch.setattr("tfrec.data.records.ROWS_PER_SHARD", 5)


def vectors(shop, name, raw, keys, cache):
    return encode_column(shop.encoder(name), raw, keys, str(cache))


@pytest.mark.slow
@pytest.mark.parametrize("options", [ONE, TWO], ids=["one", "two"])
def test_workers_give_the_vectors_of_one_process(shop, few_rows, options, tmp_path):
    catalogue = shop.written(tmp_path / "catalogue")
    assert len(tables.catalogue_shards(catalogue)) == 3
    media = shop.ingested.catalogue.media["picture"]
    assert len(media.shards) > 1
    fingerprints = shop.encoded(options, catalogue, tmp_path / "beam")
    assert list(fingerprints) == ["text", "picture"]
    texts = shop.ingested.catalogue.columns["text"]
    queries = search_texts(shop.ingested.catalogue, "text")[0]
    for name, raw, keys in [
        ("text", [text.encode() for text in texts], text_digests(texts)),
        ("text", [text.encode() for text in queries], text_digests(queries)),
        ("picture", list(media), media.digests),
    ]:
        found = vectors(shop, name, iter([]), keys, tmp_path / "beam")  # nothing to encode: all is in the cache
        np.testing.assert_allclose(found, vectors(shop, name, raw, keys, tmp_path / "process"), atol=1e-5)
        assert np.abs(found).sum() > 0


@pytest.mark.slow
def test_only_what_is_new_is_encoded_and_what_is_the_same_once(shop, few_rows, tmp_path, caplog):
    caplog.set_level("INFO", logger="tfrec.pipelines.encoding")
    catalogue = shop.written(tmp_path / "catalogue")
    fingerprint = shop.encoded(ONE, catalogue, tmp_path / "cache")["text"]
    stored = shard_names(str(tmp_path / "cache" / fingerprint))
    shop.encoded(ONE, catalogue, tmp_path / "cache")
    assert shard_names(str(tmp_path / "cache" / fingerprint)) == stored
    assert caplog.messages[-1].startswith("0 contents were new")

    texts = shop.ingested.catalogue.columns["text"].copy()
    texts[[3, 12]] = "whale comet"  # in two shards
    columns = {**shop.ingested.catalogue.columns, "text": texts}
    changed = dataclasses.replace(shop.ingested.catalogue, columns=columns)
    shop.encoded(ONE, shop.written(tmp_path / "changed", changed), tmp_path / "cache")
    assert caplog.messages[-1].startswith("1 contents were new")
    assert np.abs(vectors(shop, "text", iter([]), text_digests(texts), tmp_path / "cache")).sum(axis=1).all()


@pytest.mark.parametrize("options", [ONE, APART], ids=["in memory", "apart"])
def test_content_that_cannot_be_decoded_is_the_worker_s_sentence(shop, few_rows, options, tmp_path, monkeypatch):
    from tfrec.data.media import write_media

    media = open_media(os.path.join(shop.media, "media"), "picture")
    broken = tmp_path / "media"
    write_media(str(broken / "media"), "picture", [b"no picture", *list(media)[1:]])
    monkeypatch.setattr(shop, "media", str(broken))
    with pytest.raises(DataError, match=r"^content of 'picture' cannot be decoded .*Unknown image file format"):
        shop.encoded(options, shop.written(tmp_path / "catalogue"), tmp_path / "cache")
