"""The ways to train with content that are timed: they learn the same, and a small run tells its ratios."""

import functools

import numpy as np
import pytest
import tensorflow as tf

from tfrec.speed import encoders, frozen
from tfrec.speed.per_place import OURS, PER_PLACE, PLACES, Trainers, encoded_per_place, places_of
from tfrec.speed.sampled import sampled

ROWS = {"objective": "retrieval", "batch_size": 16}


@pytest.fixture(scope="module")
def sample(tmp_path_factory):
    return sampled(str(tmp_path_factory.mktemp("sample")), events=600)


def test_every_place_of_a_batch_names_its_item():
    batch = {
        "items": {"id": np.arange(5)},
        "targets": np.array([[3], [-1]]),
        "history": np.array([[3, 0, -1], [0, 1, 3]]),
    }
    assert sorted(places_of(batch)) == [0, 0, 1, 2, 3, 3, 3, 4]


def test_encoding_per_place_has_the_loss_and_the_gradients_of_encoding_once(sample):
    trainers = Trainers(sample, ROWS, ("picture",), size=16, augment=False)
    model = trainers.models[OURS]
    batch = tf.nest.map_structure(tf.constant, next(trainers.drawn(PER_PLACE)))
    assert len(batch["items"][PLACES]) > 2 * len(batch["items"]["id"])

    def loss_and_gradients():
        with tf.GradientTape() as tape:
            loss = model.compute_loss(batch)
        return loss, [g for g in tape.gradient(loss, model.trainable_variables) if g is not None]

    encode = model.encode_items
    model.encode_items = lambda items, training: encode({n: a for n, a in items.items() if n != PLACES}, training)
    once = loss_and_gradients()
    model.encode_items = functools.partial(encoded_per_place, encode)
    apart = loss_and_gradients()
    np.testing.assert_allclose(once[0], apart[0], rtol=1e-5)
    assert len(once[1]) == len(apart[1]) > 8
    for one, other in zip(once[1], apart[1]):
        np.testing.assert_allclose(tf.convert_to_tensor(one), tf.convert_to_tensor(other), rtol=2e-3, atol=2e-5)


@pytest.mark.slow
def test_a_small_run_tells_ratios_and_how_many_places_share_an_item(monkeypatch):
    monkeypatch.setattr(frozen, "CONTENT", ("picture",))
    monkeypatch.setattr(encoders, "CASES", {"joint": {"model": frozen.JOINT}})
    monkeypatch.setattr(encoders, "SHAPES", {"events": ROWS})
    numbers = encoders.measure(rounds=1, epochs=2, rows=600, steps=1, say=lambda line: None).numbers
    joint, events = numbers["frozen"]["joint"], numbers["trained"]["events"]
    ratio = joint[frozen.FROZEN]["cpu"][0] / joint[frozen.IDS]["cpu"][0]
    assert joint["ratios"]["cpu"]["median"] == pytest.approx(ratio)
    ratio = events[PER_PLACE]["seconds"][0] / events[OURS]["seconds"][0]
    assert events["ratios"]["seconds"] == pytest.approx({"min": ratio, "median": ratio, "max": ratio})
    assert events["places"] > 2 * events["items"]
    assert all(one["all"]["each"] >= one["targets"]["each"] >= 1 for one in numbers["duplication"])
