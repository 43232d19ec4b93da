"""The ways to train that are timed: each learns, and none is a straw man."""

import numpy as np
import pytest

from tfrec.speed import training
from tfrec.speed.measured import Stopwatch
from tfrec.speed.ratings import made_up
from tfrec.speed.trainers import TrainingRun, by_hand, ours, tutorial
from tfrec.speed.training import quality


@pytest.fixture(scope="module")
def ratings():
    return made_up(3000, 600, 150, 250)


@pytest.fixture(scope="module")
def guessed(ratings):
    random = np.random.default_rng(0)
    run = TrainingRun(None, random.normal(size=(ratings.users, 8)), random.normal(size=(ratings.items, 8)))
    return quality(ratings, run)["ndcg@10"]


@pytest.mark.parametrize("trainer", [pytest.param(tutorial, marks=pytest.mark.slow), by_hand, ours])
def test_every_trainer_learns_and_tells_each_epoch(ratings, guessed, trainer):
    run = trainer(ratings, 512, 4)
    assert len(run.watch.wall) == len(run.watch.cpu) == 4 and min(run.watch.wall) > 0
    assert run.queries.shape[0] == ratings.users and run.table.shape[0] == ratings.items
    assert quality(ratings, run)["ndcg@10"] > 1.3 * guessed


def test_all_trainers_run_in_turn_and_ratios_are_those_of_their_times(monkeypatch):
    order = []

    def timed(name, seconds):
        def run(ratings, batch, epochs):
            order.append(name)
            watch = training_watch([9.0] + [seconds] * (epochs - 1))
            return TrainingRun(watch, np.ones((ratings.users, 2), np.float32), np.ones((ratings.items, 2), np.float32))

        return run

    def training_watch(laps):
        watch = Stopwatch()
        watch.wall, watch.cpu = list(laps), [2 * lap for lap in laps]
        return watch

    monkeypatch.setattr(training, "PEERS", {"slow": timed("slow", 3.0)})
    monkeypatch.setattr(training, "OURS", {"tfrec": timed("tfrec", 0.5), "in short": timed("in short", 0.25)})
    measured = training.measure(rounds=2, batch=64, epochs=3, rows=400, say=lambda line: None)
    assert order == ["slow", "tfrec", "in short"] * 2
    (data,) = measured.numbers["data"]
    for own, ratio in (("tfrec", 6.0), ("in short", 12.0)):
        same = {"min": ratio, "median": ratio, "max": ratio}
        assert data["ratios"][own] == {"seconds": {"slow": same}, "cpu": {"slow": same}}
    assert measured.tables[0].rows[1][2:6] == ["6.0 (6.0 to 6.0)"] * 2 + ["12.0 (12.0 to 12.0)"] * 2
    assert measured.tables[0].rows[2][2:6] == [""] * 4
