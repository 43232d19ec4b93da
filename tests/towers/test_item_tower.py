import numpy as np
import pytest
import tensorflow as tf

from tfrec.config import Model
from tfrec.towers.fusion import FUSIONS
from tfrec.towers.item_tower import ItemTower, is_encoded

SETTINGS = {"dimension": 8, "dropout": 0.0, "modality_dropout": 0.5}


@pytest.fixture(scope="module")
def make_tower(schema, length_encoder):
    def make(**settings):
        encoders = {"blurb": length_encoder(name="blurb"), "cover": length_encoder(name="cover")}
        return ItemTower(schema, Model(**{**SETTINGS, **settings}), encoders, {"genre": 5, "tags": 6}, known_items=3)

    return make


def items(batch=6, **changes):
    """A batch of items that have every modality, as numbers that `ItemTower.call` takes."""
    arrays = {
        "id": np.arange(batch) % 4,
        "genre": np.arange(batch) % 3 + 2,
        "tags": np.tile([[2, 3, 0]], [batch, 1]),
        "price": np.tile([[0.5, 1.0]], [batch, 1]).astype(np.float32),
        "blurb": np.arange(batch)[:, np.newaxis] + 1,
        "cover": np.arange(batch)[:, np.newaxis] + 7,
        "blurb.present": np.ones(batch, bool),
        "cover.present": np.ones(batch, bool),
    }
    arrays.update(changes)
    return {
        name: tf.constant(array, None if array.dtype in (bool, np.float32) else tf.int32)
        for name, array in arrays.items()
    }


@pytest.mark.parametrize("fusion", sorted(FUSIONS))
def test_every_fusion_embeds_items_at_length_one(make_tower, fusion):
    tower = make_tower(fusion=fusion)
    embedding, logged = tower(items())
    assert embedding.shape == (6, tower.width)
    np.testing.assert_allclose(np.linalg.norm(embedding, axis=1), 1, atol=1e-5)
    assert logged["weights"].shape == (6, len(tower.modalities)) == (6, 4)


def test_the_content_of_an_absent_modality_changes_nothing(make_tower):
    tower = make_tower()
    absent = {"blurb.present": np.zeros(6, bool)}
    one = tower(items(**absent))[0]
    other = tower(items(**absent, blurb=np.full([6, 1], 99)))[0]
    np.testing.assert_allclose(one, other, atol=1e-6)


def test_an_item_with_nothing_at_all_still_has_an_embedding(make_tower):
    nothing = {
        "id": np.zeros(6),
        "genre": np.zeros(6),
        "tags": np.zeros([6, 3]),
        "price": np.zeros([6, 2], np.float32),
        "blurb.present": np.zeros(6, bool),
        "cover.present": np.zeros(6, bool),
    }
    for fusion in sorted(FUSIONS):
        embedding, logged = make_tower(fusion=fusion)(items(**nothing))
        np.testing.assert_allclose(np.linalg.norm(embedding, axis=1), 1, atol=1e-5)
        np.testing.assert_allclose(np.sum(logged["weights"], axis=1), 1, atol=1e-5)


def test_padding_of_a_multi_valued_category_does_not_count(make_tower):
    tower = make_tower()
    narrow = items(tags=np.tile([[2, 3]], [6, 1]))
    wide = items(tags=np.tile([[2, 3, 0, 0, 0]], [6, 1]))
    np.testing.assert_allclose(tower(narrow)[0], tower(wide)[0], atol=1e-6)


def test_modalities_are_hidden_in_training_only_and_never_all_of_an_item(make_tower):
    tower = make_tower(fusion="weighted", modality_dropout=0.9)
    batch = items(batch=64)
    np.testing.assert_array_equal(tower(batch)[0], tower(batch)[0])
    weights = tower(batch, training=True)[1]["weights"].numpy()
    shown = (weights > 1e-6).sum(axis=1)
    assert shown.min() >= 1 and 0 < (shown < 4).mean() <= 1
    np.testing.assert_allclose(weights.sum(axis=1), 1, atol=1e-5)


def test_content_may_come_prepared_or_as_the_vectors_of_the_encoder(make_tower):
    tower = make_tower()
    prepared = items()
    embedding = tower(prepared)[0]
    vectors = {name: tower.encoders[name](prepared[name]) for name in ("blurb", "cover")}
    np.testing.assert_allclose(tower({**prepared, **vectors})[0], embedding, atol=1e-6)


def test_vectors_are_told_from_prepared_content_by_shape_and_type(length_encoder):
    encoder = length_encoder(dimension=1)
    assert not is_encoded(tf.zeros([2, 1], tf.int32), encoder)
    assert is_encoded(tf.zeros([2, 1], tf.float32), encoder)


def test_a_tower_without_ids_has_no_id_vector(make_tower):
    tower = make_tower(use_id=False)
    assert "id" not in tower.modalities
    np.testing.assert_array_equal(tower(items(id=np.zeros(6)))[0], tower(items(id=np.ones(6)))[0])
