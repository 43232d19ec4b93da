"""The section `tuning`: what may be searched, and what is refused in one sentence."""

import pytest

from tfrec.errors import ConfigError
from tfrec.search_space import Hyperparameter, with_values


@pytest.fixture
def searching(plain_world):
    return lambda space, **tuning: plain_world.config(tuning={"space": space, **tuning}).tuning


def test_values_are_those_of_the_setting(searching):
    space = searching(
        {
            "model.temperature": [1, 0.5],
            "training.targets": {"low": 4, "high": 32, "step": 2, "scale": "log"},
            "model.query_hidden": [[], [16]],
        }
    ).space
    assert space[0] == Hyperparameter("model.temperature", (1.0, 0.5))
    assert space[1] == Hyperparameter("training.targets", (), 4, 32, 2, "log", True)
    assert space[2].choices == ((), (16,))


@pytest.mark.parametrize(
    ("space", "sentence"),
    [
        ({"model.dropuot": [0.1, 0.2]}, "'model.dropuot', which is no setting .*did you mean model.dropout"),
        ({"split.test": [0.1, 0.2]}, "'split.test', which is no setting of model or training"),
        ({"training.seed": [1, 2]}, "training.seed, which makes no better model"),
        ({"model.dropout": 0.1}, r"must be a list of values, or bounds such as \{low"),
        ({"model.dropout": [0.1]}, "at least two values, all different"),
        ({"model.dropout": [0.1, 0.1]}, "at least two values, all different"),
        ({"model.dropout": [0.1, 1.5]}, r"tuning.space: model.dropout is 1.5; it must be at least 0 and less than 1"),
        ({"model.dropout": [0.1, "much"]}, "model.dropout must be a number, got 'much'"),
        ({"model.fusion": ["gate", "mean"]}, "model.fusion is 'mean'; expected one of"),
        ({"model.fusion": {"low": 1, "high": 2}}, "the setting is no number; list its values"),
        ({"model.dropout": {"low": 0.5, "high": 0.1}}, "low is 0.5, which must be less than high, 0.1"),
        ({"model.dropout": {"low": 0.1, "hihg": 0.5}}, "unknown key 'hihg'; did you mean 'high'"),
        ({"model.dropout": {"low": 0, "high": 0.5, "scale": "log"}}, "with the scale log it must be greater than 0"),
        ({"model.dropout": {"low": 0.1, "high": 0.5, "scale": "cubic"}}, "expected one of linear, log"),
        ({"model.dropout": {"low": 0.1, "high": 0.5, "step": -1}}, "step is -1; it must be at least 0"),
        ({"training.targets": {"low": 4, "high": 9, "scale": "log", "step": 1}}, "a factor, greater than 1"),
        ({"training.targets": {"low": 4.5, "high": 9}}, "low is 4.5; the setting is a whole number"),
        (["model.dropout"], "tuning.space must be a mapping"),
    ],
)
def test_a_space_that_does_not_fit_is_one_sentence(searching, space, sentence):
    with pytest.raises(ConfigError, match=sentence):
        searching(space)


@pytest.mark.parametrize(
    ("tuning", "sentence"),
    [
        ({"metric": "loss"}, "tuning.metric is 'loss'; expected one of ndcg@10, recall@10"),
        ({"algorithm": "genetic"}, "tuning.algorithm is 'genetic'; expected one of bayesian"),
        ({"trials": 0}, "tuning.trials is 0; it must be at least 1"),
        ({"trails": 9}, "unknown key 'trails'; did you mean 'trials'"),
        ({"seed": -1}, "tuning.seed is -1"),
    ],
)
def test_a_search_that_does_not_fit_is_one_sentence(searching, tuning, sentence):
    with pytest.raises(ConfigError, match=sentence):
        searching({"model.dropout": [0.1, 0.2]}, **tuning)


def test_a_pipeline_that_tunes_needs_a_space(plain_world):
    with pytest.raises(ConfigError, match=r"pipeline\.tune is true, but .*tuning\.space names no settings"):
        plain_world.config(pipeline={"tune": True})


def test_settings_that_do_not_fit_together_are_one_sentence(plain_world):
    config = plain_world.config()
    changed = with_values(config, {"model.dropout": 0.2, "training.epochs": 7})
    assert (changed.model.dropout, changed.training.epochs) == (0.2, 7)
    with pytest.raises(ConfigError, match=r"needs training\.strategy one"):
        with_values(plain_world.config(training={"strategy": "mirrored"}), {"training.accumulate": 2})
