import numpy as np
import pytest
import tensorflow as tf

from tfrec.config import Model
from tfrec.towers.item_tower import ItemTower
from tfrec.towers.query_tower import QueryTower
from tfrec.towers.sides import item_sides, member_products, query_sides, read_side, width_of_sides

ITEMS, ROWS, MEMBERS, WIDTH = 7, 3, 2, 4


@pytest.fixture(scope="module")
def parts():
    """found_by and read_by [7, 2, 4], weight [7, 2, 1], queries [3, 2, 4]."""
    random = np.random.default_rng(0)
    shapes = {"found_by": (ITEMS, WIDTH), "weight": (ITEMS, 1), "read_by": (ITEMS, WIDTH), "queries": (ROWS, WIDTH)}
    return {name: random.normal(size=(rows, MEMBERS, d)).astype(np.float32) for name, (rows, d) in shapes.items()}


def test_one_dot_product_is_the_sum_over_members_of_query_and_item_plus_weight(parts):
    items = item_sides(parts["found_by"], parts["weight"], parts["read_by"])
    queries = query_sides(tf.constant(parts["queries"]))
    assert items.shape == (ITEMS, width_of_sides(WIDTH, MEMBERS)) and queries.shape == (ROWS, items.shape[1])
    expected = np.einsum("bmd,umd->mbu", parts["queries"], parts["found_by"]) + parts["weight"][..., 0].T[:, np.newaxis]
    np.testing.assert_allclose(tf.matmul(queries, items, transpose_b=True), expected.sum(axis=0), rtol=1e-4, atol=1e-5)
    products = tf.reshape(member_products(queries, items, MEMBERS), [MEMBERS, ROWS, ITEMS])
    np.testing.assert_allclose(products, expected, rtol=1e-4, atol=1e-5)


def test_a_history_is_read_by_the_other_side(parts):
    items = item_sides(parts["found_by"], parts["weight"], parts["read_by"])
    read = read_side(tf.reduce_mean(items, axis=0, keepdims=True), MEMBERS)
    np.testing.assert_allclose(read[0], parts["read_by"].mean(axis=0).ravel(), atol=1e-6)


@pytest.fixture(scope="module")
def towers(schema, length_encoder):
    settings = Model(history="own", members=MEMBERS, dimension=WIDTH, query_hidden=(5,), dropout=0.0)
    encoders = {"blurb": length_encoder(name="blurb"), "cover": length_encoder(name="cover")}
    items = ItemTower(schema, settings, encoders, {"genre": 5, "tags": 6}, known_items=3)
    return items, QueryTower(schema, settings, {"country": 5, "device": 4}, items.width)


def catalogue():
    return {
        "id": tf.constant([0, 1, 2, 3]),
        "genre": tf.constant([2, 3, 2, 4]),
        "tags": tf.constant([[2, 3], [2, 0], [0, 0], [3, 4]]),
        "price": tf.constant([[0.5, 1.0]] * 4),
        "blurb": tf.constant([[1], [2], [3], [4]]),
        "cover": tf.constant([[7], [7], [8], [9]]),
        "blurb.present": tf.constant([True] * 4),
        "cover.present": tf.constant([True] * 4),
    }


def test_an_item_without_an_id_is_found_by_and_read_by_its_content(towers):
    new = towers[0](catalogue())[0].numpy()[0].reshape(MEMBERS, 2 * WIDTH + 1)
    np.testing.assert_allclose(new[:, :WIDTH], new[:, WIDTH + 1 :])
    np.testing.assert_allclose(np.linalg.norm(new[:, :WIDTH], axis=1), 1, atol=1e-5)
    assert not new[:, WIDTH].any()


def test_a_mean_with_its_count_is_as_good_as_the_history_item_by_item(towers):
    items, queries = towers
    table = items(catalogue())[0]
    features = {
        "country": tf.constant([1, 2]),
        "age": tf.constant([[0.5, 1.0], [0.0, 0.0]]),
        "device": tf.constant([0, 3]),
    }
    mask = tf.constant([[1.0, 1.0, 1.0, 0.0], [0.0, 0.0, 0.0, 0.0]])
    touched = tf.tile(table[tf.newaxis], [2, 1, 1])
    one_by_one = queries(touched, mask, features)
    count = tf.reduce_sum(mask, axis=1, keepdims=True)
    mean = tf.einsum("bh,bhd->bd", mask, touched) / tf.maximum(count, 1)
    np.testing.assert_allclose(queries(mean[:, tf.newaxis], count, features), one_by_one, atol=1e-6)
    asked = one_by_one.numpy().reshape(2, MEMBERS, 2 * WIDTH + 1)
    assert not asked[..., WIDTH + 1 :].any() and (asked[..., WIDTH] == 1).all() and np.isfinite(asked).all()
