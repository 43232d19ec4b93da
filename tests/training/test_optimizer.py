"""The rows of a large table learn each as a variable of its own."""

import numpy as np
import pytest
import tensorflow as tf

from tfrec.training import optimizer as optimizers
from tfrec.training.optimizer import AdamW


@pytest.fixture
def large_from_four_rows(monkeypatch):
    monkeypatch.setattr(optimizers, "changes_rows_alone", lambda rows: rows >= 4)


def stepped(variable, gradients, decay):
    """The variable after a step of each of the gradients."""
    optimizer = AdamW(0.1, decay)
    variable = tf.Variable(variable, name="table")
    optimizer.build([variable])
    for gradient in gradients:
        optimizer.apply_gradients([(gradient, variable)])
    return variable.numpy()


@pytest.mark.parametrize("decay", [0.0, 0.5])
def test_a_row_changes_as_a_variable_that_has_its_steps_only(large_from_four_rows, decay):
    random = np.random.default_rng(0)
    table = random.normal(size=(5, 3)).astype(np.float32)
    used = [[0, 2], [2], [2, 4], [0, 4]]
    gradients = [random.normal(size=(len(rows), 3)).astype(np.float32) for rows in used]
    sparse = [tf.IndexedSlices(tf.constant(g), tf.constant(rows)) for g, rows in zip(gradients, used)]
    found = stepped(table, sparse, decay)
    for row in range(5):
        own = [tf.constant(g[rows.index(row)][np.newaxis]) for g, rows in zip(gradients, used) if row in rows]
        np.testing.assert_allclose(found[row], stepped(table[[row]], own, decay)[0], rtol=1e-5)


def test_dense_gradients_of_a_large_table_change_all_rows_as_of_a_small_one(monkeypatch):
    random = np.random.default_rng(1)
    table = random.normal(size=(5, 3)).astype(np.float32)
    gradients = [tf.constant(random.normal(size=(5, 3)).astype(np.float32)) for _ in range(3)]
    small = stepped(table, gradients, 0.5)
    monkeypatch.setattr(optimizers, "changes_rows_alone", lambda rows: True)
    np.testing.assert_allclose(stepped(table, gradients, 0.5), small, rtol=1e-5)


def test_a_row_named_twice_has_the_sum_of_its_gradients(large_from_four_rows):
    random = np.random.default_rng(2)
    table, values = (random.normal(size=(rows, 3)).astype(np.float32) for rows in (5, 4))
    twice = tf.IndexedSlices(tf.constant(values), tf.constant([3, 0, 3, 1]))
    once = tf.IndexedSlices(tf.constant([values[0] + values[2], values[1], values[3]]), tf.constant([3, 0, 1]))
    np.testing.assert_allclose(stepped(table, [twice, twice], 0.5), stepped(table, [once, once], 0.5), rtol=1e-5)
