"""Weeks are replayed with models of several ages, none of which has seen the future."""

import json

import numpy as np
import pytest

from tfrec.errors import ConfigError
from tfrec.evaluation.replayed import Period, Replay, of_ages, replay_markdown
from tfrec.steps import replay as replaying
from tfrec.steps.replay import DAY, replay


class Oracle:
    """Recommends what is relevant in the share of cases in which it is fresh."""

    name = "model"

    def __init__(self, trained_until, begins):
        self.age = (begins - trained_until) / DAY

    def recommend(self, users, k, exclude=None, candidates=None, truth=None):
        lists = np.full((len(users), k), -1)
        for row in range(len(users)):
            if row % (self.age + 1) < 1:
                lists[row, 0] = truth[row].indices[0]
        return lists


@pytest.fixture
def watched(monkeypatch):
    """Replaces training; tells up to what time each model was trained, and what the tasks let it know."""
    seen = []

    def train(config, dataset, directory, **options):
        assert not len(dataset.validation) and not len(dataset.test)
        seen.append(int(dataset.train.time.max()))
        return seen[-1]

    def recommender(trained, dataset, task):
        # Days are whole only to the second of the last event before them.
        begins = int(task.known.time.max())
        return Oracle(round(trained / DAY) * DAY, round(begins / DAY) * DAY)

    monkeypatch.setattr(replaying, "train", train)
    monkeypatch.setattr(replaying, "model_recommender", recommender)
    return seen


def test_models_are_trained_once_for_each_moment_and_older_ones_reach_less(plain_world, tmp_path, watched):
    said = []
    found = replay(plain_world.config(), str(tmp_path), periods=3, ages=(2, 0, 1), days=1, k=5, say=said.append)
    assert len(watched) == 5 and watched == sorted(watched)  # three days, and two before
    assert len(said) == 5 and said[0].startswith("training 1 of 5: ")
    assert [age.age for age in found.ages] == [0, 1, 2] and found.metric == "ndcg@5"
    assert found.ages[0].model > found.ages[1].model > found.ages[2].model
    assert found.ages[0].difference is None and found.ages[2].p_value < 0.01
    for period in found.periods:
        assert len({len(values) for reached in period.reached.values() for values in reached.values()}) == 1
    ends = [period.last for period in found.periods]
    assert ends == sorted(ends) and len(set(ends)) == 3


def test_events_that_do_not_reach_back_far_enough_are_told(plain_world, tmp_path):
    with pytest.raises(ConfigError, match="4 periods of 7 days and models 4 periods old need more than 56 days of"):
        replay(plain_world.config(), str(tmp_path), say=lambda line: None)


@pytest.mark.slow
def test_real_models_are_replayed_by_the_command(plain_world, tmp_path, capsys):
    from tfrec.cli.main import main

    document = plain_world.document(
        training={"epochs": 1}, model={"factors": 0}, data={"output": str(tmp_path / "out")}
    )
    path = plain_world.folder / "replay.yaml"
    path.write_text(json.dumps(document))
    command = ["replay", "-c", str(path), "--weeks", "1", "--ages", "0,3", "--days", "2", "-k", "5"]
    assert main([*command, "--out", str(tmp_path / "fresh"), "--json"]) == 0
    printed = json.loads(capsys.readouterr().out)
    assert [age["age"] for age in printed["ages"]] == [0, 3]
    assert all(0 < age["model"] <= 1 and 0 < age["popular"] <= 1 for age in printed["ages"])
    page = (tmp_path / "fresh.md").read_text()
    assert "tfrec replay -c replay.yaml --weeks 1 --ages 0,3 --days 2 -k 5" in page
    assert json.loads((tmp_path / "fresh.json").read_text()) == printed


def test_the_page_says_what_is_lost():
    def reached(model):
        return {"model": np.full(8, model) + np.arange(8) / 100, "MostPop": np.full(8, 0.1)}

    periods = [Period("2026-01-05", "2026-01-11", 8, 30, {0: reached(0.5), 4: reached(0.4)})]
    found = Replay("ndcg@10", 7, tuple(periods), of_ages(periods, [0, 4]))
    assert found.ages_table()[2][:3] == ["4", "0.4350", "-0.1000 (-18.7%)"]
    page = replay_markdown(
        "Freshness: shop",
        found,
        "tfrec replay -c shop.yaml",
        {
            "cores": 2,
            "architecture": "x86_64",
            "python": "3.10",
            "packages": {"tfrec": "0.1"},
        },
    )
    assert "| 2026-01-05 to 2026-01-11 | 8 | 30 | 0.5350 | 0.4350 |" in page
    assert json.loads(json.dumps(found.to_json()))["ages"][1]["difference"] == pytest.approx(-0.1)
