"""The content encoder fills the cache that training reads, and encodes only what is new."""

import dataclasses

import numpy as np
import pytest

from tfrec.encoders.cache import encode_column, text_digests
from tfrec.model.build import build_encoders
from tfrec.pipelines.encoding import encode_catalogue


@pytest.fixture
def calls(monkeypatch):
    """How many new items each call of `encode_column` had to encode."""
    counts = []

    def counting(encoder, raw, keys, directory, progress=None):
        new = [0]
        vectors = encode_column(encoder, raw, keys, directory, lambda done, total: new.__setitem__(0, total))
        counts.append(new[0])
        return vectors

    monkeypatch.setattr("tfrec.pipelines.encoding.encode_column", counting)
    return counts


def test_a_changed_text_is_the_only_one_encoded_again(world, dataset, calls, tmp_path):
    config, catalogue = world.config(model={"use_search": False}), dataset.catalogue
    fingerprints = encode_catalogue(config, catalogue, str(tmp_path))
    assert list(fingerprints) == ["text"]  # picture and sound are trained
    assert calls == [len(catalogue)]

    texts = catalogue.columns["text"].copy()
    texts[3] = "whale comet"
    changed = dataclasses.replace(catalogue, columns={**catalogue.columns, "text": texts})
    assert encode_catalogue(config, changed, str(tmp_path)) == fingerprints
    assert calls[1:] == [1]

    encoder = build_encoders(config)["text"]
    vectors = encode_column(encoder, iter([]), text_digests(texts), str(tmp_path))
    assert np.abs(vectors).sum(axis=1).all()


def test_texts_to_search_by_are_encoded_too(world, dataset, calls, tmp_path):
    encode_catalogue(world.config(), dataset.catalogue, str(tmp_path))
    assert len(calls) == 2 and calls[1] > len(dataset.catalogue)
    encode_catalogue(world.config(), dataset.catalogue, str(tmp_path))
    assert calls[2:] == [0, 0]
