"""Alarms during fit: each is provoked by a real training, and a healthy one raises none."""

import dataclasses

import numpy as np
import pytest
import tensorflow as tf

from tests.conftest import JOINT
from tfrec.data.tables import joined
from tfrec.training.leakage import training_leakage
from tfrec.training.rows import RowSampler
from tfrec.training.trainer import train
from tfrec.training.validation import AlarmBell, build_validation


@pytest.fixture
def fit(plain_world, plain_dataset, tmp_path):
    """Trains the shop that has attributes only; gives the trained model and what was said."""

    def run(dataset=plain_dataset, model=None, split=None, **training):
        config = plain_world.config(training={"epochs": 4, **training}, model=model or {}, split=split or {})
        lines = []
        return train(config, dataset, str(tmp_path / "run"), say=lines.append), lines

    return run


@pytest.fixture
def fashion(plain_dataset):
    """The shop where all that is asked for is among its most popular items."""
    popular = np.argsort(-np.bincount(plain_dataset.train.item))[:12]
    kept = np.flatnonzero(np.isin(plain_dataset.validation.item, popular))
    return dataclasses.replace(plain_dataset, validation=plain_dataset.validation.take(kept))


def alarms_of(lines):
    return [line for line in lines if line.startswith("alarm, ")]


def test_a_healthy_model_of_all_modalities_raises_no_alarm(trained):
    assert trained.alarms == []


def test_a_healthy_training_tells_no_alarm(fit):
    trained, lines = fit()
    assert trained.alarms == [] and alarms_of(lines) == []


def test_a_model_that_learned_nothing_is_told_to_be_below_popularity(fit, fashion):
    trained, lines = fit(fashion, model=JOINT, learning_rate=1e-7)
    (alarm,) = trained.alarms
    assert alarm.name == "below MostPop"
    assert alarm.numbers["model"] == pytest.approx(trained.history[-1]["ndcg@10"], abs=1e-6)
    assert alarm.numbers["model"] < alarm.numbers["most_pop"]
    # Told once, in the third epoch, and not again.
    (line,) = alarms_of(lines)
    assert line == str(alarm) and lines.index(line) == 3


def test_a_model_below_popularity_by_chance_is_not_told_so(fit, plain_dataset):
    trained, _ = fit(epochs=1)
    validation = rebuilt(trained, plain_dataset)
    reached = validation.metrics()["ndcg@10"]
    assert raised(validation, reached + 1e-6) == set()
    assert raised(validation, 0.99) == {"below MostPop"}


def raised(validation, popular):
    """The alarms where every user would have this nDCG by the most popular items."""
    validation.most_pop = np.full(len(validation.task.users), popular)
    validation.metrics()
    return {alarm.name for alarm in validation.alarms}


def test_a_table_of_items_that_learned_nothing_is_told_before_factors_and_content_come(fit, fashion):
    trained, lines = fit(fashion, learning_rate=1e-7)
    assert {alarm.name for alarm in trained.alarms} == {"collapse", "below MostPop"}
    told = alarms_of(lines)
    assert len(told) == 2 and {lines.index(line) for line in told} == {3, 4}


def test_weights_that_shrink_to_nothing_are_told_to_have_collapsed(fit):
    """Weight decay far beyond the learning rate drives all vectors to the same place."""
    trained, lines = fit(weight_decay=300.0, learning_rate=0.003, schedule="constant")
    assert "collapse" in {alarm.name for alarm in trained.alarms}
    told = [line for line in alarms_of(lines) if line.startswith("alarm, collapse: ")]
    assert any("one and the same list" in line or "effective rank" in line for line in told)


def test_a_model_whose_item_vectors_are_one_is_told_so_twice(fit, plain_dataset):
    """Lists and vectors are two signs of collapse, each with a sentence of its own."""
    trained, _ = fit(epochs=1)
    for variable in vectors_of(trained.model.item_tower):
        variable.assign(tf.zeros_like(variable))
    validation = rebuilt(trained, plain_dataset)
    validation.metrics()
    seen = " ".join(alarm.seen for alarm in validation.alarms if alarm.name == "collapse")
    assert "one and the same list" in seen and "effective rank" in seen


def vectors_of(tower):
    """All that an item's vector is made of: its row, its factors and what content says."""
    return [tower.id_embedding.embeddings, tower.factors, tower.regression.mean, tower.regression.coefficients]


def rebuilt(trained, dataset):
    from tfrec.model.embedding import Embedder

    space, embedder = trained.blueprint.feature_space, Embedder(trained.model, trained.config.serving.history)
    return build_validation(trained.config, dataset, space, trained.interactions, trained.inputs, embedder)


def test_an_alarm_that_is_over_is_told(fit, plain_dataset):
    trained, _ = fit(epochs=1)
    lines = []
    bell = AlarmBell(lines.append, [])
    bell.validation = rebuilt(trained, plain_dataset)
    kept = [variable.numpy() for variable in vectors_of(trained.model.item_tower)]
    for variable in vectors_of(trained.model.item_tower):
        variable.assign(tf.zeros_like(variable))
    assert {alarm.name for alarm in bell.at_the_end()} >= {"collapse"}
    for variable, value in zip(vectors_of(trained.model.item_tower), kept):
        variable.assign(value)
    before = len(lines)
    assert "collapse" not in {alarm.name for alarm in bell.at_the_end()}
    assert any(line.startswith("alarm, collapse: over (it was: ") for line in lines[before:])


def test_test_events_copied_into_training_are_told_before_the_first_epoch(fit, plain_dataset):
    leaky = dataclasses.replace(plain_dataset, train=joined(plain_dataset.train, plain_dataset.test))
    trained, lines = fit(leaky, epochs=1, split={"by": "random"})
    assert lines[0].startswith(f"alarm, leakage: {len(plain_dataset.test):,} of the test part are in an earlier part")
    assert "leakage" in {alarm.name for alarm in trained.alarms}


def test_events_out_of_order_show_rows_the_future(fit, plain_dataset):
    backwards = dataclasses.replace(
        plain_dataset, train=plain_dataset.train.take(np.arange(len(plain_dataset.train))[::-1])
    )
    trained, _ = fit(backwards, epochs=1, objective="next")
    assert any("hold later events in the history than in the targets" in alarm.seen for alarm in trained.alarms)


@pytest.mark.parametrize("objective", ["masked", "next", "retrieval"])
@pytest.mark.parametrize("by", ["time", "last-out", "random"])
def test_the_rows_of_ingested_data_leak_nothing(plain_world, by, objective):
    config = plain_world.config(split={"by": by}, training={"objective": objective})
    dataset = plain_world.dataset(config, f"split-{by}")
    assert training_leakage(config, dataset, sampler(dataset, objective)) == []


def test_rows_of_held_out_items_are_told(plain_world, plain_dataset):
    leaky = dataclasses.replace(plain_dataset, train=joined(plain_dataset.train, plain_dataset.cold))
    found = training_leakage(plain_world.config(split={"by": "random"}), leaky, sampler(leaky, "masked"))
    seen = " ".join(alarm.seen for alarm in found)
    assert "hold items that were held out" in seen and "held-out items have events in the training part" in seen


def sampler(dataset, objective):
    from tfrec.training.interactions import interactions

    return RowSampler(interactions(dataset.train, len(dataset.users)), objective, 32, 8, 8, 0.1)
