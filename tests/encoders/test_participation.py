"""Which weights each way of training an encoder changes in a train step of the recommender."""

import dataclasses

import numpy as np
import pytest
import tensorflow as tf

from tests.conftest import FEATURES
from tfrec.data.vocabulary import fit_feature_space
from tfrec.encoders.item_inputs import encoded, item_inputs
from tfrec.encoders.text import TextEncoder
from tfrec.model.build import Blueprint, build_encoders, build_model
from tfrec.training.batches import Batches
from tfrec.training.interactions import interactions
from tfrec.training.optimizer import build_optimizer
from tfrec.training.rows import RowSampler

BOTTOM = {"embeddings", "layer_0", "layer_1"}
CANDIDATES = 12


@dataclasses.dataclass
class Shop:
    """A shop with a text, a picture and a sound, of which a model is given one."""

    world: object
    features: dict
    dataset: object
    cache: str

    def model(self, name="text", **encoder):
        """A model whose only feature's encoder has these settings, its encoder, the items' inputs and a batch."""
        feature = self.features[name]
        self.world.features.clear()
        self.world.features[name] = {**feature, "encoder": {**feature["encoder"], **encoder}}
        # Encoders are trained in a model that fuses content, be it the model itself or the stage before a regression.
        model = {"content": "joint", "fusion": "gate", "temperature": 0.15, "query_hidden": [128], "dropout": 0.0}
        config = self.world.config(model=model, training={"learning_rate": 0.01, "weight_decay": 0.01})
        dataset = self.dataset
        space = fit_feature_space(config.schema, dataset.catalogue, dataset.users, dataset.train)
        known = np.isin(np.arange(len(dataset.catalogue)), dataset.train.item)
        encoders = build_encoders(config)
        model = build_model(config, Blueprint(space, int(known.sum())), encoders)
        inputs = item_inputs(config.schema, dataset.catalogue, space, encoders, known, self.cache, model.text_feature)
        pairs = interactions(dataset.train, len(dataset.users))
        users, context = space.encode_users(dataset.users), space.encode_context(dataset.train)

        def batch(content):
            sampler = RowSampler(pairs, "masked", 8, 6, 4, 0.0)
            batches = Batches(sampler, pairs, content, users, context, CANDIDATES, known)
            return tf.nest.map_structure(tf.constant, next(batches.epoch(0, 0)))

        model.compute_loss(batch(inputs))
        rates = [own for encoder in encoders.values() for own in encoder.own_learning_rates()]
        model.compile(build_optimizer(config.training, 10, rates))
        model.optimizer.build(model.trainable_variables)
        return model, encoders[name], inputs, batch


@pytest.fixture(scope="module")
def shop(make_world, tiny_bert, tmp_path_factory):
    folder = tmp_path_factory.mktemp("participation")
    features = {name: FEATURES[name] for name in ("text", "picture", "sound")}
    features["text"] = {**features["text"], "encoder": {"path": tiny_bert, "max_length": 16}}
    world = make_world(folder / "shop", features, items=24, users=40, events=8)
    return Shop(world, features, world.dataset(world.config()), str(folder / "cache"))


def part_of(variable):
    """layer_2, embeddings, pooler, adapter or language_head."""
    return "adapter" if "/adapter_" in variable.name else variable.name.split("/")[0].split(":")[0]


def changed_by(model, encoder, batch):
    before = {variable.name: variable.numpy() for variable in encoder.weights}
    assert len(before) == len(encoder.weights)
    (projection,) = model.item_tower.projections.values()
    towers = [variable.numpy() for variable in projection.trainable_variables]
    model.train_step(batch)
    assert towers and all(np.any(old != new.numpy()) for old, new in zip(towers, projection.trainable_variables))
    return {variable.name for variable in encoder.weights if np.any(before[variable.name] != variable.numpy())}


@pytest.mark.parametrize(
    "settings, parts",
    [
        ({"train": "none"}, set()),
        ({"train": 2}, {"layer_1", "layer_2"}),
        ({"train": "all", "pooling": "pooled"}, BOTTOM | {"layer_2", "pooler"}),
        ({"train": "adapters"}, {"adapter"}),
        ({"train": "all", "language_weight": 0.5}, BOTTOM | {"layer_2", "language_head"}),
        ({"train": 1, "language_weight": 0.5}, {"layer_2", "language_head"}),
        ({"train": "adapters", "language_weight": 0.5}, {"adapter", "language_head"}),
    ],
    ids=lambda value: "-".join(map(str, value.values())) if isinstance(value, dict) else "",
)
def test_a_train_step_changes_exactly_the_weights_it_is_told_to(shop, settings, parts):
    model, encoder, inputs, batch = shop.model(**settings)
    changed = changed_by(model, encoder, batch(inputs))
    # What an adapter multiplies is zero at first, so its first factor has no gradient in the first step.
    changed |= changed_by(model, encoder, batch(inputs)) if "adapter" in parts else set()
    assert changed == {variable.name for variable in encoder.weights if part_of(variable) in parts}
    assert changed == {variable.name for variable in encoder.trainable_weights}
    assert {part_of(variable) for variable in encoder.trainable_weights} == parts


@pytest.mark.parametrize("name", ["picture", "sound"])
@pytest.mark.parametrize("train, layers", [("none", 0), (2, 2), ("all", None)])
def test_a_train_step_changes_exactly_the_layers_of_a_cnn_it_is_told_to(shop, tmp_path, name, train, layers):
    settings = {"train": train, "augment": False}
    if train == "none":
        shop.model(name)[1].network.save_weights(str(tmp_path / "cnn.h5"))
        settings["weights"] = str(tmp_path / "cnn.h5")
    model, encoder, inputs, batch = shop.model(name, **settings)
    assert (inputs.arrays[name].shape == (24, encoder.dimension)) == (train == "none")
    changed = changed_by(model, encoder, batch(inputs))
    with_weights = [layer for layer in encoder.network.layers if layer.weights]
    top = with_weights if layers is None else with_weights[len(with_weights) - layers :]
    assert changed == {variable.name for layer in top for variable in layer.weights}


def test_after_its_last_epoch_an_encoder_is_kept_and_its_vectors_are_read(shop):
    model, encoder, inputs, batch = shop.model(train="all", language_weight=0.5)
    vectors = encoded(inputs, {"text": encoder}, "text")
    encoder.trainable = False
    assert vectors.arrays["text"].shape == (24, encoder.dimension)
    assert changed_by(model, encoder, batch(vectors)) == set()


def test_a_frozen_encoder_runs_once_for_each_text(shop, monkeypatch):
    _, encoder, inputs, _ = shop.model(train="none")
    assert inputs.arrays["text"].shape == (24, encoder.dimension) and inputs.arrays["text"].any()

    def refuse(*_, **__):
        raise AssertionError("a frozen encoder was run again")

    for method in ("encode_raw", "call", "_vectors", "prepare"):
        monkeypatch.setattr(TextEncoder, method, refuse)
    monkeypatch.setattr(TextEncoder, "_output_width", lambda self, where: encoder.dimension)
    model, again, cached, batch = shop.model(train="none")
    np.testing.assert_array_equal(cached.arrays["text"], inputs.arrays["text"])
    assert changed_by(model, again, batch(cached)) == set()


@pytest.mark.parametrize("settings, rate", [({"train": 1}, 3e-5), ({"train": 1, "learning_rate": 1e-3}, 1e-3)])
def test_the_encoder_learns_at_a_rate_of_its_own_and_the_towers_at_theirs(shop, settings, rate):
    """How far an element moves at most in Adam's first step is its rate; a schedule of 10 steps has no warm-up."""
    model, encoder, inputs, batch = shop.model(**settings)
    projection = model.item_tower.projections["text"].trainable_variables[0]
    kernel = next(v for v in encoder.trainable_weights if "intermediate/kernel" in v.name)
    before = kernel.numpy(), projection.numpy()
    model.train_step(batch(inputs))
    moved = [float(np.abs(v.numpy() - old).max()) for v, old in zip((kernel, projection), before)]
    assert moved == pytest.approx([rate, 0.01], rel=0.05)
