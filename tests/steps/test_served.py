"""A model is held against the one that is served, on the same users, and refused where it is worse."""

import json

import numpy as np
import pytest

from tfrec.export.export import export_servable
from tfrec.steps.evaluate import evaluate_servable
from tfrec.steps.push import push
from tfrec.steps.rollback import roll_back
from tfrec.steps.served import ServedRecommender, check_withdrawn, served_model
from tfrec.training.trainer import train


@pytest.fixture(scope="module")
def models(plain_world, plain_dataset, tmp_path_factory):
    """Folders of a model that learned and of the same with its items mixed up."""
    folder = tmp_path_factory.mktemp("models")
    config = plain_world.config(training={"epochs": 4}, model={"factors": 0}, serving={"reasons": 0})
    trained = train(config, plain_dataset, str(folder / "training"), say=lambda line: None)
    good = export_servable(trained, plain_dataset, str(folder / "good"), say=lambda line: None)
    table = trained.model.item_tower.id_embedding.embeddings
    table.assign(np.random.default_rng(0).permutation(table.numpy()))
    return good, export_servable(trained, plain_dataset, str(folder / "bad"), say=lambda line: None)


def judged(world, dataset, model, folder, **gates):
    config = world.config(gates={"better_than": [], **gates})
    pushed = str(folder / "served")
    return evaluate_servable(config, dataset, model, str(folder / "report"), say=[].append, push_directory=pushed)


@pytest.mark.slow
def test_a_worse_model_is_refused_in_favour_of_the_served_one(plain_world, plain_dataset, models, tmp_path):
    good, bad = models
    push(good, str(tmp_path / "served"))
    assessment = judged(plain_world, plain_dataset, bad, tmp_path)
    [reason] = [reason for reason in assessment.reasons if "served version 1" in reason]
    assert "by a paired t-test over" in reason and "asks for a model that is not worse" in reason
    assert not assessment.blessed
    assert json.loads((tmp_path / "report" / "metrics.json").read_text())["served"] == 1
    assert "served version 1" in (tmp_path / "report" / "report.html").read_text()


@pytest.mark.slow
def test_a_better_model_takes_the_place_of_the_served_one(plain_world, plain_dataset, models, tmp_path):
    good, bad = models
    push(bad, str(tmp_path / "served"))
    assessment = judged(plain_world, plain_dataset, good, tmp_path, served="better")
    assert assessment.blessed and assessment.compared_with
    difference = assessment.warm.difference("served version 1", "ndcg@10")
    assert difference.value > 0 and difference.p_value < 0.05


def test_the_served_model_itself_is_compared_with_nothing(served):
    assert served_model("", served.made("a"), print) is served_model(served.directory, served.made("a"), print) is None
    served("a")
    assert served_model(served.directory, served.made("a"), print) is None


def test_a_served_model_that_cannot_be_loaded_keeps_nobody_out(served):
    served("broken")
    said = []
    assert served_model(served.directory, served.made("new"), said.append) is None
    assert said[0].startswith("the model is compared with no served one: the model in ")


def test_a_model_that_was_rolled_back_is_not_blessed_again(served):
    served("good"), served("bad")
    assert check_withdrawn(served.directory, served.made("bad")) == []
    roll_back(served.directory, why="the shop looked empty")
    [reason] = check_withdrawn(served.directory, served.made("bad"))
    assert "withdrawn as version 2 by a rollback on " in reason and "(the shop looked empty)" in reason
    assert check_withdrawn(served.directory, served.made("good")) == []
    roll_back(served.directory, to=2)
    assert check_withdrawn(served.directory, served.made("bad")) == []


def test_items_that_the_served_model_does_not_hold_are_in_nobody_s_list():
    items = np.eye(4, dtype=np.float32)
    holds = np.array([True, False, True, False])
    recommender = ServedRecommender("served", np.array([[1, 9, 2, 0.5]], np.float32), items, holds)
    users = np.zeros(1, np.int32)
    assert recommender.recommend(users, 3).tolist() == [[2, 0, -1]]
    assert recommender.recommend(users, 3, candidates=np.array([0, 1, 3])).tolist() == [[0, -1, -1]]
    assert recommender.recommend(users, 2, candidates=np.array([1])).tolist() == [[-1, -1]]
