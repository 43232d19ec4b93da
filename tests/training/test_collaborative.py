"""The stages of a model whose items are a table first: what each leaves alone, and going on in any of them."""

import types

import numpy as np
import pytest

from tests.conftest import FEATURES
from tests.training.toy import KNOWN, make_toy
from tfrec.training import collaborative
from tfrec.training.trainer import train


@pytest.fixture(scope="module")
def sounds(make_world, tmp_path_factory):
    """A shop with clips, whose encoder is trained, and its data."""
    world = make_world(tmp_path_factory.mktemp("sounds"), {"sound": FEATURES["sound"]}, items=24, users=40, events=8)
    return world, world.dataset(world.config())


class Stopped(Exception):
    """Stands for whatever ends a training in the middle."""


@pytest.fixture
def fit(sounds, tmp_path):
    """Trains the shop in one folder, two epochs of the encoder and two of the table, and gives what was said with it.

    Stops at the line `stop` when it is said for the `time`-th time.
    """

    def run(stop="", time=1):
        world, dataset = sounds
        lines = []

        def say(line):
            lines.append(line)
            if stop and sum(said.startswith(stop) for said in lines) == time:
                raise Stopped

        config = world.config(
            training={"epochs": 2, "encoder_epochs": 2, "batch_size": 512, "encoder_batch_size": 1024}
        )
        if not stop:
            return train(config, dataset, str(tmp_path / "run"), say=say), lines
        with pytest.raises(Stopped):
            train(config, dataset, str(tmp_path / "run"), say=say)
        return None, lines

    return run


def epochs(lines):
    """Numbers of the epochs that were trained."""
    return [int(line.split("/")[0].split()[-1]) for line in lines if line.startswith("epoch ")]


def weights(encoder):
    return [weight.numpy() for weight in encoder.weights]


def test_encoders_are_trained_first_and_then_kept_as_they_are(fit, monkeypatch):
    """What content is regressed on are the vectors of the encoder as its own stage left it."""
    stages, rows = {}, []
    original, original_fit = collaborative._train_encoders, collaborative.fit

    def train_and_look(config, blueprint, prepared, *others):
        stages["before"] = weights(prepared.encoders["sound"])
        original(config, blueprint, prepared, *others)
        stages["after"] = weights(prepared.encoders["sound"])

    def fit_and_look(config, *others):
        rows.append(config.training.batch_size)
        return original_fit(config, *others)

    monkeypatch.setattr(collaborative, "_train_encoders", train_and_look)
    monkeypatch.setattr(collaborative, "fit", fit_and_look)
    trained, lines = fit()
    assert any(not np.allclose(one, other) for one, other in zip(stages["before"], stages["after"]))
    for after, at_the_end in zip(stages["after"], weights(trained.encoders["sound"])):
        np.testing.assert_array_equal(after, at_the_end)
    assert not trained.encoders["sound"].trainable
    assert lines[0] == "training the encoders" and epochs(lines) == [1, 2, 1, 2]
    assert lines.index("training the table of items") == 3
    assert rows == [1024, 512]  # encoder_batch_size, then batch_size


@pytest.mark.slow
def test_a_training_that_stopped_among_the_encoders_goes_on_there(fit):
    fit(stop="epoch   1/2")
    trained, lines = fit()
    assert lines[:2] == ["training the encoders", "going on after epoch 1"]
    assert epochs(lines) == [2, 1, 2] and [epoch["epoch"] for epoch in trained.history] == [1, 2]


@pytest.mark.slow
def test_a_training_that_stopped_at_the_table_goes_on_there_with_the_same_encoders(fit):
    fit(stop="epoch   1/2", time=2)
    trained, lines = fit()
    assert lines[:4] == [
        "training the encoders",
        "the trained model is up to date",
        "training the table of items",
        "going on after epoch 1",
    ]
    assert epochs(lines) == [2] and [epoch["epoch"] for epoch in trained.history] == [1, 2]
    again, lines = fit()
    assert epochs(lines) == [] and lines.count("the trained model is up to date") == 2
    for one, other in zip(weights(trained.encoders["sound"]), weights(again.encoders["sound"])):
        np.testing.assert_array_equal(one, other)
    table, other = (each.model.item_tower.id_embedding.embeddings.numpy() for each in (trained, again))
    np.testing.assert_array_equal(table, other)


@pytest.fixture
def described():
    """A toy whose content is read: every item is predicted to be all ones."""
    toy = make_toy()
    tower = toy.model.item_tower
    toy.embedder().items(toy.inputs)
    tower.regression({name: array[:1] for name, array in toy.inputs.arrays.items()})
    tower.regression.mean.assign(np.ones(tower.width, np.float32))
    tower.reads_content = True
    return toy


def share(toy, measure):
    """Share known items' vectors with content by a validation that `measure`s the table; gives the table after it."""
    validation = types.SimpleNamespace(metrics=lambda: {"ndcg@10": measure(toy.embedder().items(toy.inputs))})
    prepared = types.SimpleNamespace(pairs=toy.pairs, known=toy.known)
    lines = []
    collaborative._share_with_content(toy.model, prepared, validation if measure else None, lines.append)
    return toy.embedder().items(toy.inputs), lines


@pytest.mark.parametrize(
    "measure",
    [None, lambda table: 0.5, lambda table: np.abs(table[:KNOWN] - 1).mean()],
    ids=["no validation", "no gain", "loss"],
)
def test_content_changes_no_known_item_where_validation_shows_no_gain(described, measure):
    table, lines = share(described, measure)
    np.testing.assert_array_equal(table[:KNOWN], described.table[:KNOWN])
    np.testing.assert_allclose(table[KNOWN:], 1.0, atol=1e-6)
    assert not lines or lines[0].startswith("content counts as 0 events of an item")


def test_the_fewer_events_an_item_has_the_more_content_speaks_where_that_helps(described):
    table, lines = share(described, lambda table: -np.abs(table[:KNOWN] - 1).mean())
    assert lines[0].startswith("content counts as 8 events of an item")
    counts = np.bincount(described.pairs.item, minlength=KNOWN)
    own = (counts / (counts + 8))[:, np.newaxis]
    np.testing.assert_allclose(table[:KNOWN], own * described.table[:KNOWN] + (1 - own), atol=1e-5)
    assert np.ptp(counts) > 3
