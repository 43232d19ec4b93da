import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from tfrec.config import Model
from tfrec.towers.query_tower import QueryTower, TextQuery

WIDTH, BATCH, LENGTH = 6, 4, 5
SIZES = {"country": 5, "device": 4}


@pytest.fixture(scope="module")
def tower(schema):
    layer = QueryTower(schema, Model(query_hidden=(7,), dropout=0.5), SIZES, WIDTH)
    layer(*batch())
    random = np.random.default_rng(0)
    layer.set_weights([random.normal(0, 0.5, weight.shape) for weight in layer.get_weights()])
    return layer


def batch(seed=0, counts=(5, 3, 1, 0)):
    """Histories [B, L, W], their masks, and features."""
    random = np.random.default_rng(seed)
    history = random.normal(size=(BATCH, LENGTH, WIDTH)).astype(np.float32)
    mask = (np.arange(LENGTH) < np.array(counts)[:, np.newaxis]).astype(np.float32)
    features = {
        "country": tf.constant([0, 1, 2, 3]),
        "age": tf.constant([[0, 0], [0.5, 1], [-1, 1], [0, 1]], tf.float32),
        "device": tf.constant([0, 2, 3, 1]),
    }
    return tf.constant(history), tf.constant(mask), features


@settings(max_examples=25, deadline=None)
@given(
    seed=st.integers(0, 100),
    counts=st.tuples(*[st.integers(0, LENGTH)] * BATCH),
    order=st.permutations(range(LENGTH)),
)
def test_padding_and_the_order_of_the_history_change_nothing(tower, seed, counts, order):
    history, mask, features = batch(seed, counts)
    queries = tower(history, mask, features)
    np.testing.assert_allclose(np.linalg.norm(queries, axis=1), 1, atol=1e-5)
    rubbish = tf.where(mask[..., tf.newaxis] > 0, history, 1e3)
    np.testing.assert_allclose(tower(rubbish, mask, features), queries, atol=1e-5)
    shuffled = tower(tf.gather(history, order, axis=1), tf.gather(mask, order, axis=1), features)
    np.testing.assert_allclose(shuffled, queries, atol=1e-5)
    longer = tower(tf.pad(history, [[0, 0], [3, 0], [0, 0]]), tf.pad(mask, [[0, 0], [3, 0]]), features)
    np.testing.assert_allclose(longer, queries, atol=1e-5)


def test_an_empty_history_gives_a_learned_query_that_depends_on_the_user(tower):
    history, mask, features = batch(counts=(0, 0, 0, 0))
    queries = tower(history, mask, features).numpy()
    assert np.all(np.isfinite(queries))
    assert np.linalg.norm(queries[0] - queries[1]) > 1e-3


def test_before_training_a_query_is_the_mean_of_the_history(schema):
    untrained = QueryTower(schema, Model(), SIZES, WIDTH)
    history, mask, features = batch()
    mean = history[1, :3].numpy().mean(axis=0)
    np.testing.assert_allclose(untrained(history, mask, features)[1], mean / np.linalg.norm(mean), atol=1e-5)


def test_parts_that_are_switched_off_need_no_features(schema):
    history, mask, _ = batch()
    alone = QueryTower(schema, Model(use_user_features=False, use_context=False), {}, WIDTH)
    assert alone(history, mask, {}).shape == (BATCH, WIDTH)


def test_free_text_becomes_a_query_of_length_one():
    queries = TextQuery(Model(), WIDTH)(tf.random.stateless_normal([3, 9], [1, 2]))
    assert queries.shape == (3, WIDTH)
    np.testing.assert_allclose(np.linalg.norm(queries, axis=1), 1, atol=1e-5)
