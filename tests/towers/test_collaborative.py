"""Items as a table first: queries by sums and by factors, items of the table, and what content says of others."""

import numpy as np
import pytest
import tensorflow as tf

from tfrec.config import Model
from tfrec.towers.collaborative_query import CollaborativeQueryTower
from tfrec.towers.collaborative_tower import CollaborativeItemTower
from tfrec.towers.least_squares import LeastSquaresQuery

SETTINGS = Model(members=2, dimension=4, factors=3, query_hidden=(5,), dropout=0.0)
KNOWN = 3


@pytest.fixture
def towers(schema, length_encoder):
    encoders = {"blurb": length_encoder(name="blurb"), "cover": length_encoder(name="cover")}
    items = CollaborativeItemTower(schema, SETTINGS, encoders, {"genre": 5, "tags": 6}, KNOWN)
    return items, CollaborativeQueryTower(schema, SETTINGS, {"country": 5, "device": 4})


def catalogue():
    return {
        "id": tf.constant([0, 1, 2, 3]),
        "genre": tf.constant([2, 3, 2, 4]),
        "tags": tf.constant([[2, 3], [2, 0], [0, 0], [3, 4]]),
        "price": tf.constant([[0.5, 1.0], [0.0, 0.0], [-1.0, 1.0], [2.0, 1.0]]),
        "blurb": tf.constant([[1], [2], [3], [4]]),
        "cover": tf.constant([[7], [7], [8], [9]]),
        "blurb.present": tf.constant([True, True, False, True]),
        "cover.present": tf.constant([True] * 4),
    }


def features(rows):
    return {
        "country": tf.zeros([rows], tf.int32),
        "age": tf.zeros([rows, 2]),
        "device": tf.zeros([rows], tf.int32),
    }


def test_before_content_is_read_an_unknown_item_is_nothing_and_a_known_one_its_row(towers):
    items = towers[0]
    embedding, logged = items(catalogue())
    assert embedding.shape == (4, items.width) and not embedding[0].numpy().any()
    np.testing.assert_allclose(embedding[1:, : items.member_width], items.id_embedding.embeddings[1:])
    np.testing.assert_allclose(logged["weights"][:, 0], [0, 1, 1, 1])


def test_content_places_what_is_unknown_and_leaves_what_is_known(towers):
    items = towers[0]
    before = items(catalogue())[0]
    encoded = {**catalogue(), **{name: tf.zeros([4, 4]) for name in ("blurb", "cover")}}
    items.regression(encoded)
    items.regression.mean.assign(tf.ones([items.width]))
    items.regression.weights_of_groups.assign(tf.ones_like(items.regression.weights_of_groups))
    items.reads_content = True
    after, logged = items(catalogue())
    np.testing.assert_allclose(after[1:], before[1:])
    np.testing.assert_allclose(after[0], np.ones(items.width), atol=1e-6)
    assert logged["weights"].shape == (4, len(items.modalities)) == (4, 4)
    np.testing.assert_allclose(tf.reduce_sum(logged["weights"], axis=1), np.ones(4), atol=1e-6)
    items.own_share.assign([0.0, 0.5, 1.0, 1.0])
    np.testing.assert_allclose(items(catalogue())[0][1], 0.5 * before[1] + 0.5, atol=1e-6)


def test_landmarks_answer_with_their_own_vectors_where_the_ridge_is_small(towers):
    items = towers[0]
    encoded = {**catalogue(), "blurb": tf.random.normal([4, 4]), "cover": tf.random.normal([4, 4])}
    known = {name: value[1:] for name, value in encoded.items()}
    items.regression(encoded)
    groups = items.regression.features(known)
    items.regression.weights_of_groups.assign(tf.ones_like(items.regression.weights_of_groups))
    points = tf.concat([groups[name] for name in items.regression.features.groups], axis=1).numpy()
    items.regression.points.assign(points)
    likeness = np.exp(-((points[:, None] - points[None]) ** 2).sum(axis=-1))
    vectors = np.random.default_rng(1).normal(size=(KNOWN, items.width)).astype(np.float32)
    items.regression.coefficients.assign(np.linalg.solve(likeness, vectors))
    np.testing.assert_allclose(items.regression(known)[0], vectors, atol=1e-3)


def test_the_less_is_known_of_somebody_the_nearer_their_query_is_to_none(towers):
    items, queries = towers
    table = items(catalogue())[0][tf.newaxis]
    lengths = [0.0]
    for mask in ([[0.0, 1, 0, 0]], [[0.0, 1, 1, 1]]):
        one = queries(table, tf.constant(mask), features(1)).numpy()[0, : items.member_width]
        lengths.append(np.linalg.norm(one.reshape(2, -1)[:, :4]))
    single = items.id_embedding.embeddings[1].numpy().reshape(2, -1)[:, 5:]
    np.testing.assert_allclose(lengths[1], np.linalg.norm(single) / (1 + SETTINGS.history_shrinkage), rtol=1e-4)


def test_queries_from_sums_are_those_from_items(towers):
    items, queries = towers
    table = items(catalogue())[0]
    mask = tf.constant([[0.0, 1, 1, 0], [0, 0, 0, 0]])
    whole = queries(tf.tile(table[tf.newaxis], [2, 1, 1]), mask, features(2))
    sums = tf.matmul(mask, table[:, : items.member_width])
    of_members = queries.of_members(sums, tf.reduce_sum(mask, axis=1, keepdims=True), features(2))
    np.testing.assert_allclose(whole[:, : items.member_width], of_members, atol=1e-6)
    assert not whole[:, items.member_width :].numpy().any(), "factors say nothing before they are weighed"


def test_a_history_is_folded_in_as_least_squares_would():
    """Equal to the minimum of the weighted squares, found by an independent solver."""
    random = np.random.default_rng(2)
    items, width, confidence, ridge = 9, 3, 2.0, 0.7
    factors = random.normal(size=(items, width))
    layer = LeastSquaresQuery(width, confidence)
    layer(tf.zeros([1, 1, width]), tf.zeros([1, 1]))
    layer.gram.assign(factors.T @ factors + ridge * np.eye(width))
    layer.scale.assign(1.0)
    touched = np.array([1, 4, 5])
    weights = np.ones(items)
    weights[touched] += confidence
    rows = np.concatenate([np.sqrt(weights)[:, None] * factors, np.sqrt(ridge) * np.eye(width)])
    asked = np.concatenate([np.sqrt(weights) * np.isin(np.arange(items), touched), np.zeros(width)])
    expected = np.linalg.lstsq(rows, asked, rcond=None)[0]
    history = np.zeros((2, 5, width), np.float32)
    history[0, :3] = factors[touched]
    mask = tf.constant([[1.0, 1, 1, 0, 0], [0, 0, 0, 0, 0]])
    found = layer(tf.constant(history), mask).numpy()
    np.testing.assert_allclose(found[0], expected, atol=1e-4)
    assert not found[1].any()
