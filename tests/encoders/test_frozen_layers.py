"""The frozen layers of a partly trained BERT, kept in the cache, are as good as tokens."""

import numpy as np
import pytest
import tensorflow as tf

from tests.encoders.conftest import WIDTH, write_bert
from tfrec.encoders import item_inputs
from tfrec.encoders.bert.importing import import_bert
from tfrec.encoders.cache import encode_column, text_digests
from tfrec.encoders.text import TextEncoder

TEXTS = ["the robot", "sea", "", "robot robot robot robot robot robot robot", "a sea of robots."]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    place = tmp_path_factory.mktemp("bert")
    write_bert(place / "checkpoint")
    import_bert(str(place / "checkpoint"), str(place / "imported"))
    return str(place / "imported")


def encoder(folder, **settings):
    return TextEncoder({"kind": "hub", "path": folder, "train": 1, "max_length": 8, **settings}, name="text")


def kept(whole, folder, texts=TEXTS):
    return encode_column(whole.frozen_part(), [t.encode() for t in texts], text_digests(texts), folder)


def test_vectors_from_kept_layers_are_those_from_tokens_to_half_precision(folder, tmp_path):
    whole = encoder(folder)
    column = kept(whole, str(tmp_path))
    assert column.dtype == np.float16 and column.shape == (5, 8 * (WIDTH + 1))
    expected = whole(whole.prepare(tf.constant(TEXTS)))
    np.testing.assert_allclose(whole(tf.constant(column)), expected, atol=5e-3)
    assert not whole(tf.constant(column))[2].numpy().any()


def test_layers_are_kept_without_computing_on_padding_and_are_the_same(folder, monkeypatch):
    part = encoder(folder).frozen_part()
    padded = part(part.prepare(tf.constant(TEXTS)))
    places, lower = [], part._bert.lower
    told = []

    def counted(inputs):
        tf.py_function(lambda ids: places.append(int(tf.size(ids))), [inputs["input_word_ids"]], [])
        return lower(inputs)

    monkeypatch.setattr(part._bert, "lower", counted)
    found = part.encode_raw(TEXTS, batch_size=2, progress=lambda *step: told.append(step))
    assert found.dtype == np.float16 and found.shape == padded.shape
    np.testing.assert_allclose(found, padded, atol=2e-3)
    assert told == [(2, 5), (4, 5), (5, 5)]
    assert sum(places) < 5 * 8


def test_gradients_from_kept_layers_are_those_from_tokens(folder, tmp_path):
    whole = encoder(folder)
    content, column = whole.prepare(tf.constant(TEXTS)), tf.constant(kept(whole, str(tmp_path)))
    goal = tf.random.stateless_normal([5, WIDTH], [1, 2])
    found = []
    for read in (content, column):
        with tf.GradientTape() as tape:
            loss = tf.reduce_sum(whole(read, training=False) * goal)
        found.append(tape.gradient(loss, whole.trainable_weights))
    assert all(gradient is not None for gradients in found for gradient in gradients)
    for from_tokens, from_kept in zip(*found):
        scale = np.abs(from_tokens).max()
        np.testing.assert_allclose(from_kept, from_tokens, atol=0.01 * scale + 1e-4)


def test_training_the_top_does_not_change_what_is_kept_and_a_changed_text_is_the_only_one_encoded_again(
    folder, tmp_path, monkeypatch
):
    whole = encoder(folder)
    kept(whole, str(tmp_path))
    for weight in whole.trainable_weights:
        weight.assign_add(tf.ones_like(weight))
    calls = []
    part = whole.frozen_part()
    prepare = type(part).prepare
    monkeypatch.setattr(type(part), "prepare", lambda self, raw: calls.append(1) or prepare(self, raw))
    column = kept(whole, str(tmp_path))
    assert not calls
    told = []
    changed = [*TEXTS[:-1], "another sea"]
    again = encode_column(
        part, [t.encode() for t in changed], text_digests(changed), str(tmp_path), lambda *step: told.append(step)
    )
    assert told[-1] == (1, 1)
    np.testing.assert_array_equal(again[:-1], column[:-1])


def test_another_number_of_layers_or_other_weights_are_kept_apart(folder):
    one, two = (encoder(folder, train=top).frozen_part() for top in (1, 2))
    assert one.fingerprint() != two.fingerprint()
    assert one.fingerprint() == encoder(folder).frozen_part().fingerprint()
    assert one.fingerprint() != encoder(folder, max_length=9).frozen_part().fingerprint()


@pytest.mark.parametrize("settings", [{"train": "none"}, {"train": "all"}, {"train": "adapters"}])
def test_where_nothing_or_everything_is_trained_there_is_no_part(folder, settings):
    assert encoder(folder, **settings).frozen_part() is None


def test_a_language_model_reads_tokens(folder):
    assert encoder(folder, language_weight=0.1).frozen_part() is None


def test_of_a_catalogue_too_large_to_keep_tokens_are_prepared(folder, tmp_path, monkeypatch):
    whole = encoder(folder)
    texts = np.array(TEXTS, object)
    assert item_inputs._encoded_texts(whole, texts, str(tmp_path), None).dtype == np.float16
    monkeypatch.setattr(item_inputs, "MOST_OF_FROZEN_PARTS", 100)
    tokens = item_inputs._encoded_texts(whole, texts, str(tmp_path), None)
    assert tokens.dtype == np.int32 and tokens.shape == (5, 3, 8)


def test_tokens_that_are_trained_on_are_as_long_as_the_longest_text_and_give_the_same_vectors(folder, tmp_path):
    whole = encoder(folder, train="all")
    texts = np.array(["the robot", "", "sea"], object)
    tokens = item_inputs._encoded_texts(whole, texts, str(tmp_path), None)
    assert tokens.shape == (3, 3, 4)
    full = whole.prepare(tf.constant(texts))
    np.testing.assert_array_equal(tokens, full[:, :, :4])
    np.testing.assert_allclose(whole(tf.constant(tokens)), whole(full), atol=1e-5)
    nothing = item_inputs._encoded_texts(whole, texts[1:2], str(tmp_path), None)
    assert nothing.shape == (1, 3, 1) and not whole(tf.constant(nothing)).numpy().any()
