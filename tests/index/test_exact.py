import numpy as np
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from tfrec.index.exact import ExactIndex


def expected(scores, excluded, k):
    """Top k of each row by plain sorting: positions and scores, -1 and 0 where too few are left."""
    positions, values = np.full([len(scores), k], -1), np.zeros([len(scores), k], np.float32)
    for row, line in enumerate(scores):
        kept = [position for position in np.argsort(-line, kind="stable") if position not in excluded[row]]
        positions[row, : len(kept)] = kept[:k]
        values[row, : len(kept)] = line[kept[:k]]
    return positions, values


@settings(max_examples=40, deadline=None)
@given(
    items=st.integers(1, 12),
    k=st.integers(1, 15),
    batch=st.integers(1, 3),
    width=st.integers(0, 6),
    seed=st.integers(0, 1000),
)
def test_the_best_items_are_found_and_excluded_ones_replaced_by_the_next(items, k, batch, width, seed):
    random = np.random.default_rng(seed)
    index = ExactIndex(random.normal(size=(items, 4)).astype(np.float32), k)
    queries = tf.constant(random.normal(size=(batch, 4)).astype(np.float32))
    excluded = random.integers(-1, items, (batch, width)).astype(np.int32)
    scores = index.scores(queries)
    positions, found = index.top_k(scores, tf.constant(excluded))
    wanted, values = expected(scores.numpy(), excluded, k)
    np.testing.assert_array_equal(positions, wanted)
    np.testing.assert_allclose(found, values)


def test_the_vectors_of_items_come_back_in_any_shape():
    vectors = np.arange(12, dtype=np.float32).reshape(4, 3)
    index = ExactIndex(vectors, 2)
    np.testing.assert_array_equal(index.vectors_of(tf.constant([3, 0])), vectors[[3, 0]])
    np.testing.assert_array_equal(index.vectors_of(tf.constant([[1, 2], [0, 0]])), vectors[[[1, 2], [0, 0]]])
    assert index.vectors_of(tf.constant([[-1]])).shape == (1, 1, 3)


def test_cosines_do_not_depend_on_lengths_and_nothing_is_like_nothing():
    vectors = np.array([[3.0, 0], [0, 0.1], [-5, 5], [0, 0]], np.float32)
    cosines = ExactIndex(vectors, 3).cosines(tf.constant([[0.0, 7.0], [0, 0]])).numpy()
    np.testing.assert_allclose(cosines, [[0, 1, 0.5**0.5, 0], [0, 0, 0, 0]], atol=1e-6)
