"""A training that starts from the served model keeps what was learned by id, however the catalogue has changed."""

import dataclasses
import json
import os
import shutil
import subprocess
import sys

import numpy as np
import pytest
import tensorflow as tf

from tests.conftest import JOINT
from tfrec.model.two_tower import TwoTower
from tfrec.training import sizes
from tfrec.training.fingerprint import training_fingerprint
from tfrec.training.trainer import train
from tfrec.training.warm_start import chosen_start, forget_states

SHOWN = ("category", "tags")
CHANGED = {"garden": "zoo", "castle": "abbey"}  # One category is renamed for all its items, so vocabularies move.


@pytest.fixture(scope="module")
def shops(make_world, tmp_path_factory):
    """The shop of yesterday, and of today: items and users came and went, a category is new and one is gone."""
    from tests.conftest import FEATURES

    features = {name: FEATURES[name] for name in SHOWN}
    yesterday = make_world(tmp_path_factory.mktemp("yesterday"), features, items=24, users=40, events=8)
    today = make_world(tmp_path_factory.mktemp("today"), features, items=32, users=60, events=9)
    items = [json.loads(line) for line in (today.folder / "items.jsonl").read_text().splitlines()]
    kept = [{**row, "category": CHANGED.get(row["category"], row["category"])} for row in items[3:]]
    (today.folder / "items.jsonl").write_text("".join(json.dumps(row) + "\n" for row in reversed(kept)))
    users = [json.loads(line) for line in (today.folder / "users.jsonl").read_text().splitlines()]
    users[0]["country"] = "AD"
    (today.folder / "users.jsonl").write_text("".join(json.dumps(row) + "\n" for row in users))
    return yesterday, today


class Stopped(Exception):
    """Ends a training before its first step."""


@pytest.fixture
def before_the_first_step(monkeypatch):
    """Returns the model as training would start it."""

    def begun(*arguments, **options):
        models = []

        def fit(model, *_, **__):
            models.append(model)
            raise Stopped

        monkeypatch.setattr(TwoTower, "fit", fit)
        with pytest.raises(Stopped):
            train(*arguments, **options)
        monkeypatch.undo()
        return models[0]

    return begun


def warm(world, model=None, **training):
    return world.config(training={"warm_start": True, "epochs": 1, **training}, model=model or {}, split={"test": 0.0})


def large_and_warm(world, **training):
    """In the recipe of large data, without what draws at random."""
    return warm(world, {"dropout": 0.0, "factors": 0}, patience=0, **training)


@dataclasses.dataclass
class Earlier:
    """Yesterday's model, its data, the name of its training, and the folder of its state."""

    trained: object
    dataset: object
    name: str
    folder: object

    def beside(self, folder):
        """A folder of training state with this model's in it."""
        shutil.copytree(self.folder / "states", folder / "states")
        return str(folder)


def earlier(world, folder, model=None):
    config = warm(world, model)
    dataset = world.dataset(config)
    trained = train(config, dataset, str(folder), say=lambda line: None)
    return Earlier(trained, dataset, training_fingerprint(config, dataset, trained.encoders), folder)


@pytest.fixture(scope="module")
def regression(shops, tmp_path_factory):
    return earlier(shops[0], tmp_path_factory.mktemp("regression"))


@pytest.fixture(scope="module")
def joint(shops, tmp_path_factory):
    return earlier(shops[0], tmp_path_factory.mktemp("joint"), JOINT)


def known_ids(dataset):
    return dataset.catalogue.ids[np.unique(dataset.train.item)].tolist()


def rows_by_key(table, keys, reserved):
    return dict(zip(keys, table.numpy()[reserved:]))


@pytest.mark.parametrize(("kind", "settings"), [("regression", {}), ("joint", JOINT)])
def test_what_was_learned_is_kept_by_id_before_the_first_step(
    request, shops, tmp_path, before_the_first_step, kind, settings
):
    before = request.getfixturevalue(kind)
    trained, dataset = before.trained, before.dataset
    config = warm(shops[1], settings)
    now = shops[1].dataset(config)
    lines = []
    model = before_the_first_step(config, now, before.beside(tmp_path), served=[before.name], say=lines.append)
    old_ids, new_ids = known_ids(dataset), known_ids(now)
    old = rows_by_key(trained.model.item_tower.id_embedding.embeddings, old_ids, 1)
    new = rows_by_key(model.item_tower.id_embedding.embeddings, new_ids, 1)
    both = sorted(set(old) & set(new))
    assert both and set(new) - set(old) and set(old) - set(new)
    for item in both:
        np.testing.assert_array_equal(new[item], old[item])
    assert f"which knows {len(both)} of the {len(new)} known items" in lines[0]
    fresh = before_the_first_step(config, now, str(tmp_path / "fresh"), say=lines.append)
    start = rows_by_key(fresh.item_tower.id_embedding.embeddings, new_ids, 1)
    for item in set(new) - set(old):
        assert np.isfinite(new[item]).all() and new[item].any()
        if not model.collaborative:
            np.testing.assert_array_equal(new[item], start[item])
    # The same for categories: countries of users, and in the fused model those of items.
    tables = [("users.country", *(m.query_tower.correction.attributes for m in (trained.model, model, fresh)))]
    if not model.collaborative:
        tables.append(("items.category", *(m.item_tower.attribute_embedding for m in (trained.model, model, fresh))))
    for key, *layers in tables:
        name = key.partition(".")[2]
        spaces = [trained.blueprint.feature_space.vocabularies[key], *[space_of(config, now).vocabularies[key]] * 2]
        values = [rows_by_key(layer.embeddings[name].embeddings, keys, 2) for layer, keys in zip(layers, spaces)]
        assert set(values[1]) - set(values[0])
        for value, row in values[1].items():
            np.testing.assert_array_equal(row, values[0].get(value, values[2][value]))
    for old, new in zip(
        trained.model.query_tower.correction.hidden.weights, model.query_tower.correction.hidden.weights
    ):
        np.testing.assert_array_equal(new, old)
    assert int(model.optimizer.iterations) == 0


def space_of(config, dataset):
    from tfrec.data.vocabulary import fit_feature_space

    return fit_feature_space(config.schema, dataset.catalogue, dataset.users, dataset.train)


def test_a_new_item_begins_where_the_served_model_predicts_it(regression, shops, tmp_path, before_the_first_step):
    trained, dataset = regression.trained, regression.dataset
    config = warm(shops[1])
    now = shops[1].dataset(config)
    served = [regression.name]
    model = before_the_first_step(config, now, regression.beside(tmp_path), served=served, say=lambda line: None)
    old = set(known_ids(dataset))
    newcomer = next(item for item in known_ids(now) if item not in old)
    row = now.catalogue.ids.tolist().index(newcomer)
    inputs = {"id": np.zeros(len(now.catalogue), np.int32)}
    inputs |= trained.blueprint.feature_space.encode_items(now.catalogue)
    predicted, _ = trained.model.item_tower({key: tf.constant(array[row : row + 1]) for key, array in inputs.items()})
    width = model.item_tower.member_width
    found = model.item_tower.id_embedding.embeddings.numpy()[known_ids(now).index(newcomer) + 1]
    np.testing.assert_allclose(found, predicted.numpy()[0, :width], rtol=1e-5, atol=1e-6)


def test_a_warm_training_is_short_goes_on_and_is_not_done_twice(regression, shops, tmp_path):
    config = warm(shops[1], epochs=4, warm_epochs=2)
    now, directory, name = shops[1].dataset(config), regression.beside(tmp_path), regression.name
    trained = train(config, now, directory, served=[name], say=lambda line: None)
    assert len(trained.history) == 2 and trained.config.training.epochs == 2
    mine = training_fingerprint(trained.config, now, trained.encoders)
    assert sorted(os.listdir(tmp_path / "states")) == sorted([name, mine])
    lines = []
    train(config, now, directory, served=[name, mine], say=lines.append)  # it is the served one now
    assert "the trained model is up to date" in lines


@pytest.mark.slow
def test_devices_that_divide_the_item_table_start_where_one_device_does(shops, tmp_path, monkeypatch):
    few = 10  # More rows make a table a large one.
    monkeypatch.setattr(sizes, "LARGE", few)
    before = earlier(shops[0], tmp_path / "before", {"dropout": 0.0, "factors": 0})
    directory, file = before.beside(tmp_path / "divided"), tmp_path / "divided.npy"
    command = [sys.executable, "-m", "tests.training.divided_start", shops[1].folder, directory, before.name, few, file]
    running = subprocess.Popen(list(map(str, command)), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    config = large_and_warm(shops[1])
    now = shops[1].dataset(config)
    lines = []
    trained = train(config, now, before.beside(tmp_path / "one"), served=[before.name], say=lines.append)
    told, _ = running.communicate(timeout=500)
    assert running.returncode == 0 and "starting from the served model, " in lines[0] and lines[0] in told, told[-3000:]
    expected = trained.model.item_tower.id_embedding.embeddings.numpy()
    np.testing.assert_allclose(np.load(file), expected, rtol=1e-4, atol=1e-5)


def test_a_start_is_chosen_once_and_only_from_a_model_of_the_same_structure(regression, shops, tmp_path):
    directory, name, told = regression.beside(tmp_path), regression.name, []
    state = os.path.join(directory, "states", name)

    def chosen(key, served, model=None, **training):
        return chosen_start(warm(shops[0], model, **training), key, directory, served, told.append)

    assert chosen("today", [name], warm_start=False) == ""
    assert not os.path.exists(os.path.join(directory, "start.json"))
    assert chosen("today", ["older", name], {"dropout": 0.3}) == state
    assert chosen("today", [name, "newer"]) == state and told == []
    assert chosen("tomorrow", [name, "newer"]) == ""
    assert chosen("later", [name], {"dimension": 8}) == ""
    assert chosen("later", [name]) == ""  # a training that began afresh goes on so
    assert [line.partition("the served model ")[2] for line in told] == [
        "left no state to start from",
        "has another schema or other settings of model",
    ]


def test_states_that_no_version_came_from_are_removed(regression, tmp_path):
    directory = regression.beside(tmp_path)
    os.makedirs(tmp_path / "states" / "forgotten")
    forget_states(directory, [regression.name, ""])
    assert os.listdir(tmp_path / "states") == [regression.name]
