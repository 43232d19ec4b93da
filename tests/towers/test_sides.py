import numpy as np
import pytest
import tensorflow as tf

from tfrec.towers.sides import member_of_rows, query_sides, read_side, width_of_members

ITEMS, ROWS, MEMBERS, WIDTH = 7, 4, 2, 4


@pytest.fixture(scope="module")
def parts():
    """found_by and read_by [7, 2, 4], weight [7, 2, 1], queries [4, 2, 4]."""
    random = np.random.default_rng(0)
    shapes = {"found_by": (ITEMS, WIDTH), "weight": (ITEMS, 1), "read_by": (ITEMS, WIDTH), "queries": (ROWS, WIDTH)}
    return {name: random.normal(size=(rows, MEMBERS, d)).astype(np.float32) for name, (rows, d) in shapes.items()}


@pytest.fixture(scope="module")
def items(parts):
    return np.concatenate([parts[name] for name in ("found_by", "weight", "read_by")], axis=-1).reshape(ITEMS, -1)


@pytest.fixture(scope="module")
def each(parts):
    """The members' scores one by one, [2, 4, 7]."""
    products = np.einsum("bmd,umd->mbu", parts["queries"], parts["found_by"])
    return products + parts["weight"][..., 0].T[:, np.newaxis]


def test_one_dot_product_is_the_sum_over_members_of_query_and_item_plus_weight(parts, items, each):
    queries = query_sides(tf.constant(parts["queries"]))
    assert items.shape == (ITEMS, width_of_members(WIDTH, MEMBERS)) and queries.shape == (ROWS, items.shape[1])
    np.testing.assert_allclose(tf.matmul(queries, items, transpose_b=True), each.sum(axis=0), rtol=1e-4, atol=1e-5)


def test_a_row_is_left_to_one_member(parts, items, each):
    queries = query_sides(tf.constant(parts["queries"])) * member_of_rows(ROWS, items.shape[1], MEMBERS)
    expected = np.concatenate([each[0, : ROWS // 2], each[1, ROWS // 2 :]])
    np.testing.assert_allclose(tf.matmul(queries, items, transpose_b=True), expected, rtol=1e-4, atol=1e-5)


def test_a_history_is_read_by_the_other_side(parts, items):
    read = read_side(tf.reduce_sum(items, axis=0, keepdims=True), MEMBERS)
    np.testing.assert_allclose(read[0], parts["read_by"].sum(axis=0).ravel(), atol=1e-5)
