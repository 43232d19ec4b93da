import glob
import os

import numpy as np
import pytest

from tests.conftest import JOINT
from tfrec.errors import DataError, TrainingError
from tfrec.evaluation.metrics import ranking_metrics
from tfrec.evaluation.tasks import warm_task
from tfrec.evaluation.topk import top_k
from tfrec.model.embedding import Embedder
from tfrec.training.fingerprint import training_fingerprint
from tfrec.training.interactions import interactions
from tfrec.training.trainer import train
from tfrec.training.validation import build_validation


@pytest.fixture
def train_plain(plain_world, plain_dataset, tmp_path):
    """Trains the shop that has attributes only; settings of the training section are given by name."""

    def run(directory="run", say=lambda line: None, model=None, **training):
        config = plain_world.config(training=training, model=model or {})
        return train(config, plain_dataset, str(tmp_path / directory), say=say)

    return run


def losses(trained):
    return [epoch["loss"] for epoch in trained.history]


@pytest.mark.parametrize("objective", ["masked", "next", "retrieval"])
def test_every_objective_learns(train_plain, objective):
    trained = train_plain(objective=objective, epochs=4)
    assert losses(trained)[-1] < losses(trained)[0]
    assert trained.history[-1]["ndcg@10"] > trained.history[0]["ndcg@10"] * 0.9


def test_the_model_beats_popularity(trained, dataset):
    """On the shop, where users favour one taste of four, it must be much better, not by chance."""
    task = warm_task(dataset)
    embedder = Embedder(trained.model, trained.config.serving.history)
    space = trained.blueprint.feature_space
    pairs = interactions(dataset.train, len(dataset.users))
    features = {name: codes[task.users] for name, codes in space.encode_users(dataset.users).items()}
    context = space.encode_context(dataset.train)
    features |= {name: np.zeros((len(task.users), *codes.shape[1:]), codes.dtype) for name, codes in context.items()}
    table = embedder.items(trained.inputs)
    queries = embedder.queries(table, pairs.latest(task.users, 8), features)
    found = top_k(queries, table, 10, exclude=task.exclude, candidates=task.candidates).positions
    counts = np.bincount(dataset.train.item, minlength=len(dataset.catalogue)).astype(np.float32)
    popular = top_k(
        np.ones([len(task.users), 1], np.float32),
        counts[:, np.newaxis],
        10,
        exclude=task.exclude,
        candidates=task.candidates,
    ).positions
    ours, theirs = (ranking_metrics(positions, task.truth, [10])["ndcg@10"] for positions in (found, popular))
    assert ours > 1.3 * theirs


def test_encoders_are_trained_first_and_then_kept(trained):
    assert all(not trained.encoders[name].frozen for name in ("picture", "sound"))
    assert all(not trained.encoders[name].trainable for name in ("picture", "sound"))
    assert [epoch["epoch"] for epoch in trained.history] == [1, 2, 3, 4, 5, 6]


def test_training_stops_when_the_metric_has_not_risen_for_long(train_plain):
    lines = []
    trained = train_plain(epochs=60, patience=2, learning_rate=1e-9, say=lines.append)
    assert 3 <= len(trained.history) < 60
    metric = [epoch["ndcg@10"] for epoch in trained.history]
    assert max(metric[-2:]) <= max(metric[:-2])


def test_the_weights_of_the_best_epoch_are_kept_not_the_last(train_plain, plain_dataset):
    trained = train_plain(epochs=4, patience=3, learning_rate=0.2, weight_decay=0.01, model=JOINT)
    config, space = trained.config, trained.blueprint.feature_space
    embedder = Embedder(trained.model, config.serving.history)
    validation = build_validation(config, plain_dataset, space, trained.interactions, trained.inputs, embedder)
    best = max(epoch["ndcg@10"] for epoch in trained.history)
    assert validation.metrics()["ndcg@10"] == pytest.approx(best, abs=1e-4)
    assert trained.validation_metrics()["validation_ndcg@10"] == pytest.approx(best, abs=1e-4)


def test_patience_0_trains_all_epochs_and_keeps_the_last(train_plain, plain_dataset):
    trained = train_plain(epochs=4, patience=0, learning_rate=0.2, weight_decay=0.01, model=JOINT)
    config, space = trained.config, trained.blueprint.feature_space
    embedder = Embedder(trained.model, config.serving.history)
    validation = build_validation(config, plain_dataset, space, trained.interactions, trained.inputs, embedder)
    assert len(trained.history) == 4
    assert validation.metrics()["ndcg@10"] == pytest.approx(trained.history[-1]["ndcg@10"], abs=1e-4)
    assert trained.validation_metrics()["validation_ndcg@10"] == pytest.approx(trained.history[-1]["ndcg@10"], abs=1e-4)


def test_what_is_said_of_a_model_is_measured_on_the_finished_one(train_plain, plain_dataset):
    """Factors and content come after the last epoch of the table, and change what is recommended."""
    trained = train_plain(epochs=1, learning_rate=1e-7)
    config, space = trained.config, trained.blueprint.feature_space
    embedder = Embedder(trained.model, config.serving.history)
    validation = build_validation(config, plain_dataset, space, trained.interactions, trained.inputs, embedder)
    metrics = trained.validation_metrics()
    assert metrics == {f"validation_{name}": pytest.approx(value) for name, value in validation.metrics().items()}
    assert metrics["validation_ndcg@10"] > 1.05 * trained.history[-1]["ndcg@10"]


def test_tensorboard_finds_the_curves(train_plain, tmp_path):
    train_plain(epochs=2)
    (file,) = glob.glob(str(tmp_path / "run/tensorboard/train/events.*"))
    assert os.path.getsize(file) > 0


def test_a_loss_that_is_no_number_ends_in_one_sentence(train_plain):
    with pytest.raises(TrainingError, match=r"the loss became nan in epoch \d+; lower training.learning_rate"):
        train_plain(learning_rate=1e38, schedule="constant", epochs=5)


def test_without_training_events_there_is_one_sentence(plain_world, plain_dataset, tmp_path):
    import dataclasses

    empty = dataclasses.replace(plain_dataset, train=plain_dataset.train.take(np.zeros(0, int)))
    with pytest.raises(DataError, match="the training part has no events"):
        train(plain_world.config(), empty, str(tmp_path))


def test_without_validation_events_the_lowest_loss_is_the_best(plain_world, tmp_path):
    config = plain_world.config(split={"validation": 0.0}, training={"epochs": 3})
    trained = train(config, plain_world.dataset(config, "no_validation"), str(tmp_path), say=lambda line: None)
    assert len(trained.history) == 3 and "ndcg@10" not in trained.history[0]


@pytest.mark.parametrize("policy", ["mixed_bfloat16", "mixed_float16"])
def test_mixed_precision_trains_and_does_not_outlive_the_training(train_plain, policy):
    import tensorflow as tf

    mixed = train_plain("mixed", mixed_precision=policy, epochs=2)
    assert losses(mixed)[-1] < losses(mixed)[0]
    plain = train_plain("plain", epochs=1)
    assert tf.keras.mixed_precision.global_policy().name == "float32"
    assert plain.model.item_tower.id_embedding.compute_dtype == "float32"


def test_gradient_accumulation_trains(train_plain):
    trained = train_plain(accumulate=2, epochs=2)
    assert losses(trained)[-1] < losses(trained)[0]
    # 16 batches an epoch.
    assert int(trained.model.batches_seen) == 32 and int(trained.model.optimizer.iterations) == 16


def test_a_catalogue_of_ids_alone_can_be_learned(make_world, tmp_path):
    world = make_world(tmp_path / "ids", features={})
    config = world.config(training={"epochs": 3})
    trained = train(config, world.dataset(config), str(tmp_path / "run"), say=lambda line: None)
    assert losses(trained)[-1] < losses(trained)[0]


def test_the_fingerprint_changes_with_all_that_decides_the_model(plain_world, plain_dataset):
    import dataclasses

    config = plain_world.config()
    reference = training_fingerprint(config, plain_dataset, {})
    assert training_fingerprint(plain_world.config(), plain_dataset, {}) == reference
    users = plain_dataset.users
    older = dataclasses.replace(users, columns={**users.columns, "age": users.columns["age"] + 1})
    weights = dataclasses.replace(plain_dataset.train, weight=plain_dataset.train.weight + 1)
    others = [
        (plain_world.config(training={"seed": 1}), plain_dataset),
        (plain_world.config(model={"dimension": 8}), plain_dataset),
        (config, dataclasses.replace(plain_dataset, users=older)),
        (config, dataclasses.replace(plain_dataset, train=weights)),
        (config, dataclasses.replace(plain_dataset, validation=plain_dataset.validation.take(slice(1, None)))),
    ]
    prints = [training_fingerprint(changed, data, {}) for changed, data in others]
    assert len({reference, *prints}) == 1 + len(others)


def test_item_inputs_hold_ids_of_known_items_only_and_texts_to_search_by(trained, dataset):
    known = np.isin(np.arange(len(dataset.catalogue)), dataset.train.item)
    ids = trained.inputs.arrays["id"]
    assert np.all(ids[dataset.held_out] == 0) and sorted(ids[known]) == list(range(1, known.sum() + 1))
    owners = trained.inputs.search_owner
    assert len(owners) == len(trained.inputs.search_text) and np.all(np.diff(owners) >= 0)
    assert set(owners) == set(range(len(dataset.catalogue)))
