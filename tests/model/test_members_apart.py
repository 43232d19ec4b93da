"""Asking members one by one gives the loss and the gradients of asking all in one product."""

import numpy as np
import pytest
import tensorflow as tf

from tfrec.config import Model, Training
from tfrec.model import two_tower
from tfrec.model.two_tower import TwoTower
from tfrec.schema_parsing import parse_schema

KNOWN = 40
SCHEMA = {
    "items": {"id": "item", "features": {}},
    "users": {"id": "user"},
    "events": {"user": "user", "item": "item"},
}


def batch(members, rows=6, history=4, targets=3, seed=0):
    """Rows of each member over the known items, of 0 to all places of history, and targets that are not in it."""
    random = np.random.default_rng(seed)
    count = members * rows
    order = np.stack([random.permutation(KNOWN) for _ in range(count)])
    told = np.where(random.random((count, history)) < 0.6, order[:, :history], -1)
    asked = np.where(random.random((count, targets)) < 0.7, order[:, history : history + targets], -1)
    return {
        "items": {"id": tf.range(1, KNOWN + 1)},
        "sampling_probability": tf.constant(random.uniform(0.1, 1, KNOWN), tf.float32),
        "history": tf.constant(told, tf.int32),
        "targets": tf.constant(asked, tf.int32),
        "target_weights": tf.constant(np.where(asked >= 0, random.integers(1, 4, asked.shape), 0), tf.float32),
        "features": {},
    }


@pytest.mark.parametrize("static", [False, True])
@pytest.mark.parametrize("members", [1, 2, 3])
def test_members_asked_one_by_one_give_the_same_loss_and_gradients(monkeypatch, members, static):
    settings = Model(members=members, dimension=5, factors=3, query_hidden=(4,))
    model = TwoTower(parse_schema(SCHEMA, "", "schema"), settings, Training(jit=static), {}, {}, {}, KNOWN)
    inputs = batch(members)

    model.compute_loss(inputs)
    for variable in model.trainable_variables:  # The correction begins with zeros, which would hide it.
        variable.assign(tf.random.stateless_normal(variable.shape, (1, 2)))

    def loss_and_gradients(above):
        monkeypatch.setattr(two_tower, "ASKED_APART_ABOVE", above)
        with tf.GradientTape() as tape:
            loss = model.compute_loss(inputs, training=False)
        return loss, [tf.convert_to_tensor(g) for g in tape.gradient(loss, model.trainable_variables) if g is not None]

    together, apart = loss_and_gradients(10**9), loss_and_gradients(0)
    np.testing.assert_allclose(apart[0], together[0], rtol=1e-5)
    assert len(apart[1]) == len(together[1]) > 0
    for one, other in zip(apart[1], together[1]):
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-6)
